"""What no metric can read: rules ask for it by kind."""

import pytest

from guard.guard import Guard
from guard.metrics import Message, Turn
from guard.metrics.registry import REGISTRY
from tests.fakes import SORRY, override, policy_of, rule

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
FILE = {"type": "file", "file": {"file_id": "f"}}


def turn(*parts):
    return Turn.of([{"role": "user", "content": list(parts)}])


def test_it_gives_each_kind_once():
    score = REGISTRY["unread"].measure(turn(IMAGE, FILE, IMAGE, {"type": "hologram"}), "input")
    assert score.value == ("image", "file", "other")
    assert REGISTRY["unread"].measure(Turn((Message("user", ("hello",)),)), "input").value == ()


@pytest.mark.parametrize(("part", "reply"), [(IMAGE, None), (FILE, SORRY)])
@pytest.mark.parametrize("text", [(), ({"type": "text", "text": "hello"},)])
async def test_a_rule_refuses_some_kinds_and_lets_others_pass_with_and_without_a_text(part, reply, text):
    policy = policy_of(REGISTRY["unread"], input=[override(rule("unread", "any", ["file", "audio"]))])
    verdict = await Guard(policy).acheck(turn(part, *text))
    assert verdict.reply == reply
    exchange = Guard(policy).exchange()
    _, refused = await exchange.check_each(turn(part, *text), ("input",))
    assert (refused.reply if refused else None) == reply
    assert len(exchange.verdicts) == 1
