"""Text as it means, not as it is spelt: the views of a passage that metrics read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import re2

from guard.metrics.reading import characters, hidden, lookalikes
from guard.metrics.reading.decoded import CONTROLS, decode, is_plain
from guard.metrics.reading.draft import Draft

#: How often a text may be encoded within itself; an encoding inside more of them is not seen.
LEVELS = 3
#: Several metrics read the same passage: views of texts up to this many characters are kept, for this many texts.
CACHED_CHARACTERS, CACHED_TEXTS = 20_000, 128

_CONTROLS = re2.compile(CONTROLS)
#: In this order: what is hidden is brought out first, lookalikes are looked for among whole letters, whether a line is
#: Latin shows once mixed words are, and a folded letter takes up the marks that stood on it.
_STEPS = (
    hidden.tags,
    hidden.selectors,
    characters.edits,
    lookalikes.dressed,
    lookalikes.mixed,
    lookalikes.alone,
    characters.edits,
)


@dataclass(frozen=True, slots=True)
class View:
    """One reading of a passage. `original(start, end)` maps a span of `text` back to the passage; None: unchanged."""

    text: str
    kind: str = "normal"
    original: Callable[[int, int], tuple[int, int]] | None = None


def views(passage: str, *, decoded: bool = True, disguised: bool = True) -> tuple[View, ...]:
    """The readings of a passage: the normalised text first, then with `decoded` each decoded view.

    Normalised is NFKC (case is kept) without invisible characters, with smuggled text in plain sight and lookalike
    letters folded; it holds no lone surrogates. Each decoded view reads one level deeper, its `kind` names what was
    decoded ("base64", "url+leet"), and it holds only the surroundings of that. All views together are at most a small
    multiple of the passage. Plain ASCII is its own and only view. Without `disguised` nothing that is spelt
    otherwise for readers is decoded (l33t, rot13, reversed).
    """
    return (_cached if len(passage) <= CACHED_CHARACTERS else _read)(passage, decoded, disguised)


def normalise(text: str) -> str:
    """The text as the first of its views has it: what words that are looked for in views must look like."""
    return _normalised(Draft(text)).text


def _read(passage: str, decoded: bool, disguised: bool) -> tuple[View, ...]:
    if decoded and is_plain(passage):
        return (View(passage),)
    draft = _normalised(Draft(passage))
    found = [View(draft.text, original=draft.origin)]
    for _ in range(LEVELS if decoded else 0):
        step = decode(draft, with_disguises=disguised)
        if step is None:
            break
        kind, draft = step[0], _normalised(step[1])
        found.append(View(draft.text, kind, draft.origin))
    return tuple(found)


_cached = lru_cache(maxsize=CACHED_TEXTS)(_read)


def _normalised(draft: Draft) -> Draft:
    if draft.text.isascii() and not _CONTROLS.search(draft.text):
        return draft
    used = set(draft.text)
    if used.isdisjoint(lookalikes.known()) and not any(map(characters.is_odd, used)):
        return draft
    for step in _STEPS:
        draft = draft.edited(step(draft.text))
    return draft
