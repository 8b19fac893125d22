"""A link of a LangChain chain behind a policy. Run it: python examples/langchain_runnable.py"""

from collections.abc import Iterator
from pathlib import Path

from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompt_values import PromptValue
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda

import guard

POLICY = guard.load_policy(Path(__file__).parent / "policies" / "support.yaml")

prompt = ChatPromptTemplate.from_messages([("system", "You are a shop's support bot."), ("human", "{question}")])
model = FakeListChatModel(responses=["[ORDER_1] arrives on Friday."])  # or ChatOpenAI(model=...)


@guard.protect(policy=POLICY, input="asked.messages")
def answer(asked: PromptValue) -> AIMessage:
    return model.invoke(asked)


@guard.protect(policy=POLICY, input="asked.messages")
def answer_in_pieces(asked: PromptValue) -> Iterator[AIMessageChunk]:
    yield from model.stream(asked)


chain = prompt | RunnableLambda(answer) | StrOutputParser()
streaming = prompt | RunnableLambda(answer_in_pieces) | StrOutputParser()

if __name__ == "__main__":
    for question in ("Where is ORD-12345678?", "Is Acme cheaper?"):
        print(question)
        print("    whole:   ", chain.invoke({"question": question}))
        print("    streamed:", *streaming.stream({"question": question}), sep="|")
