"""pydantic's complaints in the words of somebody who writes a policy, each with its fix."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from guard.errors import nearest
from guard.metrics.turn import SIDES

#: pydantic's type of complaint → what to write instead. `{…}` are the complaint's own details.
SHOULD = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be 'name: value' lines",
    "finite_number": "should be a number, and not .nan or .inf",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "greater_than": "should be more than {gt}",
    "greater_than_equal": "should be at least {ge}",
    "int_parsing": "should be a whole number",
    "int_type": "should be a whole number",
    "less_than": "should be less than {lt}",
    "less_than_equal": "should be at most {le}",
    "list_type": "should be a list, as [one, two]",
    "mapping_type": "should be 'name: value' lines",
    "model_attributes_type": "should be 'name: value' lines",
    "model_type": "should be 'name: value' lines",
    "string_pattern_mismatch": "may hold letters, digits, '.', '_' and '-' only, and begins with a letter or digit",
    "string_too_short": "should not be empty",
    "string_type": "should be text; put it into quotes",
    "too_short": "should hold at least {min_length}",
    "url_parsing": "should be a URL, as https://example.com/hook",
    "url_scheme": "should begin with http:// or https://",
    "tuple_type": "should be a list, as [one, two]",
}
ACTIONS = "write {type: override, choices: [...]}, {type: redact} or {type: passthrough}"

#: What the YAML reader says → what it means to somebody who writes a policy.
YAML_SAYS = (
    (re.compile(r"duplicate key \"(.*?)\" with"), r"'\1' stands here a second time; join the two"),
    (re.compile(r"character '\\t'"), "a tab stands here; indent with spaces"),
    (
        re.compile("mapping values are not allowed"),
        "a ':' stands where none can; put the text into quotes, or indent it",
    ),
    (re.compile("undefined alias '(.*?)'"), r"'*\1' reads as an alias; put text that begins with * into quotes"),
    (re.compile("cannot start any token"), "begins with a character that has a meaning of its own; put it into quotes"),
    (re.compile("expected a single document"), "holds a second document (---); write one policy a file"),
    (re.compile(r"expected ',' or '([]}])'"), r"a list or mapping is not closed; add '\1'"),
    (re.compile("expected <block end>"), "is not indented as the lines around it; align it"),
    (re.compile("could not find expected ':'"), "no ':' after the name above; write 'name: value'"),
    (re.compile("found '<stream end>'"), "ends in the middle of a list or mapping; close it"),
    (re.compile("unexpected end of stream"), "a quote is not closed; add it"),
)


def not_yaml(told: str) -> str:
    """What the YAML reader complains about, as a sentence with its fix where one is known."""
    told = " ".join(told.split())
    for pattern, fix in YAML_SAYS:
        match = pattern.search(told)
        if match:
            return f"is not YAML: {match.expand(fix)}"
    return f"is not YAML: {told[:200]}"


def said(
    error: Mapping[str, Any],
    loc: tuple[str | int, ...],
    place: tuple[str | int, ...],
    known: Callable[[Any], Iterable[str]],
) -> str:
    """One complaint as a sentence.

    `loc` is where pydantic was, `place` the part of it that the file holds; `known` gives the fields that there are at
    a `loc`, of which one may have been meant.
    """
    kind, context, value = error["type"], error.get("ctx", {}), error["input"]
    last = str(loc[-1]) if loc else ""
    if kind == "extra_forbidden":
        fields = sorted(known(loc[:-1]))
        return f"no field '{last}'" + (f"; {nearest(last, fields)}" if fields else "")
    if kind == "missing" and last == "kind" and loc[:1] == ("stages",):
        return f"no stage '{loc[1]}'; {nearest(str(loc[1]), SIDES)} (a name of your own needs a kind: {SIDES[0]})"
    if kind == "missing":
        return f"'{last}' is missing"
    if kind in ("literal_error", "enum"):
        return f"{_name(place)} cannot be '{value}'; {nearest(str(value), _words(context['expected']))}"
    if kind == "union_tag_invalid":
        tag, tags = context["tag"], _words(context["expected_tags"])
        return f"{_name(place)}: type cannot be '{tag}'; {nearest(tag, tags)}"
    if kind == "union_tag_not_found":
        return f"{_name(place)}: 'type' is missing; {ACTIONS}"
    if place[-1:] == ("target_value",):
        return "target_value: should be a number, text or a list"
    if place[-2:-1] == ("scores",):
        return f"{place[-1]}: should be a number, a label, a list of labels, {{failed: why}} or {{late: why}}"
    message = SHOULD[kind].format(**context) if kind in SHOULD else error["msg"].removeprefix("Value error, ")
    return f"{_name(place)}: {message}" if place else message


def _name(place: tuple[str | int, ...]) -> str:
    """What a value is called: its key, and its number where it stands in a list."""
    if place and isinstance(place[-1], int):
        return f"{_name(place[:-1])}, number {place[-1] + 1}"
    return str(place[-1]) if place else "file"


def _words(expected: str) -> list[str]:
    """The words in pydantic's "'a', 'b' or 'c'"."""
    return [word.strip(" '") for word in expected.replace("' or '", "', '").split(",")]
