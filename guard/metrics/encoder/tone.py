"""The tone of a side: which of nine moods it is in."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from guard.errors import MetricError
from guard.metrics.encoder.facts import FOLDER, MEND, facts
from guard.metrics.encoder.model import encoder
from guard.metrics.encoder.number import ALGORITHM
from guard.metrics.encoder.reading import softmax
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Metric
from guard.metrics.normalise import views
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn

#: The tone of a text that says nothing.
NEUTRAL = "neutral"


def tone(folder: Path = FOLDER) -> Metric:
    """The likeliest tone of a side's texts together. Raises MetricError where the model has no such head."""
    said = facts(folder)
    columns = said.under("tone")
    if NEUTRAL not in columns:
        raise MetricError(f"the model {said.model} gives no tone; {MEND}")

    def measure(turn: Turn, side: Side) -> Score:
        # As it stands: what is encoded in a text has no tone of its own.
        texts = [views(passage, decoded=False, disguised=False)[0].text for passage in turn.passages(side)]
        readings = [encoder(folder).read(text) for text in texts]
        weights = np.array([length for reading in readings for length in reading.lengths])
        if not len(weights):
            return Score(NEUTRAL, model=said.model)
        shares = softmax(np.concatenate([reading.columns for reading in readings])[:, list(columns.values())])
        by_label = dict(zip(columns, np.average(shares, axis=0, weights=weights).tolist(), strict=True))
        return Score(max(by_label, key=lambda label: by_label[label]), model=said.model, by_label=by_label)

    return Metric(
        "tone",
        measure,
        kind="label",
        version=fingerprint(str(ALGORITHM), said.model),
        cost=Cost.MODEL,
        labels=frozenset(columns),
        shared=said.model,
        description="the mood a text is written in",
        warm_up=lambda: measure(Turn.of("warm up"), "input"),
    )
