"""What a text says when everything encoded or disguised in it is decoded, level by level."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import re2

from guard.metrics.reading import disguised, encoded
from guard.metrics.reading.decoder import Decoder
from guard.metrics.reading.draft import Draft, Edit

#: The control characters that are neither tab nor line end.
CONTROLS = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
#: Characters kept on either side of what was decoded; farther away the text reads as it did before.
CONTEXT = 300
#: How far a cut is moved so that it splits no word.
_LONGEST_WORD = 40
#: Memory of one pattern's automaton, in bytes; one that needs more goes on without it, slower.
_AUTOMATON = 32 << 20


class _Decoders(NamedTuple):
    """`suspicious` matches whatever any decoder or `controls` matches; `each` is a decoder with its own gate."""

    suspicious: re2._Regexp
    each: tuple[tuple[Decoder, re2._Regexp], ...]


def is_plain(text: str) -> bool:
    """Whether a text is ASCII without control characters or anything to decode; costs nanoseconds a character."""
    return text.isascii() and not _decoders(True).suspicious.search(text)


def decode(draft: Draft, *, with_disguises: bool = True) -> tuple[str, Draft] | None:
    """The draft one level decoded, with the kinds of encoding found joined by "+"; None where nothing is encoded.

    Without `with_disguises` nothing that is spelt otherwise for readers (l33t, rot13, reversed).

    Decoded text stands in its place, with up to CONTEXT characters around it; the rest of the draft is left out, so the
    result is at most a little longer than the draft. Time is linear.
    """
    decoders = _decoders(with_disguises)
    text = draft.text
    if not decoders.suspicious.search(text):
        return None
    claimed: list[Edit] = []
    kinds: list[str] = []
    for decoder, gate in decoders.each:
        edits = _unclaimed(decoder.edits(text), claimed) if gate.search(text) else []
        if edits:
            kinds.append(decoder.kind)
            claimed = sorted(claimed + edits)
    if not claimed:
        return None
    return "+".join(kinds), draft.edited(sorted([*claimed, *_cuts(text, claimed)]))


def _unclaimed(edits: Iterator[Edit], claimed: list[Edit]) -> list[Edit]:
    """The edits that overlap none of those claimed already, which are in order."""
    if not claimed:
        return list(edits)
    starts = [edit.start for edit in claimed]
    free = []
    for edit in edits:
        following = bisect_right(starts, edit.start)
        if following and claimed[following - 1].end > edit.start:
            continue
        if following < len(claimed) and claimed[following].start < edit.end:
            continue
        free.append(edit)
    return free


def _cuts(text: str, edits: list[Edit]) -> Iterator[Edit]:
    """Edits that leave out what stands farther than CONTEXT from all of `edits`."""
    end = -CONTEXT
    for edit in [*edits, Edit(len(text) + CONTEXT, len(text) + CONTEXT, "")]:
        start, stop = end + CONTEXT, edit.start - CONTEXT
        if 0 < start < len(text):
            space = text.find(" ", start, start + _LONGEST_WORD)
            start = space if space >= 0 else start
        if 0 < stop < len(text):
            space = text.rfind(" ", stop - _LONGEST_WORD, stop)
            stop = space if space >= 0 else stop
        if stop > start:
            yield Edit(start, stop, "\n")
        end = edit.end


@cache
def _decoders(with_disguises: bool) -> _Decoders:
    options = re2.Options()
    options.max_mem = _AUTOMATON
    options.log_errors = False
    spread = (decoder for decoder in disguised.decoders() if with_disguises or decoder.kind in disguised.SPREAD)
    decoders = (*encoded.DECODERS, *spread)
    gates = tuple((decoder, re2.compile(decoder.gate, options)) for decoder in decoders)
    suspicious = "|".join([CONTROLS, *(f"(?:{decoder.gate})" for decoder in decoders)])
    return _Decoders(re2.compile(suspicious, options), gates)
