"""A model that really generates, token by token, behind `guard serve`, with the official openai client before it."""

from itertools import pairwise

import openai
import pytest

from tests.clients.generating import generating, make_model
from tests.test_serve import serving

pytestmark = pytest.mark.slow

POLICY = """
policy: words
metrics:
  stop: {{kind: keywords, words: [{stop}]}}
  hide: {{kind: keywords, words: [{hide}]}}
stages:
  output:
    rulesets:
      - name: stop
        rules: [{{metric: stop, operator: not_empty}}]
        action: {{type: override, choices: [Enough.]}}
      - name: hide
        rules: [{{metric: hide, operator: not_empty}}]
        action: {{type: redact, mask: stars}}
"""


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """The base URL of the server, and the model's name there."""
    folder = tmp_path_factory.mktemp("model")
    make_model(folder)
    with generating(folder) as url:
        yield url, str(folder)


def said(url, model, *, stream):
    """What is generated, how it ended, and in how many pieces it came."""
    asked = {"model": model, "messages": [{"role": "user", "content": "red green blue"}], "max_tokens": 120}
    with openai.OpenAI(base_url=url, api_key="k", max_retries=0, timeout=120) as client:
        if not stream:
            choice = client.chat.completions.create(**asked).choices[0]
            return choice.message.content, choice.finish_reason, 1
        chunks = [one.choices[0] for one in client.chat.completions.create(**asked, stream=True) if one.choices]
    pieces = [one.delta.content for one in chunks if one.delta.content]
    return "".join(pieces), chunks[-1].finish_reason, len(pieces)


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_model_generates_comes_through_redacted_or_stopped(model, stream, tmp_path):
    url, name = model
    text, finish, _ = said(url, name, stream=False)
    words = text.split()
    # Of what it really says: a word that comes early, and two words that come together only later.
    hide = words[0]
    stop = next(f"{one} {other}" for one, other in pairwise(words[60:]) if hide not in (one, other))
    policy = POLICY.format(stop="nothing", hide=hide)
    with serving(tmp_path, "--upstream", url, policy=policy) as (_, guard):
        got, ended, pieces = said(f"{guard}/v1", name, stream=stream)
        assert got.split() == ["*" * len(hide) if word == hide else word for word in words]
        assert ended == finish
        assert pieces > 20 or not stream
        (tmp_path / "policy.yaml").write_text(POLICY.format(stop=stop, hide=hide))
    with serving(tmp_path, "--upstream", url) as (_, guard):
        got, ended, _ = said(f"{guard}/v1", name, stream=stream)
        assert got.endswith("Enough.")
        assert (stop in got, hide in got.split(), ended) == (False, False, "content_filter")
        assert stream == got.startswith("*")
