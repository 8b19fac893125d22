"""How good an exported model is on rows it never learned from, read exactly as at run time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.evaluate.figures import Figures, figures
from guard.metrics.encoder import encoder
from guard.metrics.encoder.adherence import context_adherence
from guard.metrics.encoder.number import number
from guard.metrics.encoder.tone import tone
from guard.metrics.metric import Metric
from guard.metrics.pii import Pii, personal_data
from guard.metrics.pii.head import Head
from guard.metrics.pii.labels import labels
from guard.metrics.pii.patterns import Patterns
from guard.metrics.pii.phones import Phones
from guard.metrics.pii.presidio import Presidio
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn
from guard.training.data import Data
from guard.training.obfuscate import OBFUSCATIONS
from guard.training.pii.report import PiiFigures, pii_report
from guard.training.rows import Row
from guard.training.spec import Spec
from guard.training.watch import Watch

#: Whose attacks are hidden in every way, to see how many are still found.
OBFUSCATED = ("direct", "pairs", "attacks2")


@dataclass(frozen=True, slots=True)
class Measured:
    """A head's numbers of its validation rows, high where it says yes; `sources` and `kinds` are the rows'.

    `thresholds` are the model's own, by the share of ordinary texts that reached each: of other texts than these.
    """

    truth: NDArray[np.float64]
    numbers: NDArray[np.float64]
    sources: Sequence[str]
    kinds: Sequence[str]
    figures: Figures
    thresholds: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything the card tells: numbers by head, those of attacks as they came and hidden in each way, the share of
    right tones by source, and spans of personal data.
    """

    numbers: Mapping[str, Measured]
    hidden: Mapping[str, NDArray[np.float64]]
    tones: Mapping[str, tuple[int, float]]
    pii: Mapping[str, PiiFigures]


def report(folder: Path, data: Data, data_folder: Path, spec: Spec, watch: Watch) -> Report:
    """Measures the model in `folder` on at most `validation.reported` rows of each source."""
    asked = _asked(folder, spec)
    truths: dict[str, list[float]] = {name: [] for name in asked}
    numbers: dict[str, list[float]] = {name: [] for name in asked}
    groups: dict[str, list[tuple[str, str]]] = {name: [] for name in asked}
    chosen = list(_chosen(data, spec))
    with watch.task("measuring the exported model", len(chosen)) as step:
        for row in chosen:
            for name, (metric, side, sign) in asked.items():
                if row.truth.get(name) in (0.0, 1.0):
                    truths[name].append(row.truth[name])
                    numbers[name].append(_number(metric, row, side, sign))
                    groups[name].append((row.source, row.kind))
            step(1)
        heads = encoder(folder).facts.heads
        told = {
            name: _measured(truths[name], numbers[name], groups[name], heads[name].thresholds)
            for name in asked
            if len(set(truths[name])) == 2
        }
        tones = _tones(tone(folder), [row for row in chosen if "tone/neutral" in row.truth], spec)
    attacks = [row.text for row in chosen if row.source in OBFUSCATED and row.truth.get("prompt_injection") == 1]
    with watch.task("measuring hidden attacks", len(OBFUSCATIONS) + 1) as step:
        hidden = _hidden(asked["prompt_injection"][0], attacks, spec, step)
    with watch.task("measuring personal data", 1) as step:
        found = pii_report(_personal(folder), data_folder)
        step(1)
    return Report(told, hidden, tones, found)


def _asked(folder: Path, spec: Spec) -> dict[str, tuple[Metric, Side, float]]:
    asked: dict[str, tuple[Metric, Side, float]] = {
        name: (number(name, "", folder), "input", 1.0) for name, head in spec.heads.items() if head.kind == "number"
    }
    # The metric is low where the head is high.
    return {**asked, "context_adherence": (context_adherence(folder), "output", -1.0)}


def _chosen(data: Data, spec: Spec) -> Iterator[Row]:
    for found in data.by_source.values():
        valid = [row for row in found if row.fold == "valid" and row.truth]
        yield from random.Random(spec.seed).sample(valid, min(len(valid), spec.validation.reported))


def _number(metric: Metric, row: Row, side: Side, sign: float) -> float:
    turn = Turn.of(row.text) if row.response is None else Turn(documents=(row.text,), output=(row.response,))
    score = metric.measure(turn, side)
    if not isinstance(score, Score) or not isinstance(score.value, float):
        raise MetricError(f"{metric.name} did not read a row of {row.source}: {score}")
    return score.value if sign > 0 else 1 - score.value


def _hidden(
    metric: Metric, attacks: Sequence[str], spec: Spec, step: Callable[[int], None]
) -> dict[str, NDArray[np.float64]]:
    found = {}
    for kind, hide in (("as written", lambda text, _: text), *OBFUSCATIONS.items()):
        chance = random.Random(f"{spec.seed} {kind}")
        scores = [metric.measure(Turn.of(hide(text, chance)), "input") for text in attacks]
        found[kind] = np.array([one.value for one in scores if isinstance(one, Score)], np.float64)
        step(1)
    return found


def _measured(
    truths: list[float], numbers: list[float], groups: list[tuple[str, str]], thresholds: Mapping[str, float]
) -> Measured:
    sources, kinds = [source for source, _ in groups], [kind for _, kind in groups]
    whole = figures(truths, numbers, groups=sources)
    return Measured(np.array(truths), np.array(numbers), sources, kinds, whole, thresholds)


def _tones(metric: Metric, found: Sequence[Row], spec: Spec) -> dict[str, tuple[int, float]]:
    right: dict[str, list[bool]] = {}
    for row in found:
        score = metric.measure(Turn.of(row.text), "input")
        likeliest = max(spec.heads["tone"].labels, key=lambda label: row.truth[f"tone/{label}"])
        right.setdefault(row.source, []).append(isinstance(score, Score) and score.value == likeliest)
    return {source: (len(each), float(np.mean(each))) for source, each in right.items()}


def _personal(folder: Path) -> Metric:
    wanted = labels()
    recognisers = (Patterns(wanted), Presidio(wanted, None), Phones(), Head(wanted, folder))
    return personal_data("pii", recognisers, Pii())


def weights(measured: Measured, ordinary: Callable[[str], bool]) -> NDArray[np.float64]:
    """What each ordinary row counts, 1 in all: each source the same, for no app sees their mix."""
    names, counts = np.unique([source for source in measured.sources if ordinary(source)], return_counts=True)
    share = {name: 1 / (len(names) * count) for name, count in zip(names.tolist(), counts.tolist(), strict=True)}
    return np.array([share.get(source, 0.0) for source in measured.sources])
