"""A rule may read only some of a side: what it reads then, what it finds there, and that doubt means all of it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import Cost, Message, Probe, Score, ToolCall, Turn
from guard.metrics import plan as plans
from guard.metrics.measure import measure
from guard.metrics.score import ABSENT
from guard.metrics.selection import select
from guard.metrics.selector import Selector
from guard.metrics.verdicts import Verdicts
from tests.fakes import broken, slow, spotting

SECRET = spotting("secret", "hunter2")


def calls(*named: tuple[str, str]) -> Turn:
    return Turn(tool_calls=tuple(ToolCall(name, arguments) for name, arguments in named))


def read(turn: Turn, side, **only) -> tuple[str, ...] | None:
    selection = select(turn, side, Selector(**only))
    return None if selection is None else selection.turn.passages(side)


def test_of_tool_calls_only_those_of_the_tool_are_read_and_only_what_stands_at_the_path():
    turn = calls(("search", '{"query": "a\\u00e9", "page": 2}'), ("mail_send", '{"query": "b"}'))
    assert read(turn, "tool_call", tool="search") == ('{"query": "a\\u00e9", "page": 2}',)
    assert read(turn, "tool_call", tool="search", path="$.query") == ("aé",)
    assert read(turn, "tool_call", tool="mail_*", path="$.query") == ("b",)
    assert read(turn, "tool_call", path="$.query") == ("aé", "b")
    assert read(turn, "tool_call", path="$.page") == ("2",)


def test_what_is_no_string_is_read_as_it_is_written_with_the_names_in_it():
    assert read(calls(("f", '{"a": {"hunter2" :1}}')), "tool_call", path="$.a") == ('{"hunter2" :1}',)


def test_of_tool_results_only_those_of_the_tool_are_read():
    turn = Turn((Message("tool", ('{"a": "x"}', "plain"), "search"), Message("tool", ("y",), "mail")))
    assert read(turn, "tool_result", tool="search", path="$.a") == ("x", "plain")
    assert read(turn, "tool_result", tool="mail") == ("y",)


def test_of_messages_only_those_of_the_roles_are_read():
    turn = Turn((Message("system", ("s",)), Message("user", ("u",))), reads=frozenset({"system"}))
    assert read(turn, "input", roles=["system"]) == ("s",)
    assert read(turn, "input", roles=["user"]) == ("u",)


def test_definitions_of_tools_are_chosen_like_a_role():
    tools = ({"function": {"name": "f", "description": "d"}},)
    turn = Turn((Message("user", ("u",)),), tools=tools, reads=frozenset({"tools"}))
    everything = turn.passages("input")
    assert read(turn, "input", roles=["tools"]) == everything[:-1] != ()
    assert read(turn, "input", roles=["user"]) == ("u",)
    assert read(turn, "input", roles=["user", "tools"]) == everything


def test_a_role_that_nobody_knows_counts_as_the_users():
    assert read(Turn((Message("usr", ("x",)),)), "input", roles=["user"]) == ("x",)


def test_of_documents_what_stands_at_the_path_is_read():
    assert read(Turn(documents=('{"body": "x"}', "plain")), "retrieval", path="$.body") == ("x", "plain")


@pytest.mark.parametrize(
    "arguments",
    [
        "hunter2",
        '{"query": "fine", "query": "hunter2"}',
        '"{\\"query\\": \\"hunter2\\"}"',
        '{"query": "fine", "x": "hunter2"',
        '{"query": "\\ud800", "x": "hunter2"}',
        '{"query": "fine", "x": ' + "[" * 100_000,
    ],
)
def test_arguments_that_the_path_cannot_be_followed_in_are_read_whole(arguments):
    assert read(calls(("search", arguments)), "tool_call", tool="search", path="$.query") == (arguments,)


def test_a_path_that_leads_to_more_than_the_whole_text_reads_the_whole_text():
    nested = '{"a":[[[["hunter2"]]]]}'
    assert read(calls(("f", nested)), "tool_call", path="$..*") == (nested,)


def test_a_tool_whose_name_is_not_known_is_read_whole():
    assert read(calls(("", '{"a": "x"}')), "tool_call", tool="search", path="$.a") == ('{"a": "x"}',)


def test_where_no_text_is_chosen_nothing_is_measured_and_that_is_no_failure():
    assert read(calls(("mail", "{}")), "tool_call", tool="search") is None


async def test_a_metric_that_has_nothing_to_read_is_not_asked():
    probe = Probe("broken", "tool_call", Selector(tool="search"))
    found = await measure([probe], calls(("mail", "{}")), {"broken": broken("broken")})
    assert found == {probe: ABSENT}


async def test_one_metric_on_all_and_on_a_part_of_a_side_gives_two_results():
    part, whole = Probe("secret", "tool_call", Selector(path="$.a")), Probe("secret", "tool_call")
    found = await measure([part, whole], calls(("f", '{"a": "x", "b": "hunter2"}')), {"secret": SECRET})
    assert (found[part].value, found[whole].value) == ((), ("secret",))


@given(st.text(max_size=6), st.text(max_size=6), st.booleans(), st.integers(0, 2))
async def test_what_is_found_is_placed_where_it_is_written(before, after, ascii_only, passages):
    said = f"{before}hunter2{after}"
    written = json.dumps({"x": "hunter2", "a": [said]}, ensure_ascii=ascii_only)
    turn = calls(*[("other", "{}")] * passages, ("f", written))
    probe = Probe("secret", "tool_call", Selector(tool="f", path="$.a[0]"))
    (span,) = (await measure([probe], turn, {"secret": SECRET}))[probe].spans
    assert (span.passage, written[span.start : span.end]) == (passages, "hunter2")
    assert span.start > written.index("[")


async def test_an_escaped_character_is_covered_whole():
    written = '{"a": "\\ud83d\\ude00\\u0068unter2\\n"}'
    probe = Probe("secret", "tool_call", Selector(path="$.a"))
    (span,) = (await measure([probe], calls(("f", written)), {"secret": SECRET}))[probe].spans
    assert written[span.start : span.end] == "\\u0068unter2"


async def test_what_was_read_before_is_known_for_any_selector():
    asked = []

    def reads(turn, side):
        asked.append(turn.passages(side))
        return Score(0.5)

    metric = SECRET.__class__("m", reads, version="1", cost=Cost.FREE, windowed=True)
    turn = Turn((Message("tool", ('{"a": "x"}',), "f"),))
    verdicts = Verdicts()
    for only in (Selector(path="$.a"), Selector(tool="f", path="$..a")):
        await measure([Probe("m", "tool_result", only)], turn, {"m": metric}, verdicts=verdicts)
    assert asked == [("x",)]


async def test_what_is_split_over_chosen_messages_is_seen():
    metric = spotting("m", "hunter2", version="1", windowed=True, across=True)
    turn = Turn((Message("tool", ("hun",), "f"), Message("tool", ("--",), "g"), Message("tool", ("ter2",), "f")))
    probe = Probe("m", "tool_result", Selector(tool="f"))
    found = await measure([probe], turn, {"m": metric}, verdicts=Verdicts(), lookback=4)
    assert [(span.passage, span.start, span.end) for span in found[probe].spans] == [(0, 0, 3), (2, 0, 4)]


async def test_long_turns_are_chosen_from_in_a_thread_and_lateness_there_is_a_failure(monkeypatch):
    probe = Probe("secret", "tool_call", Selector(path="$.a"))
    turn = calls(("f", json.dumps({"a": "hunter2" + " " * plans.SELECTED_INLINE})))
    found = await measure([probe], turn, {"secret": SECRET}, timeout=60)
    assert found[probe].value == ("secret",)
    late = slow("waits", 0.3)
    monkeypatch.setattr(plans, "select", lambda *_: late.measure(turn, "tool_call"))
    found = await measure([probe], turn, {"secret": SECRET}, timeout=0.01)
    assert found[probe].timed_out
