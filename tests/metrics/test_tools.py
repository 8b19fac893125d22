"""Which tools the model calls: rules can forbid some, or allow some only."""

import pytest
from pydantic import ValidationError

from guard.guard import Guard
from guard.metrics import ToolCall, Turn
from guard.metrics.registry import REGISTRY, make
from tests.fakes import SORRY, override, policy_of, rule


def calls(*names):
    return Turn(tool_calls=tuple(ToolCall(name, "{}") for name in names))


def test_it_names_each_called_tool_once():
    assert REGISTRY["tools"].measure(calls("find", "pay", "find"), "tool_call").value == ("find", "pay")


async def test_a_rule_forbids_a_tool():
    guard = Guard(policy_of(REGISTRY["tools"], tool_call=[override(rule("tools", "any", ["pay"]))]))
    assert (await guard.acheck(calls("find", "pay"), "tool_call")).reply == SORRY
    assert (await guard.acheck(calls("find"), "tool_call")).allowed


@pytest.mark.parametrize(
    ("called", "told"),
    [
        (("search", "read_mail"), ()),
        (("send_mail", "search"), ("send_mail",)),
        (("Search",), ("Search",)),
        ((), ()),
        (("",), ("",)),
    ],
)
def test_of_kind_tools_it_names_what_is_not_allowed(called, told, tmp_path):
    metric = make("others", {"kind": "tools", "allowed": ["search", "read_*"]}, tmp_path)
    assert metric.measure(calls(*called), "tool_call").value == told


def test_an_empty_list_allows_no_tool_and_a_list_is_needed(tmp_path):
    assert make("others", {"kind": "tools", "allowed": []}, tmp_path).measure(calls("a"), "tool_call").value == ("a",)
    with pytest.raises(ValidationError):
        make("others", {"kind": "tools"}, tmp_path)
