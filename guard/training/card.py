"""The model's card: what it is, what it was made of, how good it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from string import Template

import numpy as np

from guard.training.data import Data
from guard.training.export import Drift
from guard.training.pii.report import table
from guard.training.report import Measured, Report, weights
from guard.training.spec import Spec

TEMPLATE = Path(__file__).with_name("card.template.md")
MANIFEST = Path(__file__).with_name("manifest.json")
#: Groups of fewer rows are left out: their shares say nothing.
FEWEST = 10


def card(spec: Spec, data: Data, report: Report, drift: Drift, size: int) -> str:
    """The card as Markdown; `size` is that of the model's files in bytes."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=f"{spec.name} {spec.version}",
        size=f"{size / 2**20:.1f} MiB",
        package=spec.encoder.package,
        window=spec.window.tokens,
        overlap=spec.window.overlap,
        drift=_drift(drift),
        figures="\n".join(line for name, measured in report.numbers.items() for line in _head(name, measured, spec)),
        hidden="\n".join(_hidden(report)),
        tones="\n".join(f"| {name} | {rows} | {right:.0%} |" for name, (rows, right) in report.tones.items()),
        templates=table(report.pii["templates"]),
        natural=table(report.pii["natural"]),
        data="\n".join(_data(spec, data)),
    )


def _head(name: str, measured: Measured, spec: Spec) -> Iterator[str]:
    """One head: its thresholds, then every source and kind of rows at them."""
    told = measured.figures
    yield f"### {name}"
    yield ""
    yield f"{told.rows:,} rows, {told.positives:,} of which should be found: AUROC {told.auroc}, average precision "
    yield f"{told.average_precision}."
    yield ""
    ordinary = weights(measured, lambda source: _is_ordinary(source, spec))
    columns = {"0.5": 0.5, **_cuts(measured)}
    yield f"| threshold | {' | '.join(columns)} |"
    yield f"|---|{'---|' * len(columns)}"
    yield f"| at | {' | '.join(f'{cut:.3f}' for cut in columns.values())} |"
    if ordinary.any():
        shares = (ordinary[measured.numbers >= cut].sum() for cut in columns.values())
        yield f"| ordinary texts flagged | {' | '.join(f'{share:.1%}' for share in shares)} |"
    found = (np.mean(measured.numbers[measured.truth == 1] >= cut) for cut in columns.values())
    yield f"| found of all that should be | {' | '.join(f'{share:.1%}' for share in found)} |"
    yield ""
    yield f"| rows of | are | number | AUROC | flagged at {' / '.join(columns)} | learned from its source |"
    yield "|---|---|---|---|---|---|"
    for source in sorted(set(measured.sources)):
        yield from _source(source, measured, list(columns.values()), spec)
    yield ""


def _source(source: str, measured: Measured, cuts: list[float], spec: Spec) -> Iterator[str]:
    inside = np.array([each == source for each in measured.sources])
    learned = "yes" if source not in spec.sources or spec.sources[source].share else "no"
    figures = measured.figures.groups[source]
    area = f"{figures.auroc.value:.3f}" if figures.auroc else ""
    kinds = np.array(measured.kinds, dtype=object)
    few = len(set(kinds[inside])) <= 12
    for truth, said in ((1, "to be found"), (0, "harmless")):
        for kind in sorted(set(kinds[inside])) if few else [None]:
            part = inside & (measured.truth == truth) & (kinds == kind if kind is not None else True)
            if part.sum() >= FEWEST:
                shares = " / ".join(f"{np.mean(measured.numbers[part] >= cut):.1%}" for cut in cuts)
                group = f"{source} {kind}" if kind else source
                yield f"| {group} | {said} | {part.sum():,} | {area} | {shares} | {learned} |"


def _hidden(report: Report) -> Iterator[str]:
    cuts = {"0.5": 0.5, **_cuts(report.numbers["prompt_injection"])}
    yield f"| hidden as | attacks | found at {' / '.join(cuts)} |"
    yield "|---|---|---|"
    for kind, numbers in report.hidden.items():
        shares = " / ".join(f"{np.mean(numbers >= cut):.1%}" for cut in cuts.values())
        yield f"| {kind} | {len(numbers):,} | {shares} |"


def _cuts(measured: Measured) -> dict[str, float]:
    """The model's thresholds, by the share of ordinary texts that they are for."""
    return {f"{float(rate):.1%}": cut for rate, cut in measured.thresholds.items()}


def _drift(drift: Drift) -> str:
    return (
        f"Over {drift.windows:,} windows of rows kept from training, probabilities differ by {drift.columns:.4f} on "
        f"average and {drift.columns_worst:.3f} at most, those of tokens by {drift.tokens:.4f} and "
        f"{drift.tokens_worst:.3f}; of {drift.decisions:,} decisions at even odds {drift.flipped:,} flip. The "
        f"embedding's cosine is {drift.embedding:.4f} on average, {drift.embedding_worst:.3f} at least. The scales of "
        "int8 are fixed, so a score depends on its own text alone."
    )


def _is_ordinary(source: str, spec: Spec) -> bool:
    return source in spec.sources and spec.sources[source].ordinary


def _data(spec: Spec, data: Data) -> Iterator[str]:
    known = {entry["file"]: entry for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))}
    ours = {"repo": "this project", "licence": "Apache-2.0"}
    yield "| source | task | rows trained / validated on | share of what was drawn | repository | licence |"
    yield "|---|---|---|---|---|---|"
    total = sum(share for _, share in data.drawers.values())
    for name, found in data.by_source.items():
        source = spec.sources.get(name)
        file = source.file if source else f"pii/{name}.jsonl.gz"
        entry = known.get(file, ours)
        counts = Counter(row.fold for row in found)
        rows = f"{counts['train']:,} / {counts['valid']:,}"
        share = data.drawers[name][1] / total if name in data.drawers else 0.0
        task = source.task if source else "pii"
        yield f"| {name} | {task} | {rows} | {share:.1%} | {entry['repo']} | {entry['licence']} |"
