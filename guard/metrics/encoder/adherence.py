"""How far an output keeps to its context: the support of its least supported sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from guard.errors import MetricError
from guard.metrics.encoder.evidence import Evidence, claims
from guard.metrics.encoder.facts import EVEN, FOLDER, MEND, facts
from guard.metrics.encoder.marks import marked
from guard.metrics.encoder.model import Encoder, encoder
from guard.metrics.encoder.number import ALGORITHM
from guard.metrics.encoder.reading import probabilities
from guard.metrics.encoder.tokenised import Range, Tokenised
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Metric
from guard.metrics.normalise import normalise, views
from guard.metrics.overlaps import joined
from guard.metrics.score import Failure, Measurement, Score, Span
from guard.metrics.turn import MODEL_ROLES, Side, Turn

HEAD = "context_adherence"
UNSUPPORTED = "unsupported"


def context_adherence(folder: Path = FOLDER) -> Metric:
    """From 1, every sentence is supported, to 0, one is not at all. Raises MetricError where no head gives it."""
    said = facts(folder)
    if HEAD not in said.heads:
        raise MetricError(f"the model {said.model} gives no {HEAD}; {MEND}")

    def measure(turn: Turn, side: Side) -> Measurement:
        context = "\n".join(map(normalise, grounds(turn)))
        if not context.strip():
            return Failure("there is no context to hold the output against; send documents, tool results or messages")
        return _measured(encoder(folder), turn.passages(side), context)

    return Metric(
        HEAD,
        measure,
        version=fingerprint(str(ALGORITHM), said.model, said.heads[HEAD].model_dump_json()),
        sides=frozenset({"output"}),
        cost=Cost.MODEL,
        labels=frozenset({UNSUPPORTED}),
        description="how far the output keeps to its documents, tool results or messages",
        warm_up=lambda: _measured(encoder(folder), ("warm up",), "warm up"),
    )


def grounds(turn: Turn) -> list[str]:
    """What the output should rest on: the documents and tool results, or where there are none the messages.

    Messages do not count beside documents: a question that claims something would support the claim. What the model
    itself said earlier never counts.
    """
    given = [text for text in (*turn.documents, *turn.passages("tool_result")) if text.strip()]
    if given:
        return given
    return [part for message in turn.messages if message.role not in MODEL_ROLES for part in message.parts]


class _Judged(NamedTuple):
    """How unsupported a sentence is, and the characters of what is."""

    unsupported: float
    places: list[Range]


def _measured(model: Encoder, outputs: tuple[str, ...], context: str) -> Score:
    worst = 0.0
    spans: list[Span] = []
    for number, output in enumerate(outputs):
        view = views(output, decoded=False, disguised=False)[0]
        judged = list(_judged(model, view.text, context))
        worst = max([worst, *(one.unsupported for one in judged)])
        wrong = [one for one in judged if one.unsupported >= EVEN]
        for span in joined(Span(*place, UNSUPPORTED, one.unsupported) for one in wrong for place in one.places):
            start, end = view.original(span.start, span.end) if view.original else (span.start, span.end)
            spans.append(Span(start, end, UNSUPPORTED, span.score, number))
    return Score(1 - worst, (UNSUPPORTED,) if spans else (), tuple(spans), model=model.facts.model)


def _judged(model: Encoder, output: str, context: str) -> Iterator[_Judged]:
    """Each sentence of an output."""
    size = model.facts.pair
    found = claims(model.tokenised(output), output, size.response, size.overlap)
    if found:
        # All of the context is read beside all sentences alike, so the longest one says how much room it has.
        evidence = Evidence.of(model.tokenised(context), context, size.tokens - 3 - max(map(len, found)), size.overlap)
        yield from (_held(model, claim, evidence) for claim in found)


def _held(model: Encoder, claim: Tokenised, evidence: Evidence) -> _Judged:
    """A sentence held against the context; where several windows were read, by the one that supports it best."""
    column, mark = model.facts.columns.index(HEAD), model.facts.mark(HEAD)
    passes = [model.pair(window, claim) for window in evidence.nearest(claim)]
    unsupported, best = min(
        ((float(probabilities(model.facts, one.columns)[column]), one) for one in passes), key=lambda pair: pair[0]
    )
    rows = best.tokens[-1 - len(claim) : -1]
    places = [] if mark is None else marked(rows[:, mark] >= 0, claim.words, claim.offsets)
    return _Judged(unsupported, places or [(int(claim.offsets[0, 0]), int(claim.offsets[-1, 1]))])
