"""Rows as the numbers that the network learns from: tokens, letter case, and what each column should say."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from guard.metrics.encoder.evidence import Evidence, claims
from guard.metrics.encoder.pair import paired
from guard.metrics.encoder.sentences import sentences
from guard.metrics.encoder.tokenised import Tokenised
from guard.metrics.normalise import normalise
from guard.metrics.tokens import Tokens
from guard.training.augment import augmented, recased
from guard.training.rows import Mark, Row
from guard.training.spec import Spec

#: A column or token nobody knows the truth of.
UNKNOWN = -1
#: The token heads that mark words, in the order of the graph's last token columns.
WORD_HEADS = ("prompt_injection", "context_adherence")
#: Tokens of a text that is cut short.
SHORT = 64
#: So many tokens of an attack, or half of a shorter one, tell that it is one.
ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Window:
    """Tokens as the network reads them, special ones included."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Example:
    """A window and what should be said of it.

    `columns` are 0..1 or UNKNOWN, one a column of the spec. `entities` is a class a token, and `known` says which
    classes the annotators looked for (0 or 1 each). `words` are the marks of WORD_HEADS, two a token.
    """

    window: Window
    columns: NDArray[np.float32]
    weight: float
    entities: NDArray[np.int64] | None = None
    known: NDArray[np.float32] | None = None
    words: NDArray[np.float32] | None = None


class Encoder:
    """Turns rows into windows, with the run time's own tokens, cases and cuts."""

    def __init__(self, spec: Spec, tokens: Tokens, entities: Sequence[str]) -> None:
        self._spec = spec
        self._tokens = tokens
        self._columns = {name: at for at, name in enumerate(spec.columns)}
        self._entities: Mapping[str, int] = {label: 1 + 2 * at for at, label in enumerate(entities)}
        self._cls, self._sep = tokens.nothing.ids

    @property
    def classes(self) -> int:
        """How many classes a token's entity has: none, and the beginning and inside of each."""
        return 1 + 2 * len(self._entities)

    def example(self, row: Row, chance: random.Random) -> Example:
        """One window of a row to learn from: disturbed where it has no marks, cut at random where it is long."""
        if row.response is not None:
            row = _one_sentence(row, chance)
            context, response = self._parts(row.text, row.response or "")
            words = _answer(row, context, response)
            return Example(self._pair(context, response), self._truth(row), row.weight, words=words)
        augment = self._spec.augment
        if row.marks is None and not row.telling:
            text = normalise(augmented(row.text, augment, chance))
        else:
            text = recased(row.text, augment, chance)
        whole = Tokenised.of(text, self._tokens)
        part = self._cut(whole, row, chance)
        columns = self._truth(row)
        if row.entities:
            return Example(self._window(part), columns, row.weight, self._classes(row, part), self._known(row))
        words = None
        if row.marks is not None or row.truth.get("prompt_injection") == 0:
            words = np.full((len(part) + 2, 2), UNKNOWN, np.float32)
            words[1:-1, 0] = _inside(part, row.marks or ())
        telling = row.marks or row.telling
        if telling and row.truth.get("prompt_injection") == 1:
            self._as_seen(columns, _seen(part, whole, telling))
        return Example(self._window(part), columns, row.weight, words=words)

    def readings(self, row: Row) -> list[list[Window]]:
        """All windows of a row as the run time cuts them: the row's number is the highest of the lists', a list's the
        lowest of its windows', for a sentence is supported where any part of the context supports it.
        """
        if row.response is not None:
            output = Tokenised.of(row.response, self._tokens)
            pair = self._spec.pair
            evidence = self._evidence(row.text)
            said = claims(output, row.response, pair.response, pair.overlap) or [output]
            return [[self._pair(part, claim) for part in evidence.nearest(claim)] for claim in said]
        text = normalise(row.text)
        whole = Tokenised.of(text, self._tokens)
        places = whole.windows(text, self._spec.window.tokens - 2, self._spec.window.overlap)
        return [[self._window(whole.part(*place))] for place in places or [(0, 0)]]

    def _window(self, part: Tokenised) -> Window:
        ids = np.concatenate([[self._cls], part.ids, [self._sep]])
        return Window(ids, np.concatenate([[0], part.cases, [0]]))

    def _pair(self, context: Tokenised, response: Tokenised) -> Window:
        return Window(*paired(context, response, self._cls, self._sep))

    def _parts(self, text: str, answer: str) -> tuple[Tokenised, Tokenised]:
        """The part of a context that has most of a response's words, and the response."""
        response = Tokenised.of(answer, self._tokens).part(0, self._spec.pair.response)
        return self._evidence(text).nearest(response)[0], response

    def _evidence(self, text: str) -> Evidence:
        pair = self._spec.pair
        return Evidence.of(Tokenised.of(text, self._tokens), text, pair.tokens - 3 - pair.response, pair.overlap)

    def _cut(self, whole: Tokenised, row: Row, chance: random.Random) -> Tokenised:
        """A long text's beginning, or any part of it; mostly a part with its focus, where it has one.

        Many texts that nobody marked are cut shorter still, so that length says less, and less is read; fewer of those
        that should be found, since a part of them may be harmless by itself.
        """
        room = self._spec.window.tokens - 2
        often = 0.2 if any(row.truth.get(head) == 1 for head in ("prompt_injection", "toxicity")) else 0.5
        if row.marks is None and not row.telling and chance.random() < often:
            room = min(room, SHORT)
        spare = len(whole) - room
        if spare <= 0:
            return whole
        start = 0 if chance.random() < 0.4 else chance.randrange(spare + 1)
        focus = chance.choice(row.telling).start if row.telling else row.focus
        if focus is not None and chance.random() < 0.9:
            at, _ = whole.within(focus, focus)
            start = min(max(0, at - chance.randrange(room * 3 // 4)), spare)
        return whole.part(start, start + room)

    def _as_seen(self, columns: NDArray[np.float32], seen: float) -> None:
        """Of a part that is no attack by itself nobody knows which kind of attack it would be."""
        columns[self._columns["prompt_injection"]] = seen
        if seen != 1:
            for label in self._spec.heads["prompt_injection"].labels:
                columns[self._columns[f"prompt_injection/{label}"]] = UNKNOWN

    def _truth(self, row: Row) -> NDArray[np.float32]:
        columns = np.full(len(self._columns), UNKNOWN, np.float32)
        for name, value in row.truth.items():
            columns[self._columns[name]] = value
        return columns

    def _classes(self, row: Row, part: Tokenised) -> NDArray[np.int64]:
        classes = np.zeros(len(part) + 2, np.int64)
        classes[[0, -1]] = UNKNOWN
        for mark in row.marks or ():
            inside = 1 + np.flatnonzero(_inside(part, [mark]))
            classes[inside] = self._entities[mark.label] + 1
            classes[inside[:1]] = self._entities[mark.label]
        return classes

    def _known(self, row: Row) -> NDArray[np.float32]:
        known = np.zeros(self.classes, np.float32)
        known[0] = 1
        for label in row.entities:
            known[self._entities[label]] = known[self._entities[label] + 1] = 1
        return known


def _seen(part: Tokenised, whole: Tokenised, telling: Sequence[Mark]) -> float:
    """What a part of an attacked text is: harmless without any of the attack, and nobody knows with too little."""
    marked, seen = (int(_inside(of, telling).sum()) for of in (whole, part))
    return 0.0 if not seen else 1.0 if seen >= min(ENOUGH, marked / 2) else UNKNOWN


def _one_sentence(row: Row, chance: random.Random) -> Row:
    """Mostly one sentence of a response, since the run time reads them one by one, where it is known to be supported or
    not: of a supported response each is, of another those that marks stand in are not.
    """
    response = row.response or ""
    places = sentences(response)
    if len(places) < 2 or row.marks is None or chance.random() < 0.2:
        return row
    start, end = chance.choice(places)
    marks = tuple(
        Mark(max(mark.start, start) - start, min(mark.end, end) - start, mark.label)
        for mark in row.marks
        if mark.start < end and mark.end > start
    )
    return replace(row, response=response[start:end], marks=marks, truth={"context_adherence": float(bool(marks))})


def _answer(row: Row, context: Tokenised, response: Tokenised) -> NDArray[np.float32] | None:
    """The marks of a pair: only its response has some."""
    if row.marks is None:
        return None
    words = np.full((len(context) + len(response) + 3, 2), UNKNOWN, np.float32)
    words[len(context) + 2 : -1, 1] = _inside(response, row.marks)
    return words


def _inside(part: Tokenised, marks: Sequence[Mark]) -> NDArray[np.bool_]:
    """Which tokens overlap a mark."""
    inside = np.zeros(len(part), np.bool_)
    for mark in marks:
        inside |= (part.offsets[:, 0] < mark.end) & (part.offsets[:, 1] > mark.start)
    return inside
