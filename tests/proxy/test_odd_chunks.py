"""Chunks of a stream that cannot be read to their end: nothing of them goes out."""

import pytest

from tests.fakes import ScriptedUpstream
from tests.proxy.conftest import POLICY, ask

DEEP: dict = {"content": "KEY-1"}
for _ in range(50):
    DEEP = {"deeper": DEEP}
CALLS = POLICY + "  tool_call: {rulesets: []}\n"


class Odd(ScriptedUpstream):
    """Streams chunks with these choices."""

    def __init__(self, *choices):
        super().__init__()
        self.choices = choices

    async def stream(self, path, body, headers):
        for choices in self.choices:
            yield self._chunk(choices)


@pytest.mark.parametrize(
    "choices",
    [
        [{"index": 0, "delta": {"content": "KEY-1", "more": DEEP}}],
        [{"index": 0, "delta": {"content": "fine"}}, {"index": None, "delta": {"content": "KEY-1"}}],
        [{"index": 0, "delta": {"content": "fine"}}, {"index": 1, "message": {"content": "KEY-1"}}],
        [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": {"a": "KEY-1"}}}]}}],
    ],
)
def test_a_chunk_that_cannot_be_read_does_not_go_out_and_what_came_before_it_does(client, choices):
    before = [{"index": 0, "delta": {"content": "hello"}}]
    said = ask(client(Odd(before, choices), policy=CALLS), "hello", stream=True).text
    assert "hello" in said
    assert "KEY-1" not in said
    assert "upstream_error" in said
    assert "[DONE]" not in said
