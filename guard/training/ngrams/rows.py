"""The rows a head learns from and is judged by, each in its fold."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guard.errors import SettingsError
from guard.metrics.normalise import views
from guard.training.ngrams.spec import HeadSpec, Source

Fold = Literal["train", "held", "valid"]
WRITTEN = Path(__file__).parents[1] / "corpus"


@dataclass(frozen=True, slots=True)
class Row:
    """One text. `truth` says 0 or 1 for each column that is known of it: the head's name and its labels."""

    text: str
    truth: Mapping[str, int]
    source: str
    kind: str
    fold: Fold
    weight: float
    ordinary: bool


def rows(head: HeadSpec, data: Path, seed: int) -> list[Row]:
    """All rows of a head. A text stands in one fold only: what is in `valid` or `held` is not trained on.

    Raises SettingsError where a file is missing or is not the one the spec names.
    """
    found = [row for source in head.sources for row in _of_source(source, head, data, random.Random(seed))]
    kept: dict[str, Row] = {}
    for fold in ("valid", "held", "train"):
        for row in found:
            if row.fold == fold:
                kept.setdefault(row.text, row)
    return list(kept.values())


def _of_source(source: Source, head: HeadSpec, data: Path, chance: random.Random) -> Iterator[Row]:
    lines = list(_lines(source, data))
    chance.shuffle(lines)
    of_detail: Counter[str] = Counter()
    trained = 0
    for line in lines:
        detail = str(line.get("detail", ""))
        truth, weight = _truth(line, source, head)
        if head.name not in truth or (source.skip and detail.startswith(source.skip)):
            continue
        fold = _fold(line)
        if fold != "valid":
            of_detail[detail] += 1
            trained += 1
            if trained > (source.most or trained) or of_detail[detail] > (source.most_each or trained):
                continue
        text = views(line[source.text], decoded=False)[0].text
        kind = str(line.get("kind") or line.get("group") or "").split("/")[0]
        yield Row(text, truth, Path(source.file).name.split(".")[0], kind, fold, weight, source.ordinary)


def _lines(source: Source, data: Path) -> Iterator[dict[str, Any]]:
    file = (WRITTEN if source.written else data) / source.file
    if not file.is_file():
        raise SettingsError(f"{file} is missing; guard/training/manifest.json says where its rows come from")
    unpacked = gzip.decompress(file.read_bytes())
    if hashlib.sha256(unpacked).hexdigest() != source.sha256:
        raise SettingsError(f"{file} is not the file that the spec names; give its sha256 in the spec to train on it")
    for line in unpacked.splitlines():
        yield json.loads(line)


def _truth(line: Mapping[str, Any], source: Source, head: HeadSpec) -> tuple[dict[str, int], float]:
    if source.label is not None:
        return dict.fromkeys((head.name, *head.labels), source.label), source.weight
    said = line.get("labels", line)
    truth = {label: int(said[label] >= 0.5) for label in head.labels if label in said}
    if line.get("category"):
        truth = {label: int(label in line["category"]) for label in head.labels}
    if head.key in said:
        return {**truth, head.name: int(said[head.key] >= 0.5)}, source.weight
    if source.unlabelled is not None:
        return {**truth, head.name: 0}, source.weight * source.unlabelled
    return truth, source.weight


def _fold(line: Mapping[str, Any]) -> Fold:
    """A tenth is held out for calibration. Pairs and numbered groups stay together."""
    if "split" in line:
        if line["split"] == "valid":
            return "valid"
        return "held" if int(hashlib.sha256(line["text"].encode()).hexdigest(), 16) % 10 == 5 else "train"
    group = line.get("group") or ""
    if group.startswith("identity_x"):
        return "train"  # the same few sentences for many identities: in another fold they would be known already
    last = (line.get("pair") or (group if group[-1:].isdigit() else line["id"]))[-1]
    return "valid" if last == "0" else "held" if last == "5" else "train"
