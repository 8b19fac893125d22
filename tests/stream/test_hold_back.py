from __future__ import annotations

import json
import re
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.guard import Exchange
from guard.metrics import Failure, Measurement, Metric, Probe, Score, Side, Span, ToolCall, Turn
from guard.metrics.registry import Registry
from guard.policies import LoadedPolicy
from guard.stages import Redact, Status
from guard.store.event import Event
from guard.stream import HoldBack
from tests.fakes import SORRY, broken, counting, fixed, guard_of, override, policy_of, redact, rule, spotting, waiting

WINDOW, OVERLAP = 40, 12
PII = spotting("pii", {"email": r"\b\w{1,5}@x\.io", "phone": r"\b555-\d{4}\b"})
BAD = spotting("bad", r"\bbomb\b")
RUDE = spotting("rude", r"\brude\b")
FILLER = "the quick brown fox jumps over the lazy dog "
REFUSAL = "This could not be checked, so it was not answered. Please try again."

#: Policies of every shape whose windows can be put together.
SHAPES: dict[str, LoadedPolicy] = {
    "override": policy_of(BAD, output=[override("bad")]),
    "redact": policy_of(PII, output=[redact("pii")]),
    "redact one label": policy_of(PII, output=[redact(rule("pii", "any", ["email"]))]),
    "redact all of two": policy_of(PII, output=[redact(rule("pii", "all", ["email", "phone"]))]),
    "redact before override": policy_of(PII, BAD, output=[redact("pii"), override("bad")]),
    "override before redact": policy_of(PII, BAD, output=[override("bad"), redact("pii")]),
    "two conditions": policy_of(BAD, RUDE, output=[override("bad", "rude")]),
    "redact on a condition": policy_of(PII, RUDE, output=[redact("pii", "rude")]),
    "two redactions": policy_of(PII, RUDE, output=[redact("pii"), redact("rude", name="words", mask="stars")]),
}
WORDS = st.sampled_from(["a", "word", "bomb", "bomber", "rude", "jo@x.io", "al@x.io", "555-1234", "[", "é\ud800", "\0"])
#: The machine may be busy, and no claim here is about time.
some = settings(max_examples=40)
TEXTS = st.lists(WORDS, max_size=80).map(" ".join)


class Held:
    """A hold-back, the exchange it belongs to and the events that it records."""

    def __init__(self, policy: LoadedPolicy, turn: Turn | None = None, kind: Side = "output", **sizes: int) -> None:
        guard, self.events = guard_of(policy, random=Random(0))
        self.exchange: Exchange = guard.exchange()
        self.back = HoldBack(self.exchange, turn or Turn(), kind, **{"window": WINDOW, "overlap": OVERLAP, **sizes})

    async def through(self, *chunks: str) -> str:
        return "".join([*[await self.back.feed(chunk) for chunk in chunks], await self.back.finish()])

    @property
    def reply(self) -> str | None:
        assert self.back.ended is not None
        return self.back.ended.reply

    @property
    def event(self) -> Event:
        [event] = self.events
        return event


def cut(text: str, sizes: list[int]) -> list[str]:
    """The text in pieces of these sizes, over and over."""
    pieces, at = [], 0
    while at < len(text):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(text[at : at + size])
        at += size
    return pieces


@pytest.mark.parametrize("shape", SHAPES)
@some
@given(text=TEXTS, sizes=st.lists(st.integers(1, 60), min_size=1, max_size=5))
async def test_where_chunks_end_changes_neither_what_goes_out_nor_the_decision(shape, text: str, sizes: list[int]):
    pieces, one = Held(SHAPES[shape]), Held(SHAPES[shape])
    assert await pieces.through(*cut(text, sizes)) == await one.through(text)
    assert pieces.reply == one.reply
    assert pieces.event.outcomes == one.event.outcomes


@pytest.mark.parametrize("shape", sorted(SHAPES.keys() - {"redact before override"}))
@some
@given(text=TEXTS)
async def test_a_stream_comes_to_what_the_whole_text_would_and_up_to_a_block_gives_nothing_away(shape, text: str):
    held = Held(SHAPES[shape])
    out = await held.through(*cut(text, [7]))
    whole = await guard_of(SHAPES[shape])[0].exchange().check(Turn(output=(text,)), "output")
    assert held.reply == whole.reply
    if whole.reply is None:
        assert out == whole.turn.output[0]
        return
    before = await guard_of(SHAPES["redact"])[0].exchange().check(Turn(output=(text,)), "output")
    whole = before.turn.output[0] if shape == "override before redact" else text
    assert whole.startswith(out)
    # Looked for in the whole: what went out may end inside a longer word.
    covered = re.finditer(r"\bbomb\b|\brude\b" if shape == "two conditions" else r"\bbomb\b", whole)
    assert all(match.start() >= len(out) for match in covered)


@pytest.mark.parametrize("shape", ["redact", "override before redact", "redact before override"])
@some
@given(text=TEXTS)
async def test_nothing_that_is_redacted_goes_out_not_even_its_beginning(shape, text: str):
    assert not re.search(r"\b(jo|al|jo@.*|al@.*|555.*)\b", await Held(SHAPES[shape]).through(*text))


@pytest.mark.parametrize("sizes", [[1], [480], [10_000_000]])
async def test_no_character_is_read_more_than_twice(sizes: list[int]):
    read: list[int] = []

    def measure(turn: Turn, side: Side) -> Score:
        read.append(len(turn.output[0]))
        return Score(0.0)

    policy = policy_of(Metric("m", measure, windowed=True), output=[override(rule("m", "gt", 0.5))])
    text = (FILLER * 300)[:10_000]
    for written in (text, text.replace(" ", "")):
        read.clear()
        held = Held(policy, window=480, overlap=120)
        assert await held.through(*cut(written, sizes)) == written
        assert len(written) <= sum(read) <= 2 * len(written)


async def test_who_waits_for_an_answer_sees_its_beginning_after_less_than_half_a_window():
    held = Held(SHAPES["override"], window=480, overlap=120)
    assert await held.back.feed("x" * 159) == ""
    assert await held.back.feed("x") == "x" * 40


@pytest.mark.parametrize("shape", sorted(SHAPES))
async def test_the_cost_is_linear_a_hundred_times_the_text_is_a_hundred_times_the_reading(shape):
    read: list[int] = []

    def counted(metric: Metric) -> Metric:
        def measure(turn: Turn, side: Side) -> Measurement:
            read.append(len(turn.output[0]))
            return metric.measure(turn, side)  # type: ignore[return-value]

        return replace(metric, measure=measure)

    own = SHAPES[shape].own
    policy = replace(SHAPES[shape], metrics=Registry({}).child({name: counted(one) for name, one in own.items()}))
    costs = []
    for length in (2_000, 200_000):
        read.clear()
        await Held(policy, window=480, overlap=120).through(*cut((FILLER * 5_000)[:length], [7]))
        costs.append(sum(read))
    assert 80 <= costs[1] / costs[0] <= 120


async def test_a_text_that_something_else_interrupts_is_read_to_where_it_is_and_goes_out():
    held = Held(SHAPES["redact"])
    assert await held.back.feed("mail jo@x.io") == ""
    assert await held.back.pause() == "mail [EMAIL_1]"
    assert await held.through(" or al@x.io") == " or [EMAIL_2]"
    assert held.event.status == "triggered"


async def test_what_an_interrupted_text_covers_blocks_when_it_is_completed_behind():
    held = Held(policy_of(spotting("m", "tick tock"), output=[override("m")]))
    await held.back.feed("tick ")
    await held.back.pause()
    assert "tock" not in await held.through("tock")
    assert held.reply == SORRY


async def test_an_interrupted_text_that_triggers_blocks_there():
    held = Held(SHAPES["override"])
    await held.back.feed("a bomb")
    assert await held.back.pause() == ""
    assert held.reply == SORRY


async def test_a_text_that_must_be_seen_whole_is_not_let_out_by_an_interruption():
    held = Held(policy_of(BAD, settings={"stream": "whole"}, output=[override("bad")]))
    await held.back.feed("well")
    assert await held.back.pause() == ""


async def test_interrupting_without_end_does_not_make_reading_dear():
    read: list[int] = []

    def measure(turn: Turn, side: Side) -> Score:
        read.append(len(turn.output[0]))
        return Score(0.0)

    held = Held(policy_of(Metric("m", measure, windowed=True), output=[override(rule("m", "gt", 0.5))]))
    for _ in range(2_000):
        await held.back.feed("x")
        await held.back.pause()
    await held.back.finish()
    assert sum(read) <= 3 * 2_000


OBSERVED = policy_of(BAD, PII, settings={"stream": "observe"}, output=[override("bad"), redact("pii")])


async def test_an_observed_text_goes_out_at_once_and_what_is_found_is_recorded():
    held = Held(OBSERVED)
    assert await held.back.feed("a bomb for jo@x.io") == "a bomb for jo@x.io"
    assert held.events == []
    assert await held.back.finish() == ""
    assert held.reply is None
    assert [(outcome["mode"], outcome["status"]) for outcome in held.event.outcomes] == [("observe", "triggered")] * 2


async def test_an_observed_text_that_nobody_waited_for_is_recorded_as_not_read():
    held = Held(OBSERVED)
    await held.back.feed("a bomb")
    held.back.abandon()
    assert held.event.coverage["run"] == []
    assert [outcome["status"] for outcome in held.event.outcomes] == ["failed", "failed"]


async def test_text_goes_out_while_the_stream_is_still_running():
    held = Held(SHAPES["override"])
    assert await held.back.feed(FILLER[: WINDOW - 1]) == ""
    assert await held.back.feed(FILLER) != ""
    assert held.back.received == WINDOW - 1 + len(FILLER)
    assert 0 < held.back.released_to <= held.back.received - OVERLAP


async def test_a_block_ends_the_stream_and_what_comes_after_is_dropped():
    held = Held(SHAPES["override"])
    out = await held.through(FILLER, FILLER, "a bomb here ", FILLER, FILLER)
    assert FILLER.startswith(out[:20])
    assert "bomb" not in out
    assert held.reply == SORRY
    assert await held.back.feed("more") == ""
    assert await held.back.finish() == ""
    assert held.event.status == "triggered"
    assert held.event.ruleset == "override"


async def test_conditions_that_are_met_in_different_windows_block_as_in_the_whole_text():
    held = Held(SHAPES["two conditions"])
    out = await held.through("a bomb ", *[FILLER] * 5, "so rude ", FILLER)
    assert held.reply == SORRY
    assert "bomb" not in out


async def test_a_condition_that_is_met_only_later_redacts_what_stood_before_it():
    held = Held(SHAPES["redact on a condition"])
    text = "jo@x.io " + FILLER * 5 + "so rude " + FILLER
    assert await held.through(*text) == "[EMAIL_1] " + FILLER * 5 + "so [RUDE_1] " + FILLER


async def test_a_condition_that_is_never_met_lets_go_at_the_end():
    held = Held(SHAPES["redact on a condition"])
    text = "jo@x.io " + FILLER * 5
    assert await held.through(*text) == text


async def test_a_second_label_that_all_asks_for_redacts_the_first_too():
    held = Held(SHAPES["redact all of two"])
    out = await held.through("jo@x.io ", *[FILLER] * 5, "555-1234 ", FILLER)
    assert out == "[EMAIL_1] " + FILLER * 5 + "[PHONE_1] " + FILLER


async def test_a_value_gets_the_same_placeholder_in_every_window():
    held = Held(SHAPES["redact"])
    out = await held.through("jo@x.io ", FILLER, FILLER, "al@x.io and jo@x.io ", FILLER)
    assert out == f"[EMAIL_1] {FILLER}{FILLER}[EMAIL_2] and [EMAIL_1] {FILLER}"


@pytest.mark.parametrize(
    ("metric", "written", "stage"),
    [
        (counting("m", "fox"), rule("m", "gt", 90), {}),
        (fixed("m", 1.0), rule("m", "lt", 0.5), {}),
        (fixed("m", "de"), rule("m", "any", ["fr"]), {}),
        (fixed("m", 0.0), rule("m", "gt", 0.5, of="input"), {}),
        (fixed("m", 0.0), rule("m", "gt", 0.5), {"stream": "whole"}),
    ],
    ids=["not windowed", "a number that must be low", "one label", "another side", "as the stage says"],
)
async def test_all_is_held_where_windows_cannot_give_what_the_whole_text_would(metric: Metric, written, stage):
    held = Held(policy_of(metric, settings=stage, output=[override(written)]))
    assert await held.back.feed(FILLER * 10) == ""
    assert await held.back.finish() == FILLER * 10


async def test_a_text_held_whole_is_redacted_and_blocked_like_any_other():
    policy = policy_of(PII, BAD, settings={"stream": "whole"}, output=[override("bad"), redact("pii")])
    assert await Held(policy).through(FILLER, "jo@x", ".io") == f"{FILLER}[EMAIL_1]"
    blocked = Held(policy)
    assert await blocked.through(FILLER, "bo", "mb") == ""
    assert blocked.reply == SORRY


async def test_what_is_only_observed_is_measured_on_the_whole_text_and_holds_nothing_up():
    observed = override(rule("foxes", "eq", 5), name="foxes", mode="observe")
    held = Held(policy_of(BAD, counting("foxes", "fox"), output=[observed, override("bad")]))
    assert await held.back.feed(FILLER * 5) != ""
    await held.back.finish()
    assert held.reply is None
    assert held.event.outcomes[0]["status"] == "triggered"


async def test_what_is_observed_is_measured_when_the_stream_is_blocked_too():
    observed = override(rule("foxes", "gte", 1), name="foxes", mode="observe")
    held = Held(policy_of(BAD, counting("foxes", "fox"), output=[observed, override("bad")]))
    await held.through(FILLER, "bomb ", FILLER)
    assert [outcome["status"] for outcome in held.event.outcomes] == ["triggered", "triggered"]


async def test_a_dear_observed_metric_is_left_out_where_a_cheap_one_has_settled_its_ruleset():
    observed = override("bad", rule("foxes", "gt", 0), name="foxes", mode="observe")
    policy = policy_of(BAD, counting("foxes", "fox", cost=2), output=[observed])
    held = Held(policy)
    await held.through(FILLER * 5)
    assert held.event.coverage["skipped"] == ["foxes"]


OF_TURN = replace(fixed("who", "ada"), of_turn=True)


async def test_where_only_whose_turn_it_is_counts_nothing_is_held():
    held = Held(policy_of(OF_TURN, output=[override(rule("who", "eq", "eve"))]))
    assert [await held.back.feed(piece) for piece in ("", "a", "b", FILLER)] == ["", "a", "b", FILLER]
    assert await held.back.finish() == ""
    assert held.event.status == "not_triggered"


async def test_where_only_whose_turn_it_is_counts_and_it_is_refused_nothing_goes_out():
    held = Held(policy_of(OF_TURN, output=[override(rule("who", "eq", "ada"))]))
    assert await held.through("a", FILLER) == ""
    assert held.reply == SORRY


async def test_a_window_that_could_not_be_read_blocks():
    held = Held(policy_of(broken("m", on="bomb"), output=[override(rule("m", "gt", 0.5))]))
    out = await held.through(FILLER, FILLER, "a bomb here ", FILLER)
    assert "bomb" not in out
    assert held.reply == REFUSAL
    assert held.event.status == "failed"


async def test_a_window_that_was_read_late_blocks():
    held = Held(policy_of(waiting("m"), settings={"timeout": "10ms"}, output=[override(rule("m", "gt", 0.5))]))
    held.back._turn = Turn(documents=("x" * 5_000,))
    assert await held.through(FILLER, FILLER) == ""
    assert held.event.status == "timeout"


async def test_under_allow_a_window_that_could_not_be_read_passes_and_the_event_says_so():
    policy = policy_of(
        broken("m", on="bomb"), settings={"on_failure": "allow"}, output=[override(rule("m", "gt", 0.5))]
    )
    held = Held(policy)
    text = f"{FILLER}a bomb here {FILLER}{FILLER}"
    assert await held.through(*text) == text
    assert held.event.status == "failed"
    assert held.event.coverage["failed"] == ["m"]


async def test_under_allow_what_one_window_shows_counts_although_another_could_not_be_read():
    def measure(turn: Turn, side: Side) -> Score | Failure:
        text = turn.output[0]
        return Failure("torn") if "fox" in text else Score(float("bomb" in text))

    policy = policy_of(
        Metric("m", measure, windowed=True), settings={"on_failure": "allow"}, output=[override(rule("m", "gt", 0.5))]
    )
    held = Held(policy)
    await held.through(FILLER, FILLER, "." * 60, " bomb ", "." * 60)
    assert held.reply == SORRY
    assert held.event.status == "triggered"


async def test_under_block_a_redaction_does_not_make_up_for_a_window_that_could_not_be_read():
    def measure(turn: Turn, side: Side) -> Measurement:
        return Failure("torn") if "fox" in turn.output[0] else PII.measure(turn, side)  # type: ignore[return-value]

    held = Held(policy_of(Metric("pii", measure, kind="labels", windowed=True), output=[redact("pii")]))
    await held.through("jo@x.io ", "." * 40, f" {FILLER}")
    assert held.reply == REFUSAL


async def test_windows_that_give_values_of_different_kinds_fail():
    def measure(turn: Turn, side: Side) -> Score:
        return Score(("odd",), ("odd",)) if "fox" in turn.output[0] else Score(0.0)

    held = Held(policy_of(Metric("m", measure, windowed=True), output=[override(rule("m", "gt", 0.5))]))
    await held.through("." * 60, FILLER, FILLER)
    assert held.event.status == "failed"


async def test_what_is_to_be_redacted_but_has_no_place_blocks():
    held = Held(policy_of(fixed("m", ["secret"]), output=[redact("m")]))
    assert await held.through(FILLER, FILLER) == ""
    assert held.reply == REFUSAL


@pytest.mark.parametrize(
    "span", [Span(5, 5, "odd"), Span(90, 99, "odd"), Span(7, 3, "odd"), Span(0, 4, "odd", passage=1)]
)
async def test_a_place_that_is_none_blocks(span: Span):
    metric = Metric("m", lambda turn, side: Score(("odd",), ("odd",), (span,)), kind="labels", windowed=True)
    held = Held(policy_of(metric, output=[redact("m")]))
    assert await held.through(FILLER, FILLER) == ""
    assert held.reply == REFUSAL


async def test_a_find_that_goes_on_and_on_is_let_go_redacted():
    everything = spotting("m", r"(?s).+")
    held = Held(policy_of(everything, output=[redact("m")]))
    out = "".join([await held.back.feed("abcd " * 10) for _ in range(20)])
    assert out
    assert not re.search(r"abcd", out + await held.back.finish())


@pytest.mark.parametrize("stage", [{"paused": True}, {}])
async def test_a_stage_that_asks_for_nothing_lets_everything_through_at_once(stage):
    rulesets = [override("bad")] if stage else []
    held = Held(policy_of(BAD, settings=stage, output=rulesets))
    assert await held.back.feed("a bomb") == "a bomb"
    assert await held.back.finish() == ""
    assert held.event.status == ("paused" if stage else "skipped")


async def test_without_a_stage_everything_passes_and_nothing_is_recorded():
    held = Held(policy_of(BAD, input=[override("bad")]))
    assert await held.back.feed("a bomb") == "a bomb"
    assert await held.back.finish() == ""
    assert held.back.ended is None
    assert held.events == []


async def test_an_empty_stream_is_decided_too():
    held = Held(policy_of(fixed("m", 1.0), output=[override(rule("m", "gt", 0.5))]))
    assert await held.through() == ""
    assert held.reply == SORRY


def with_restorable(held: Held, *values: str) -> None:
    for value in values:
        held.exchange.placeholders.of(value, "email", Redact(type="redact", restore=True))


@pytest.mark.parametrize("policy", [policy_of(), SHAPES["override"]], ids=["no stage", "a stage"])
@some
@given(sizes=st.lists(st.integers(1, 60), min_size=1, max_size=4), before=st.integers(0, 60))
async def test_placeholders_of_the_input_are_restored_wherever_the_chunks_end(policy, sizes: list[int], before: int):
    held = Held(policy)
    with_restorable(held, "jo@x.io", "al@x.io")
    head = (FILLER * 2)[:before]
    text = head + "[EMAIL_1], [EMAIL_2]; [EMAIL_3] [[EMAIL_1]] [EMAIL_" + FILLER
    out = await held.through(*cut(text, sizes))
    assert out == head + "jo@x.io, al@x.io; [EMAIL_3] [jo@x.io] [EMAIL_" + FILLER


async def test_an_unfinished_placeholder_waits_and_comes_out_at_the_end_as_it_is():
    held = Held(policy_of())
    with_restorable(held, "jo@x.io")
    assert await held.back.feed("see [EMAIL") == "see "
    assert await held.back.feed("_") == ""
    assert await held.back.finish() == "[EMAIL_"


async def test_a_bracket_that_begins_no_placeholder_does_not_wait():
    held = Held(policy_of())
    with_restorable(held, "jo@x.io")
    assert await held.back.feed("see [1]") == "see [1]"
    assert await held.back.feed(" [x") == " [x"


@pytest.mark.parametrize(("pattern", "left"), [(r"\[\w+\]", "*********!"), (r"MAIL_1\]!", "[E********")])
async def test_a_placeholder_that_is_redacted_itself_is_not_restored(pattern: str, left: str):
    held = Held(policy_of(spotting("tags", pattern), output=[redact("tags", mask="stars")]))
    with_restorable(held, "jo@x.io")
    assert await held.through("see [EMAIL_1]! ", FILLER, FILLER) == f"see {left} {FILLER}{FILLER}"


async def test_what_looks_like_a_placeholder_already_is_not_given_to_another_value():
    text = f" is jo@x.io {FILLER}{FILLER}"
    assert await Held(SHAPES["redact"]).through("[EMAIL_1]", text) == "[EMAIL_1]" + text.replace("jo@x.io", "[EMAIL_2]")


async def test_what_a_redaction_puts_in_is_not_taken_for_a_placeholder_of_the_input():
    held = Held(policy_of(PII, output=[redact("pii")]))
    with_restorable(held, "ann@x.io")
    assert await held.through("[EMAIL_1] or jo@x.io") == "ann@x.io or [EMAIL_2]"


async def test_a_restored_value_is_escaped_in_the_arguments_of_a_tool_call():
    held = Held(policy_of(BAD, tool_call=[override("bad")]), Turn(tool_calls=(ToolCall("mail", ""),)), "tool_call")
    with_restorable(held, 'say "hi"\n')
    out = await held.through('{"to": "[EMA', 'IL_1]"}')
    assert json.loads(out) == {"to": 'say "hi"\n'}


async def test_every_part_of_the_released_text_can_be_had_on_its_own():
    held = Held(SHAPES["redact"])
    await held.through("x jo@x.io y")
    assert held.back.edited(0, 11) == "x [EMAIL_1] y"
    assert [held.back.edited(at, at + 1) for at in range(11)] == ["x", " ", "[EMAIL_1]", *[""] * 6, " ", "y"]


async def test_the_other_sides_of_the_turn_are_there_for_the_metrics():
    def measure(turn: Turn, side: Side) -> Score:
        return Score(float(turn.documents == ("doc",)))

    held = Held(
        policy_of(Metric("m", measure, windowed=True), output=[override(rule("m", "gt", 0.5))]),
        Turn(documents=("doc",)),
    )
    await held.through(FILLER)
    assert held.reply == SORRY


async def test_the_event_holds_every_place_once_in_the_whole_text():
    held = Held(SHAPES["redact"])
    await held.through(f"{FILLER}jo@x.io {FILLER}", f"{FILLER}jo@x.io {FILLER}")
    assert held.back.ended is not None
    score = held.back.ended.decision.measurements[Probe("pii", "output")]
    assert isinstance(score, Score)
    assert [(span.start, span.end) for span in score.spans] == [(44, 51), (140, 147)]
    assert held.back.ended.decision.status == Status.TRIGGERED


async def test_a_stream_that_nobody_waits_for_is_recorded_once_as_far_as_it_was_read():
    held = Held(SHAPES["redact"])
    await held.back.feed(f"jo@x.io {FILLER}")
    held.back.abandon()
    held.back.abandon()
    assert held.event.status == "triggered"
    assert OVERLAP < held.event.characters["output"] <= WINDOW


async def test_a_stream_of_which_nothing_went_out_leaves_no_trace():
    held = Held(SHAPES["redact"])
    await held.back.feed("jo@x.io")
    held.back.abandon()
    assert held.events == []


def test_windows_that_would_not_move_on_are_refused():
    with pytest.raises(ValueError, match="overlap by less"):
        Held(SHAPES["redact"], window=40, overlap=40)
