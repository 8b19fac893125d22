"""What the handlers of these tests take, give and are protected by."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from tests.fakes import override, policy_of, redact, spotting

PII = spotting("pii", {"email": r"\b\w{1,5}@x\.io"})
BAD = spotting("bad", r"\bbomb\b")
POLICY = policy_of(
    PII,
    BAD,
    input=[override("bad"), redact("pii", restore=True)],
    output=[override("bad"), redact("pii")],
)
FILLER = "the quick brown fox jumps over the lazy dog "


class Asked(BaseModel):
    question: str
    user: str = "u1"


def pieces(text: str, size: int = 5) -> list[str]:
    return [text[at : at + size] for at in range(0, len(text), size)]


def completion(text: str | None, calls: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    message = {"role": "assistant", "content": text, "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def chunk(text: str | None, **delta: Any) -> ChatCompletionChunk:
    choice = {"index": 0, "delta": {"content": text, **delta}, "finish_reason": None}
    return ChatCompletionChunk.model_validate(
        {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    )


def content(answer: Any) -> Any:
    """What an answer of any of these shapes says."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, (AIMessage, ChatCompletion)):
        return answer.content if isinstance(answer, AIMessage) else answer.choices[0].message.content
    if isinstance(answer, Asked):
        return answer.question
    return (
        answer["choices"][0]["message"]["content"]
        if "choices" in answer
        else answer.get("content", answer.get("answer"))
    )
