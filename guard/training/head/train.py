"""From a file of labelled rows to a head: gather, embed, fit, and what to write of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from guard.errors import SettingsError
from guard.evaluate import Agreements, Figures, Result, agreements
from guard.evaluate.curve import Curve
from guard.evaluate.rows import Row
from guard.evaluate.spans import Count
from guard.metrics.encoder import Encoder
from guard.metrics.encoder.head_file import FittedOn, HeadFile, encoded
from guard.training.head.embed import Texts, embedded
from guard.training.head.fit import OneOf, YesOrNo, fit_one_of, fit_yes_or_no, repeats
from guard.training.head.gather import Gathered, Wanted, gather, text_of
from guard.training.head.linear import FOLDS, Linear
from guard.training.head.rows import field, read

#: What hears of the work: `begun(what, steps)`, and the function it gives of each step.
Begun = Callable[[str, int], Callable[[], object]]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A head and what is known of it: `file` to be written, `result` of rows held out, a strength a label."""

    file: HeadFile
    wanted: Wanted
    gathered: Gathered
    texts: int
    windows: int
    result: Result
    strengths: Mapping[str, float]


def train(name: str, wanted: Wanted, model: Encoder, begun: Begun) -> Trained:
    """Fits a head called `name`. Raises SettingsError where the rows cannot teach one, with the fix."""
    gathered = gather(wanted)
    rows = len(gathered.units)
    texts = embedded(_texts(wanted), model, begun("reading", rows))
    fit = _one_of if gathered.truth.gives == "label" else _yes_or_no
    columns = 1 if gathered.truth.gives == "label" else gathered.truth.table.shape[1]
    step = begun("fitting", columns * (repeats(rows) * FOLDS + 1))
    # On a busy machine the threads of a small product wait for each other many times longer than it takes.
    with threadpool_limits(1):
        linear, thresholds, result, strengths = fit(name, texts, gathered, wanted, step)
    file = HeadFile(
        name=name,
        gives=gathered.truth.gives,
        labels=gathered.truth.labels,
        thresholds=thresholds,
        encoder=FittedOn(model=model.facts.model, sha256=model.facts.sha256),
        biases=tuple(linear.biases.tolist()),
        weights=encoded(linear.weights),
    )
    return Trained(file, wanted, gathered, rows, len(texts.owners), result, strengths)


def _texts(wanted: Wanted) -> Iterator[tuple[Row, str]]:
    for row in read(wanted.data):
        text = text_of(row, wanted)
        if text is not None and field(row, wanted.label) is not None:
            yield row, text


_Fitted = tuple[Linear, tuple[float, ...], Result, Mapping[str, float]]


def _yes_or_no(name: str, texts: Texts, gathered: Gathered, wanted: Wanted, step: Callable[[], object]) -> _Fitted:
    """A number, or a number for each label."""
    truth = gathered.truth
    names = truth.labels or (name,)
    found: dict[str, YesOrNo] = {}
    for number, label in enumerate(names):
        try:
            found[label] = fit_yes_or_no(texts, truth.table[:, number], gathered.units, wanted.false_positives, step)
        except SettingsError as error:
            raise SettingsError(f"'{label}': {error}") from None
    fits = list(found.values())
    linear = Linear(
        np.concatenate([one.linear.weights for one in fits], axis=1),
        np.concatenate([one.linear.biases for one in fits]),
    )
    alone = None if truth.labels else fits[0]
    result = _result(
        name,
        texts.count,
        figures=alone.figures if alone else None,
        curve=Curve.of(alone.truth, alone.scores) if alone else None,
        labels=None if alone else _agreements(found),
        numbers={} if alone else {label: one.figures for label, one in found.items()},
    )
    return linear, tuple(one.threshold for one in fits), result, {label: one.strength for label, one in found.items()}


def _agreements(found: Mapping[str, YesOrNo]) -> Agreements:
    """Of the labels that reach their thresholds with those that the rows have."""
    table = {label: (one.truth, one.scores >= one.threshold) for label, one in found.items()}
    rows = len(next(iter(found.values())).truth)
    return agreements(
        [
            {
                label: Count(int(is_[row]), int(said[row]), int(is_[row] and said[row]))
                for label, (is_, said) in table.items()
            }
            for row in range(rows)
        ]
    )


def _one_of(name: str, texts: Texts, gathered: Gathered, wanted: Wanted, step: Callable[[], object]) -> _Fitted:
    """The likeliest label."""
    truth = gathered.truth
    found: OneOf = fit_one_of(texts, truth.table.argmax(axis=1), gathered.units, truth.labels, step)
    return found.linear, (), _result(name, texts.count, labels=found.agreements), {"": found.strength}


def _result(
    name: str,
    rows: int,
    *,
    figures: Figures | None = None,
    labels: Agreements | None = None,
    numbers: Mapping[str, Figures] | None = None,
    curve: Curve | None = None,
) -> Result:
    return Result(name, rows, 0, "", figures, labels, numbers or {}, None, None, curve)
