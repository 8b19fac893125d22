"""Evaluating metrics on labelled rows: what they give, against what is right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from guard.errors import SettingsError
from guard.evaluate.rows import Row
from guard.evaluate.score import Scorer, scored
from guard.evaluate.tally import Result, Tally
from guard.evaluate.truth import HINT, truth_of


@dataclass(frozen=True, slots=True)
class Question:
    """What is right, and how to look at it.

    `label` is the field that holds the truth (a path, `labels.toxic`), `renamed` the labels of another name there
    (theirs → ours), `group` a field to give figures by. `at` is the threshold to look at; `low` says that a truth of 1
    means a low number.
    """

    label: str = "label"
    renamed: Mapping[str, str] = field(default_factory=dict)
    group: str | None = None
    at: float = 0.5
    low: bool = False


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A result for each metric, and how many rows were left out since they have no label."""

    results: tuple[Result, ...]
    unlabelled: int


async def evaluate(rows: Iterable[Row], scorer: Scorer, question: Question, at_once: int = 16) -> Evaluation:
    """The scorer's metrics on these rows, or where it has none, whatever the rows have scores of.

    Scores that a row has are taken as they are. Raises SettingsError where a row cannot be read, and where no row has a
    label or a score.
    """
    labelled = _Labelled(rows, question.label)
    tallies: dict[str, Tally] = {}
    async for row, measured in scored(labelled, scorer, at_once, again=False):
        entries = {**row.scores, **measured}
        truth = truth_of(row, question.label, question.renamed)
        group = "" if question.group is None else _name(row.at(question.group))
        assert truth is not None, "rows without a label were left out"
        for name in scorer.metrics or entries:
            if name not in tallies:
                grouped = question.group is not None
                tallies[name] = Tally(name, at=question.at, low=question.low, grouped=grouped)
            tallies[name].add(row, truth, entries[name], group)
    if not labelled.found:
        known = ", ".join(labelled.fields) or "nothing"
        raise SettingsError(
            f"no row has a '{question.label}'; rows have {known}; name the field with --label, and {HINT}"
        )
    if not tallies:
        raise SettingsError("the rows have no scores; name what to measure with --metric")
    return Evaluation(tuple(tally.result() for tally in tallies.values()), labelled.left_out)


class _Labelled:
    """The rows that have a label, counting the others."""

    def __init__(self, rows: Iterable[Row], label: str) -> None:
        self._rows, self._label = rows, label
        self.found = self.left_out = 0
        self.fields: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Row]:
        for row in self._rows:
            self.fields = self.fields or tuple(row.fields)
            if row.at(self._label) is None:
                self.left_out += 1
            else:
                self.found += 1
                yield row


def _name(group: Any) -> str:
    return "none" if group is None else group if isinstance(group, str) else str(group)
