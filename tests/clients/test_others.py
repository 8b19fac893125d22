"""LangChain, litellm as a client, curl, and the openai client for JavaScript."""

import json
import shutil
import subprocess
from typing import Any

import pytest

pytestmark = pytest.mark.slow

SCRIPT = """
import OpenAI from 'openai';
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'k', maxRetries: 0 });
const ask = (content, more = {}) =>
  client.chat.completions.create({ model: 'm', messages: [{ role: 'user', content }], ...more });
const whole = (await ask('hello from node')).choices[0].message.content;
let streamed = '', finish = null;
for await (const chunk of await ask('advertise', { stream: true })) {
  streamed += chunk.choices[0]?.delta?.content ?? '';
  finish = chunk.choices[0]?.finish_reason ?? finish;
}
const embedded = (await client.embeddings.create({ model: 'm', input: ['ORD-12345678', 'b'] })).data.length;
const code = await client.embeddings.create({ model: 'm', input: 'Acme' }).catch((error) => error.code);
const older = (await client.completions.create({ model: 'm', prompt: 'ORD-12345678' })).choices[0].text;
const restored = (await ask('Where is ORD-12345678?')).choices[0].message.content;
const respond = (input, more = {}) => client.responses.create({ model: 'm', input, ...more });
const response = (await respond('Where is ORD-12345678?')).output_text;
let events = '', status = null;
for await (const event of await respond('advertise', { stream: true })) {
  if (event.type === 'response.output_text.delta') events += event.delta;
  if (event.type === 'response.completed') status = event.response.incomplete_details.reason;
}
console.log(JSON.stringify({ whole, streamed, finish, restored, embedded, code, older, response, events, status }));
"""


def test_langchains_chat_model_works_whole_and_streamed(guarded, provider):
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(base_url=guarded, api_key="k", model="m", max_retries=0)
    assert model.invoke("Where is ORD-12345678?").content == "Where is ORD-12345678?"
    assert "12345678" not in json.dumps(provider.bodies)
    assert "".join(str(chunk.content) for chunk in model.stream("good morning")) == "good morning"
    assert model.invoke("Is Acme better?").content == "We only speak of ourselves."


def test_langchains_embeddings_work_as_texts_and_are_refused_as_tokens(guarded, provider):
    import openai
    from langchain_openai import OpenAIEmbeddings

    def embeddings(**more):
        return OpenAIEmbeddings(base_url=guarded, api_key="k", model="text-embedding-3-small", max_retries=0, **more)

    texts = ["Where is ORD-12345678?", "b"]
    assert len(embeddings(check_embedding_ctx_length=False).embed_documents(texts)) == 2
    assert provider.bodies[0]["input"] == ["Where is [ORDER_NUMBER_1]?", "b"]
    tokens = [[9906, 1917]]
    with pytest.raises(openai.BadRequestError, match="tokens cannot be read"):
        embeddings(check_embedding_ctx_length=False).client.create(model="m", input=tokens)


def test_litellm_as_a_client_works_whole_and_streamed(guarded):
    import litellm

    def ask(content, **more) -> Any:
        messages = [{"role": "user", "content": content}]
        return litellm.completion("openai/m", messages=messages, api_base=guarded, api_key="k", num_retries=0, **more)

    assert ask("Where is ORD-12345678?").choices[0].message.content == "Where is ORD-12345678?"
    pieces = [chunk.choices[0].delta.content or "" for chunk in ask("good morning to you", stream=True)]
    assert "".join(pieces) == "good morning to you"
    assert ask("Is Acme better?").choices[0].message.content == "We only speak of ourselves."


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_works_whole_and_streamed(guarded):
    def ask(**more):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hello"}], **more})
        command = ["curl", "-sSiN", f"{guarded}/chat/completions", "-H", "content-type: application/json", "-d", body]
        return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stdout

    whole = ask()
    assert "x-guard-status: not_triggered" in whole
    assert json.loads(whole.split("\n\n", 1)[1])["choices"][0]["message"]["content"] == "hello"
    assert ask(stream=True).rstrip().endswith("data: [DONE]")


@pytest.mark.skipif(not shutil.which("npm"), reason="npm is not installed")
def test_the_openai_client_for_javascript_works_whole_and_streamed(guarded, tmp_path):
    (tmp_path / "ask.mjs").write_text(SCRIPT)
    (tmp_path / "package.json").write_text('{"private": true}')
    install = ["npm", "install", "--no-audit", "--no-fund", "--silent", "openai@^7"]
    subprocess.run(install, cwd=tmp_path, timeout=180, check=True)
    ran = subprocess.run(
        ["node", "ask.mjs", guarded], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    found = json.loads(ran.stdout)
    assert found["whole"] == "hello from node"
    assert found["restored"] == "Where is ORD-12345678?"
    assert found["older"] == "ORD-12345678 and so on."
    assert (found["embedded"], found["code"]) == (2, "content_filter")
    assert found["response"] == "Where is ORD-12345678?"
    assert (found["finish"], found["status"]) == ("content_filter", "content_filter")
    assert found["events"].endswith("I only speak of our own products.")
    assert "Acme" not in found["streamed"] + found["events"]
    assert found["streamed"].endswith("I only speak of our own products.")
