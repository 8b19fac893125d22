"""The model's card: what it is, what it was made of, how good it is."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

from guard.metrics.grams import BITS
from guard.training.ngrams.report import Measured, figures
from guard.training.ngrams.rows import Row
from guard.training.ngrams.spec import Spec

TEMPLATE = Path(__file__).with_name("card.template.md")
MANIFEST = Path(__file__).parents[1] / "manifest.json"


def card(spec: Spec, by_head: Mapping[str, Sequence[Row]], reports: Sequence[Measured], size: int) -> str:
    """The card as markdown; `size` is that of the weights' file in bytes."""
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
        name=spec.name,
        size=f"{size / 2**20:.1f} MiB",
        window=spec.window.size,
        overlap=spec.window.overlap,
        bits=BITS,
        priors=" ".join(
            f"A `{head.name}` of 0.5 is even odds where {head.prior:.0%} of texts like the held-out ones are the thing."
            for head in spec.heads
        ),
        figures="\n".join(figures(report) for report in reports),
        data="\n".join(_data(spec, by_head)),
    )


def _data(spec: Spec, by_head: Mapping[str, Sequence[Row]]) -> list[str]:
    known = {entry["file"]: entry for entry in json.loads(MANIFEST.read_text(encoding="utf-8"))}
    lines = ["| head | file | rows trained / validated on | repository | licence |", "|---|---|---|---|---|"]
    for head in spec.heads:
        counts = Counter((row.source, row.fold) for row in by_head[head.name])
        for source in head.sources:
            entry = known.get(source.file, {"repo": "this project", "licence": "Apache-2.0"} if source.written else {})
            name = Path(source.file).name.split(".")[0]
            rows = f"{counts[name, 'train']:,} / {counts[name, 'valid']:,}"
            where, licence = entry.get("repo", "not in the manifest"), entry.get("licence", "not in the manifest")
            lines.append(f"| {head.name} | {source.file} | {rows} | {where} | {licence} |")
    return lines
