"""From a trained network to the folder that Guard ships: graph, tokenizer, facts and card."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

from guard.metrics.onnx_model import Graph
from guard.training import scale
from guard.training.card import card
from guard.training.encode import Window
from guard.training.export import export
from guard.training.judge import graph_reader
from guard.training.report import report
from guard.training.rows import Fold, Row
from guard.training.run import Trained
from guard.training.validate import Judged, judged
from guard.training.watch import Watch

#: Windows that set the scales of int8, and others that its drift is measured on.
RANGES, PROBES = 600, 1000


def ship(trained: Trained, data: Path, folder: Path, watch: Watch) -> int:
    """Writes `model.onnx`, `tokenizer.json`, `model.json` and `card.md`; gives the bytes of the first two.

    Calibrated and reported on is the exported graph, since it is what runs. Raises SettingsError where it is too large.
    """
    spec = trained.spec
    chance = random.Random(spec.seed)
    ranges = list(_windows(trained, "train", RANGES, chance))
    probes = list(_windows(trained, "held", PROBES, chance))
    with watch.task("exporting", 1) as step:
        drift = export(trained.network, scale.uncalibrated(spec), trained.tokenizer, folder, ranges, probes)
        step(1)
    read = graph_reader(Graph.load(folder / "model.onnx"))

    def judge(fold: Fold) -> dict[str, Judged]:
        with watch.task(f"reading the {fold} rows", len(trained.data.by_source)) as step:
            return judged(fold, read, trained.data, trained.encoder, spec, step)

    facts = folder / "model.json"
    hashes = json.loads(facts.read_text(encoding="utf-8"))["sha256"]
    told = {**scale.facts(spec, judge("held"), judge("threshold")), "sha256": hashes}
    facts.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    size = sum((folder / name).stat().st_size for name in hashes)
    found = report(folder, trained.data, data, spec, watch)
    (folder / "card.md").write_text(card(spec, trained.data, found, drift, size), encoding="utf-8")
    return size


def _windows(trained: Trained, fold: Fold, number: int, chance: random.Random) -> Iterator[Window]:
    """Windows of rows of every source, pairs among them."""
    sources = [[row for row in found if row.fold == fold] for found in trained.data.by_source.values()]
    sources = [found for found in sources if found]
    chosen: list[Row] = [chance.choice(sources[at % len(sources)]) for at in range(number)]
    for row in chosen:
        yield chance.choice(chance.choice(trained.encoder.readings(row)))
