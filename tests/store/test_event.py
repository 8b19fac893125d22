"""An event holds what a decision was made from, so that it can be made again."""

from __future__ import annotations

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import SIDES, Failure, Probe, Score, Span, Turn
from guard.metrics.selector import Selector
from guard.metrics.turn import Message
from guard.stages import Stage, Status, decide
from guard.store import Event, Masker, new_id, time_of
from guard.store.recorded import SPAN_LIMIT

texts = st.text(st.characters(exclude_categories=[]), max_size=12)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
labels = st.lists(words, max_size=3, unique=True).map(tuple)
millis = st.floats(0, 1e6)
spans = st.lists(
    st.builds(Span, st.integers(0, 9), st.integers(0, 9), texts, st.floats(0, 1), st.integers(0, 2)), max_size=3
)
values = st.one_of(st.floats(allow_nan=False, allow_infinity=False), words, labels)
by_label = st.dictionaries(words, st.floats(0, 1), max_size=2)
scores = st.builds(Score, values, st.none() | labels, spans.map(tuple), texts, millis, texts, by_label)
failures = st.builds(Failure, texts, millis, st.booleans())
chosen = st.sampled_from([None, Selector(roles=("user",)), Selector(tool="search", path="$.query")])
probes = st.builds(Probe, st.sampled_from("abc"), st.sampled_from(SIDES), chosen)
rules = st.one_of(
    st.tuples(st.sampled_from(["gt", "lt", "gte", "lte", "eq", "neq"]), st.floats(-1, 2) | words),
    st.tuples(st.sampled_from(["all", "any"]), st.lists(words, max_size=3)),
    st.tuples(st.just("contains"), words),
    st.tuples(st.sampled_from(["empty", "not_empty"]), st.none()),
)


@st.composite
def stages(draw) -> Stage:
    rulesets = []
    for number in range(draw(st.integers(0, 4))):
        written = [
            {"metric": probe.metric, "of": probe.of, "only": probe.only, "operator": operator, "target_value": target}
            for probe, (operator, target) in draw(st.lists(st.tuples(probes, rules), min_size=1, max_size=3))
        ]
        action = draw(
            st.sampled_from([{"type": "passthrough"}, {"type": "override", "choices": ["no"]}, {"type": "redact"}])
        )
        mode = draw(st.sampled_from(["enforce", "observe"]))
        rulesets.append({"name": f"r{number}", "rules": written, "action": action, "mode": mode})
    on_failure = draw(st.sampled_from(["block", "allow"]))
    kind, paused = draw(st.sampled_from(SIDES)), draw(st.booleans())
    return Stage.model_validate(
        {"name": "s", "kind": kind, "rulesets": rulesets, "on_failure": on_failure, "paused": paused}
    )


@given(stages(), st.dictionaries(probes, scores | failures, max_size=6), texts)
def test_a_recorded_decision_is_made_again_from_its_event_alone(stage, measured, text):
    decision = decide(stage, measured)
    turn = Turn(messages=(Message("user", (text,)),), output=(text,))
    event = Event.of(decision, turn, policy="p", revision="r", request="q", millis=1.0)
    again = decide(stage, Event.from_json(event.to_json()).measurements())
    assert again.status == decision.status
    assert again.action == decision.action
    assert again.ruleset == decision.ruleset
    assert [outcome.status for outcome in again.outcomes] == [outcome.status for outcome in decision.outcomes]
    assert again.coverage == decision.coverage


def test_measurements_come_back_as_they_were(events):
    measured = events.measured | {
        Probe("judge", "output"): Failure("no answer", 12.5),
        Probe("slow", "input"): Failure("slow was late", 300.25, timed_out=True),
        Probe("tone", "input"): Score("calm", by_label={"calm": 0.75, "angry": 0.25}),
    }
    event = events.event(measured=measured)
    masked = {
        Probe("pii", "input"): Score(
            ("name", "email"), ("name", "email"), measured[Probe("pii", "input")].spans, "[NAME] is a name"
        )
    }
    assert Event.from_json(event.to_json()).measurements() == measured | masked


def test_an_event_says_what_was_decided_on_what_and_why(events):
    event = events.event(id=new_id(1_700_000_000.5), request="q1", project="shop", millis=2.34567)
    assert json.loads(event.to_json()) == {
        "id": event.id,
        "request": "q1",
        "at": pytest.approx(1_700_000_000.5),
        "project": "shop",
        "app": "shop",
        "policy": "support",
        "revision": "r1",
        "stage": "front",
        "kind": "input",
        "status": "triggered",
        "action": "redact",
        "ruleset": "hide personal data",
        "outcomes": [
            {
                "name": "injection",
                "mode": "enforce",
                "status": "not_triggered",
                "rules": [
                    {
                        "metric": "prompt_injection", "of": "input", "operator": "gte", "target_value": 0.9,
                        "status": "not_triggered",
                    }
                ],
            },
            {
                "name": "hide personal data",
                "mode": "enforce",
                "status": "triggered",
                "rules": [
                    {
                        "metric": "pii", "of": "input", "operator": "any", "target_value": ["email", "name"],
                        "status": "triggered",
                    }
                ],
            },
            {
                "name": "long",
                "mode": "observe",
                "status": "triggered",
                "rules": [
                    {"metric": "words", "of": "input", "operator": "gt", "target_value": 5, "status": "triggered"}
                ],
            },
        ],
        "measured": [
            {
                "metric": "prompt_injection", "of": "input", "value": 0.12, "labels": None, "spans": [], "reason": "",
                "millis": 3.25, "model": "ngrams",
            },
            {
                "metric": "pii", "of": "input", "value": ["name", "email"], "labels": ["name", "email"],
                "spans": [
                    {"start": 5, "end": 17, "label": "name", "score": 0.85, "passage": 0},
                    {"start": 28, "end": 43, "label": "email", "score": 1.0, "passage": 0},
                ],
                "reason": "[NAME] is a name", "millis": 0.0, "model": "",
            },
            {
                "metric": "words", "of": "input", "value": 8.0, "labels": None, "spans": [], "reason": "",
                "millis": 0.0, "model": "",
            },
        ],
        "coverage": {"run": ["prompt_injection", "pii", "words"], "skipped": [], "failed": [], "late": []},
        "characters": {"input": 50},
        "unread": {},
        "text": {"input": ["I am [NAME], write to [EMAIL] please"]},
        "labels": {"app": "shop", "user": "u1", "session": "s1"},
        "explanation": event.explanation,
        "millis": 2.346,
    }  # fmt: skip
    assert "hide personal data" in event.explanation
    assert "[NAME] is a name" in event.explanation


def test_coverage_names_the_side_where_it_is_not_the_stages_own(events):
    rules = [
        {"metric": "grounded", "of": "retrieval", "operator": "lt", "target_value": 1},
        {"metric": "tone", "operator": "eq", "target_value": "rude"},
        {"metric": "late", "operator": "gt", "target_value": 1},
    ]
    stage = Stage.model_validate({"name": "out", "kind": "output", "rulesets": [{"name": "r", "rules": rules}]})
    turn = Turn(messages=(Message("user", ("question",)),), output=("answer",), documents=("one", "three"))
    measured = {Probe("grounded", "retrieval"): Score(0.5), Probe("late", "output"): Failure("late", timed_out=True)}
    event = events.event(stage=stage, measured=measured, turn=turn)
    assert event.coverage == {"run": ["grounded@retrieval"], "skipped": ["tone"], "failed": [], "late": ["late"]}
    assert event.characters == {"retrieval": 8}
    assert event.text == {"output": ["answer"], "retrieval": ["one", "three"]}


def test_the_time_of_an_event_is_that_of_its_id(events):
    event = events.event(id=new_id(1_234.5))
    assert event.at == time_of(event.id) == pytest.approx(1_234.5)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_number_that_json_cannot_hold_comes_back_as_a_failure_not_as_nothing(events, value):
    event = events.event(measured={Probe("words", "input"): Score(value)})
    again = Event.from_json(event.to_json()).measurements()[Probe("words", "input")]
    assert isinstance(again, Failure)
    stage = Stage.model_validate(
        {
            "name": "s",
            "kind": "input",
            "rulesets": [{"name": "r", "rules": [{"metric": "words", "operator": "gt", "target_value": 1}]}],
        }
    )
    assert decide(stage, event.measurements()).status == Status.FAILED


def test_spans_beyond_the_limit_are_counted_and_still_masked(events):
    text = "Ada " * (SPAN_LIMIT + 20)
    found = tuple(Span(at * 4, at * 4 + 3, "name") for at in range(SPAN_LIMIT + 20))
    event = events.event(
        text=text, measured=events.measured | {Probe("pii", "input"): Score(("name",), ("name",), found)}
    )
    entry = next(entry for entry in event.measured if entry["metric"] == "pii")
    assert len(entry["spans"]) == SPAN_LIMIT
    assert entry["spans_more"] == 20
    assert "Ada" not in event.text["input"][0]


def test_fields_that_a_newer_guard_added_are_left_out(events):
    event = events.event()
    newer = orjson.loads(event.to_json()) | {"mood": "new"}
    newer["measured"][0] |= {"mood": "new"}
    newer["measured"][1]["spans"][0] |= {"mood": "new"}
    read = Event.from_json(orjson.dumps(newer))
    assert read.measurements() == event.measurements()
    assert read.explanation == event.explanation


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"{}", b'"id"', b'{"id": "x"}'])
def test_what_is_no_event_is_refused(data):
    with pytest.raises(ValueError, match="no event"):
        Event.from_json(data)


def test_no_text_is_kept_where_none_is_wanted(events):
    event = events.make()(masker=Masker("none"))
    assert event.text == {}
    assert "Ada" not in event.to_json().decode()
    assert event.characters == {"input": 50}


def test_all_text_is_kept_where_that_is_wanted(events):
    event = events.make()(masker=Masker("full"))
    assert event.text == {"input": [events.text]}
    assert "Ada Lovelace is a name" in event.explanation


@pytest.mark.parametrize("timed_out", [True, False])
def test_text_is_withheld_where_the_metric_that_finds_what_to_mask_failed(events, timed_out):
    blind = events.measured | {Probe("pii", "input"): Failure("broken", timed_out=timed_out)}
    event = events.event(measured=blind)
    assert event.text == {"input": ["[withheld: pii could not be measured, so this could not be masked]"]}
    assert events.make(measured=blind)(masker=Masker("full")).text == {"input": [events.text]}


@pytest.mark.parametrize(
    ("action", "operator", "target", "withheld"),
    [
        ("passthrough", "not_empty", None, True),
        ("passthrough", "gte", 0.5, False),
        ("redact", "gte", 0.5, True),
    ],
)
def test_text_is_withheld_for_rules_that_ask_for_labels_or_redact(events, action, operator, target, withheld):
    rule = {"metric": "names", "operator": operator, "target_value": target}
    ruleset = {"name": "r", "rules": [rule], "action": {"type": action}}
    stage = Stage.model_validate({"name": "s", "kind": "input", "rulesets": [ruleset]})
    event = events.event(stage=stage, measured={Probe("names", "input"): Failure("broken")}, text="Ada")
    assert (event.text["input"] != ["Ada"]) == withheld


def test_a_failed_metric_that_finds_nothing_to_mask_withholds_no_text(events):
    blind = events.measured | {Probe("prompt_injection", "input"): Failure("broken")}
    assert events.event(measured=blind).text == {"input": ["I am [NAME], write to [EMAIL] please"]}


def test_what_a_number_found_is_masked_once_it_is_redacted(events):
    written = {"name": "r", "rules": [{"metric": "toxic", "operator": "gte", "target_value": 0.5}]}
    measured = {Probe("toxic", "input"): Score(0.9, spans=(Span(0, 4, "insult"),))}
    for action, text in (({"type": "redact"}, "[INSULT] off"), ({"type": "passthrough"}, "darn off")):
        stage = Stage.model_validate({"name": "s", "kind": "input", "rulesets": [written | {"action": action}]})
        assert events.event(stage=stage, measured=measured, text="darn off").text == {"input": [text]}
