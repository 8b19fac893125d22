"""The card of a head: what it was fitted on, how good it is, how to use it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from string import Template

import numpy as np

from guard.evaluate import Agreements, Estimate, Figures, Point
from guard.training.head.fit import repeats
from guard.training.head.linear import FOLDS
from guard.training.head.train import Trained

TEMPLATE = Path(__file__).with_name("card.template.md")
GIVES = {
    "number": "a number, 0 to 1: how much a text is what the rows labelled yes are",
    "labels": "labels: each one that reaches its threshold",
    "label": "one label: the likeliest",
}
#: A share of fewer rows than these gives a threshold that other rows would move far.
FEW = 5


def card(trained: Trained) -> str:
    """The card as markdown."""
    file, gathered = trained.file, trained.gathered
    times = repeats(trained.texts)
    counts = gathered.truth.table.sum(axis=0).tolist()
    names = file.labels or ("yes",)
    labels = [f"{_plain(name)}: {count:,}" for name, count in zip(names, counts, strict=True)]
    if file.gives == "number":
        labels.append(f"no: {trained.texts - counts[0]:,}")
    alert = warnings(trained)
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=file.name,
        gives=GIVES[file.gives],
        data=_plain(trained.wanted.data.name),
        sha256=gathered.sha256,
        rows=f"{trained.texts:,}",
        windows=f"{trained.windows:,}",
        units=f"{len(np.unique(gathered.units)):,}",
        labels=", ".join(labels),
        encoder=file.encoder.model,
        strengths=", ".join(
            f"{strength:.2g} ({_plain(label)})" if len(trained.strengths) > 1 else f"{strength:.2g}"
            for label, strength in trained.strengths.items()
        ),
        folds=FOLDS,
        repeats="once" if times == 1 else f"{times} times; the figures are those of the median time",
        figures="\n".join(_figures(trained)),
        warnings="\n".join(["", *(f"- **{line}**" for line in alert), ""]) if alert else "",
        yaml=declaration(trained),
    )


def declaration(trained: Trained) -> str:
    """What a policy says to use the head, as YAML."""
    file = trained.file
    rule = {
        "number": f"operator: gte, target_value: {file.thresholds[0] if file.thresholds else 0.5}",
        "labels": f"operator: any, target_value: [{', '.join(map(_quoted, file.labels))}]",
        "label": f"operator: any, target_value: [{', '.join(map(_quoted, file.labels[:1]))}]",
    }[file.gives]
    return (
        f"metrics:\n  {file.name}: {{kind: head, file: {file.name}.head.json}}\n"
        f"stages:\n  input:\n    rulesets:\n      - name: {file.name}\n        mode: observe\n"
        f"        rules: [{{metric: {file.name}, {rule}}}]\n        action: {{type: passthrough}}"
    )


def warnings(trained: Trained) -> list[str]:
    """What whoever reads the figures has to know first."""
    found = []
    gathered, result, rate = trained.gathered, trained.result, trained.wanted.false_positives
    figures = {"": result.figures} if result.figures else result.numbers
    for label, one in figures.items():
        about = f"'{label}': " if label else ""
        if one.auroc is not None and one.auroc.low <= 0.5:
            found.append(f"{about}it may do no better than chance: {one.auroc} holds 0.5; give more rows")
        against = one.rows - one.positives
        if rate * against < FEW:
            found.append(
                f"{about}{against:,} rows labelled no are few to find a threshold for {_percent(rate)} "
                f"false positives: {FEW / rate:,.0f} would do"
            )
    if gathered.contradicted:
        found.append(f"{gathered.contradicted:,} rows have the text of an earlier row and another label")
    if gathered.repeated:
        found.append(f"{gathered.repeated:,} rows have the text of an earlier row; they were kept in one fold")
    if gathered.left_out:
        found.append(f"{gathered.left_out:,} rows have no label and were left out")
    return found


def _figures(trained: Trained) -> Iterator[str]:
    result = trained.result
    rate = f"{trained.wanted.false_positives:g}"
    if result.figures is not None:
        yield f"AUROC {_of(result.figures.auroc)}, average precision {_of(result.figures.average_precision)}."
        yield ""
        yield from _points(trained.file.thresholds[0], result.figures, rate)
    if result.numbers:
        yield from _numbers(trained, result.numbers, rate)
    if result.labels is not None:
        yield from _agreements(result.labels)


def _points(threshold: float, figures: Figures, rate: str) -> Iterator[str]:
    yield "| threshold | at | recall | false positives | precision | F1 |"
    yield "|---|---|---|---|---|---|"
    points: dict[str, tuple[float, Point]] = {"even odds": (figures.at.threshold, figures.at)}
    points |= {
        f"{_percent(float(name))} false positives": (one.threshold, one) for name, one in figures.at_rates.items()
    }
    proposed = f"{_percent(float(rate))} false positives"
    points[proposed] = (threshold, points[proposed][1])
    for name, (at, point) in points.items():
        shares = (point.recall, point.false_positives, point.precision, point.f1)
        shown = "none" if at == float("inf") else f"{at:.4g}"
        mark = " (proposed)" if name == proposed else ""
        yield f"| {name}{mark} | {shown} | {' | '.join(map(_of, shares))} |"


def _numbers(trained: Trained, numbers: Mapping[str, Figures], rate: str) -> Iterator[str]:
    at = f"threshold for {_percent(float(rate))} false positives"
    yield f"| label | yes | AUROC | average precision | {at} | recall there |"
    yield "|---|---|---|---|---|---|"
    for (label, one), threshold in zip(numbers.items(), trained.file.thresholds, strict=True):
        areas = f"{_of(one.auroc)} | {_of(one.average_precision)}"
        yield f"| {_plain(label)} | {one.positives:,} | {areas} | {threshold:.4g} | {_of(one.at_rates[rate].recall)} |"
    yield ""


def _agreements(found: Agreements) -> Iterator[str]:
    yield "| label | there | found | right | precision | recall | F1 |"
    yield "|---|---|---|---|---|---|---|"
    for label, one in {"all": found.total, **found.labels}.items():
        counts = f"{one.truths:,} | {one.found:,} | {one.right:,}"
        yield f"| {_plain(label)} | {counts} | {_of(one.precision)} | {_of(one.recall)} | {_of(one.f1)} |"


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _of(estimate: Estimate | None) -> str:
    return "" if estimate is None else str(estimate)


def _plain(text: str) -> str:
    """A user's word where it can break neither a table nor code."""
    return " ".join(text.replace("|", "/").replace("`", "'").split())


def _quoted(label: str) -> str:
    return "'" + label.replace("'", "''") + "'"
