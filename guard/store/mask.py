"""What of a turn's text is stored: masked (the default), none of it, or all of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal, NamedTuple

import re2

from guard.metrics.score import Span

TextMode = Literal["masked", "none", "full"]

#: JSON and databases take neither; replaced one for one, so that spans still fit.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_NO_NAME = re.compile(r"[^A-Z0-9]+")
#: How far behind the limit a text is still read, so that what begins before the limit is recognised.
_MARGIN = 300
#: A side keeps this many times the limit of one passage in all, the newest passages first.
_PASSAGES = 10
#: Names, user and session labels, error types: what is stored in columns of their own.
NAME_LIMIT = 200
#: Reasons and errors that metrics give.
NOTE_LIMIT = 2_000


class Mark(NamedTuple):
    """Characters `start` to `end`, exclusive, that are replaced by `[label]`."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Masker:
    """How text is made fit to be stored.

    `mode` is what is kept; `limit` how many characters of one passage, at most ten times as many of a side. What is cut
    off is counted in its place: `[… 812 characters more]`.
    """

    mode: TextMode = "masked"
    limit: int = 20_000

    def passages(self, texts: Sequence[str], spans: Iterable[Span]) -> list[str]:
        """A side's passages as they are stored, one for one. `spans` is what the metrics found in them."""
        by_passage: dict[int, list[Span]] = {}
        for span in spans:
            by_passage.setdefault(span.passage, []).append(span)
        left = self.limit * _PASSAGES
        stored: list[str] = []
        for number in reversed(range(len(texts))):
            kept = self._passage(texts[number], by_passage.get(number, ()), min(left, self.limit))
            left -= min(left, len(texts[number]))
            stored.append(kept)
        return stored[::-1]

    def note(self, text: str, found: Mapping[str, str]) -> str:
        """A sentence about the turn (a metric's reason, an error), masked where it repeats what was `found` in it."""
        if not text:
            return text
        if self.mode != "full":
            for value, label in found.items():
                text = text.replace(value, f"[{label}]")
        return self._passage(text, (), NOTE_LIMIT)

    def _passage(self, text: str, spans: Iterable[Span], limit: int) -> str:
        if text and limit <= 0:
            return f"[… {len(text)} characters more]"
        end = min(len(text), limit)
        window = clean(text[: limit + _MARGIN])
        marks = [] if self.mode == "full" else _merged([*_of_spans(spans, len(text), end), *_light(window)])
        pieces, at = [], 0
        for mark in marks:
            if mark.start >= end:
                break  # _light reads on a little, to see what it is that begins before
            pieces += [window[at : mark.start], f"[{mark.label}]"]
            at = mark.end
        pieces.append(window[at:end])
        more = len(text) - max(at, end)
        return "".join(pieces) + (f"[… {more} characters more]" if more > 0 else "")


def clean(text: str, limit: int | None = None) -> str:
    """The text with null bytes and lone surrogates replaced by U+FFFD, so that JSON and every database can hold it."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def found_in(texts: Sequence[str], spans: Iterable[Span]) -> dict[str, str]:
    """What the spans cover, with its label, the longest first. Two characters and less are no secret of their own."""
    values = {
        texts[span.passage][span.start : span.end]: _name(span.label)
        for span in spans
        if span.end - span.start > 2 and 0 <= span.passage < len(texts)
    }
    return dict(sorted(values.items(), key=lambda item: -len(item[0])))


def _of_spans(spans: Iterable[Span], length: int, shown: int) -> Iterable[Mark]:
    """The marks of what begins within the characters that are shown."""
    for span in spans:
        start, end = max(0, span.start), min(length, span.end)
        if start < end and start < shown:
            yield Mark(start, end, _name(span.label))


def _merged(marks: list[Mark]) -> list[Mark]:
    """The marks in order and without overlap; of those that overlap, the first and longest names the whole."""
    merged: list[Mark] = []
    for mark in sorted(marks, key=lambda mark: (mark.start, -mark.end)):
        if merged and mark.start < merged[-1].end:
            merged[-1] = merged[-1]._replace(end=max(merged[-1].end, mark.end))
        else:
            merged.append(mark)
    return merged


def _light(text: str) -> list[Mark]:
    """What the always-on patterns of masks.yaml match."""
    pattern, masks = _patterns()
    marks = []
    for match in pattern.finditer(text):
        label, needs = masks[(match.lastindex or 0) - 1]
        if label and (needs is None or needs.search(match.group())):
            marks.append(Mark(match.start(), match.end(), label))
    return marks


@cache
def _patterns() -> tuple[re2._Regexp, list[tuple[str, re2._Regexp | None]]]:
    """All masks as one pattern with a group each, and for each group its label and what it needs besides."""
    # Slow to import, and not needed on the hot path.
    from ruamel.yaml import YAML

    entries = YAML(typ="safe").load(Path(__file__).with_name("masks.yaml"))
    pattern = re2.compile("|".join(f"({entry['pattern']})" for entry in entries))
    return pattern, [(entry["label"], re2.compile(entry["needs"]) if "needs" in entry else None) for entry in entries]


def _name(label: str) -> str:
    return _NO_NAME.sub("_", label.upper()).strip("_")[:40] or "HIDDEN"
