"""The hot path: measure, decide, act, record; sync and async alike."""

from random import Random

import pytest

from guard.errors import Blocked, NoPolicy
from guard.guard import Guard
from guard.metrics import Cost, Metric, Score, Turn
from guard.policies import PolicySet
from guard.store.event import Event
from tests.fakes import SORRY, broken, fixed, guard_of, override, policy_of, redact, rule, slow, spotting

RIVALS = spotting("rivals", "Acme|Globex")
EMAIL = spotting("email", r"\w+@\w+\.org")


def test_a_text_that_triggers_is_not_allowed_and_the_reply_is_the_policys():
    guard, events = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    verdict = guard.check("Is Acme better?")
    assert not verdict.allowed
    assert verdict.text == verdict.reply == SORRY
    assert "rivals" in verdict.why
    assert [(event.status, event.ruleset) for event in events] == [("triggered", "override")]


def test_a_text_that_passes_goes_on_as_it_was():
    guard, events = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    verdict = guard.check("Is it raining?")
    assert verdict.allowed
    assert verdict.text == "Is it raining?"
    assert [event.status for event in events] == ["not_triggered"]


def test_redacted_text_goes_on_without_what_was_found_the_same_value_by_the_same_name():
    guard, _ = guard_of(policy_of(EMAIL, input=[redact("email")]))
    verdict = guard.check(
        [{"role": "user", "content": "a@x.org, b@x.org"}, {"role": "user", "content": "a@x.org again"}]
    )
    assert verdict.turn.passages("input") == ("[EMAIL_1], [EMAIL_2]", "[EMAIL_1] again")


def test_what_triggers_but_has_no_place_in_the_text_cannot_be_redacted_and_is_not_passed_on():
    guard, _ = guard_of(policy_of(fixed("mood", ["sour"]), input=[redact("mood")]))
    assert not guard.check("hello").allowed


@pytest.mark.parametrize("metric", [broken("bad"), slow("bad", 5)])
def test_a_metric_that_fails_or_is_late_blocks_by_default(metric):
    policy = policy_of(metric, input=[override(rule("bad", "gt", 0.5))], settings={"timeout": "50ms"})
    guard, events = guard_of(policy)
    verdict = guard.check("hello")
    assert not verdict.allowed
    assert verdict.reply == policy.stage("input").refusal
    assert events[0].status in ("failed", "timeout")


def test_on_failure_allow_lets_the_text_pass_and_the_event_still_says_so():
    settings = {"on_failure": "allow"}
    guard, events = guard_of(policy_of(broken("bad"), input=[override(rule("bad", "gt", 0.5))], settings=settings))
    assert guard.check("hello").allowed
    assert events[0].status == "failed"


def test_a_stage_that_the_policy_lacks_is_skipped_and_said_to_be():
    guard, events = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    assert guard.check("Acme", "output").allowed
    assert events[0].status == "skipped"


def test_a_turn_that_no_policy_applies_to_is_refused():
    with pytest.raises(NoPolicy):
        Guard(PolicySet(())).check("hello")


def test_blocked_carries_the_decision_and_the_text():
    guard, _ = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    with pytest.raises(Blocked) as raised:
        guard.check("Acme").raise_if_blocked()
    assert raised.value.text == SORRY
    assert raised.value.decision.ruleset.name == "override"


def test_the_choice_among_answers_repeats_for_the_same_seed():
    ruleset = override("rivals")
    ruleset["action"]["choices"] = [str(number) for number in range(20)]
    policy = policy_of(RIVALS, input=[ruleset])

    def answers(seed):
        guard = Guard(policy, random=Random(seed))
        return [guard.check("Acme").reply for _ in range(10)]

    assert answers(1) == answers(1)
    assert len(set(answers(1))) > 1


def test_a_dear_metric_is_not_run_when_it_can_change_nothing_unless_everything_is_recorded():
    calls = []

    def dear(turn, side):
        calls.append(side)
        return Score(1.0)

    metrics = (RIVALS, Metric("dear", dear, cost=Cost.REMOTE))
    policy = policy_of(*metrics, input=[override("rivals", rule("dear", "gt", 0.5))])
    Guard(policy).check("nothing of note")
    assert calls == []
    Guard(policy, measure_all=True).check("nothing of note")
    assert calls == ["input"]


async def test_the_async_core_and_its_sync_face_say_the_same_even_inside_a_running_loop():
    guard, _ = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    assert (await guard.acheck("Acme")).reply == guard.check("Acme").reply == SORRY


def test_labels_of_the_caller_reach_metrics_and_events():
    seen = []

    def who(turn, side):
        seen.append(dict(turn.labels))
        return Score(0.0)

    guard, events = guard_of(policy_of(Metric("who", who), input=[override(rule("who", "gt", 1))]))
    guard.check("hello", app="shop", user="u1")
    assert seen == [{"app": "shop", "user": "u1"}]
    assert (events[0].app, events[0].labels["user"]) == ("shop", "u1")


async def test_all_checks_of_an_exchange_share_its_request_and_its_placeholders():
    guard, events = guard_of(policy_of(EMAIL, input=[redact("email", restore=True)], output=[redact("email")]))
    exchange = guard.exchange(app="shop")
    first = await exchange.check(Turn.of("write to a@x.org"), "input")
    second = await exchange.check(Turn.of("wrote to [EMAIL_1] and b@x.org", "output"), "output")
    assert first.text == "write to [EMAIL_1]"
    assert second.text == "wrote to [EMAIL_1] and [EMAIL_2]"
    assert exchange.placeholders.restore(second.text) == "wrote to a@x.org and [EMAIL_2]"
    assert len({event.request for event in events}) == 1


def test_subscribers_are_told_of_the_statuses_they_wait_for():
    class Told:
        def __init__(self):
            self.bodies = []

        def tell(self, subscriptions, make, characters):
            self.bodies.append((str(subscriptions[0].url), make()))

    ruleset = override("rivals")
    ruleset["action"]["subscriptions"] = [{"url": "http://127.0.0.1:9/hook", "statuses": ["triggered"]}]
    told = Told()
    guard = Guard(policy_of(RIVALS, input=[ruleset]), notifier=told)
    guard.check("nothing")
    guard.check("Acme")
    ((url, event),) = told.bodies
    assert url == "http://127.0.0.1:9/hook"
    assert (event.status, event.ruleset) == ("triggered", "override")


def test_an_event_can_be_decided_again():
    guard, events = guard_of(policy_of(RIVALS, input=[override("rivals")]))
    guard.check("Acme")
    again = Event.from_json(events[0].to_json())
    assert again == events[0]
    assert again.measurements() == events[0].measurements()


async def test_what_was_put_back_into_earlier_answers_is_taken_out_of_them_again():
    guard, _ = guard_of(policy_of(EMAIL, input=[redact("email", restore=True)]))
    said = [
        {"role": "user", "content": "write to a@x.org"},
        {"role": "assistant", "content": "I wrote to a@x.org, not to aa@x.org"},
        {"role": "user", "content": "thanks"},
    ]
    verdict = await guard.acheck(said)
    assert [message.parts[0] for message in verdict.turn.messages] == [
        "write to [EMAIL_1]",
        "I wrote to [EMAIL_1], not to aa@x.org",
        "thanks",
    ]
