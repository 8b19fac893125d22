"""Rules can ask whose turn it is."""

import pytest

from guard.metrics import Score, Turn
from guard.metrics.label import Label
from guard.metrics.registry import REGISTRY
from guard.policies import load_policies
from guard.stream import HoldBack
from tests.fakes import guard_of, override, policy_of, rule, spotting


@pytest.mark.parametrize("name", ["app", "user", "session", "model"])
def test_what_a_label_says_is_measured_under_its_name(name):
    metric = REGISTRY[name]
    assert metric.measure(Turn.of("hello", **{name: "bob"}), "input") == Score("bob")
    assert metric.measure(Turn.of("hello"), "output") == Score("")


def test_a_policy_can_read_any_label(tmp_path):
    named = Label(label="team").make("group", tmp_path)
    assert named.measure(Turn.of("hello", team="blue"), "input") == Score("blue")
    assert Label().make("team", tmp_path).measure(Turn.of("hello", team="blue"), "input") == Score("blue")


async def test_a_ruleset_holds_for_some_users_only(tmp_path):
    file = tmp_path / "policy.yaml"
    file.write_text("""
policy: test
stages:
  input:
    rulesets:
      - name: shouting
        rules:
          - {metric: user, operator: any, target_value: [mallory]}
          - {metric: char_count, operator: gt, target_value: 3}
        action: {type: override, choices: [Not you.]}
""")
    guard, _ = guard_of(load_policies(str(file)).select())
    assert (await guard.acheck("hello", user="mallory")).text == "Not you."
    assert (await guard.acheck("hello", user="alice")).allowed
    assert (await guard.acheck("hello")).allowed


@pytest.mark.parametrize("operator", ["any", "eq", "neq"])
async def test_a_rule_on_a_label_holds_no_stream_up(operator, tmp_path):
    target = ["mallory"] if operator == "any" else "mallory" if operator == "eq" else "alice"
    user, bad = Label(label="user").make("user", tmp_path), spotting("bad", "evil")
    policy = policy_of(user, bad, output=[override(rule("user", operator, target), "bad")])
    said = {}
    for name in ("mallory", "alice"):
        guard, events = guard_of(policy)
        stream = hold_back(guard, user=name)
        said[name] = [await stream.feed("word " * 100), await stream.feed("evil "), await stream.finish()]
        assert stream.ended is not None
        assert len(events) == 1
    assert said["mallory"][0].startswith("word word")
    assert "evil" not in "".join(said["mallory"])
    assert "".join(said["alice"]) == "word " * 100 + "evil "


def hold_back(guard, **labels):
    exchange = guard.exchange(**labels)
    return HoldBack(exchange, Turn(labels=exchange.labels), window=100, overlap=20)
