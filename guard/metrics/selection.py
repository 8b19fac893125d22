"""A turn of which only what a selector chooses is left on one side, and the way back from there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from guard.metrics import json_path
from guard.metrics.score import Measurement, Score, Span
from guard.metrics.selector import Selector
from guard.metrics.turn import Side, Turn

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathNode

#: What stands for one character in a JSON string.
_CHARACTER = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)


class Leaf(NamedTuple):
    """A text that is read: passage number `passage`, or the value at some keys of the JSON in it.

    `starts` is what is known of that JSON, the same for all leaves of it.
    """

    text: str
    passage: int
    source: str
    keys: Sequence[str | int] | None = None
    starts: json_path.Starts | None = None

    def offsets(self) -> Sequence[int]:
        """For each character of the text, and for its end, where that is in the passage."""
        if self.keys is None or self.starts is None:
            return range(len(self.text) + 1)
        start, end = json_path.place(self.source, self.keys, self.starts)
        if self.source[start] != '"':
            return range(start, end + 1)
        if end - start - 2 == len(self.text):  # nothing is escaped
            return range(start + 1, end)
        return [match.start() for match in _CHARACTER.finditer(self.source, start + 1, end - 1)] + [end - 1]


@dataclass(frozen=True, slots=True)
class Selection:
    """`turn` has the texts of `leaves` on the side and nothing else there."""

    turn: Turn
    leaves: tuple[Leaf, ...]

    def located(self, measurement: Measurement) -> Measurement:
        """What was measured on `turn`, with spans in the passages of the turn that it was made from."""
        if not isinstance(measurement, Score):
            return measurement
        offsets = {number: self.leaves[number].offsets() for number in self._numbers(measurement.spans)}
        spans = tuple(self._located(span, offsets.get(span.passage)) for span in measurement.spans)
        return replace(measurement, spans=spans, characters=sum(len(leaf.text) for leaf in self.leaves))

    def _numbers(self, spans: Sequence[Span]) -> set[int]:
        return {span.passage for span in spans if 0 <= span.passage < len(self.leaves)}

    def _located(self, span: Span, offsets: Sequence[int] | None) -> Span:
        if offsets is None or not 0 <= span.start <= span.end < len(offsets):
            return replace(span, passage=-1)  # it has no place, so it cannot be redacted
        return replace(
            span, start=offsets[span.start], end=offsets[span.end], passage=self.leaves[span.passage].passage
        )


def select(turn: Turn, side: Side, only: Selector) -> Selection | None:
    """What is left of a side; None where it holds texts and none of them is chosen."""
    passages = turn.passages(side)
    chosen = [
        _leaves(text, number, tool, only) if only.fits(role, tool) else []
        for number, (text, (role, tool)) in enumerate(zip(passages, turn.authors(side), strict=True))
    ]
    leaves = tuple(leaf for some in chosen for leaf in some)
    if passages and not leaves:
        return None
    return Selection(turn.with_pieces(side, [[leaf.text for leaf in some] for some in chosen]), leaves)


def _leaves(text: str, passage: int, tool: str, only: Selector) -> list[Leaf]:
    """What is read of a passage; all of it where the path cannot be followed, or leads to more than all of it."""
    whole = [Leaf(text, passage, text)]
    if not only.path or (only.tool and not tool):
        return whole
    try:
        starts: json_path.Starts = {}
        nodes = json_path.find(json_path.parsed(text), only.path)
        leaves = [_leaf(node, passage, text, starts) for node in nodes]
    except (ValueError, RecursionError):
        return whole
    return leaves if sum(len(leaf.text) for leaf in leaves) <= len(text) else whole


def _leaf(node: JSONPathNode, passage: int, source: str, starts: json_path.Starts) -> Leaf:
    """A string as it reads; anything else as it is written, with the names in it. Raises ValueError for no text."""
    if isinstance(node.value, str):
        node.value.encode()  # half of a character is no text
        return Leaf(node.value, passage, source, node.location, starts)
    start, end = json_path.place(source, node.location, starts)
    return Leaf(source[start:end], passage, source, node.location, starts)
