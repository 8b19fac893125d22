"""Harmless texts that the model so far takes for attacks: what it learns from next."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from guard.training.data import Data
from guard.training.encode import Encoder
from guard.training.judge import Reader, logits
from guard.training.rows import Row
from guard.training.spec import Mining, Spec


def mined(
    told: Mining,
    read: Reader,
    data: Data,
    encoder: Encoder,
    spec: Spec,
    chance: random.Random,
    step: Callable[[int], None],
) -> list[Row]:
    """The `keep` harmless training rows with the highest numbers of a head, of `pool` drawn evenly from the sources."""
    pools = [
        [row for row in data.by_source[name] if row.fold == "train" and row.truth.get(told.head) == 0.0]
        for name in told.sources
    ]
    each = told.pool // max(1, len(pools))
    drawn = [row for pool in pools for row in chance.sample(pool, min(each, len(pool)))]
    if not drawn:
        return []
    numbers = logits(read, drawn, encoder, step)[:, spec.columns.index(told.head)]
    return [drawn[at] for at in numbers.argsort()[::-1][: told.keep]]


def keep(found: Sequence[Row], file: Path) -> None:
    """The mined rows as JSON lines, for people to read and for a run to go on with; the whole file or none."""
    beside = file.with_suffix(".part")
    lines = (json.dumps({"source": row.source, "text": row.text}) + "\n" for row in found)
    beside.write_text("".join(lines), encoding="utf-8")
    beside.replace(file)


def kept(file: Path, told: Mining, data: Data) -> list[Row]:
    """The rows that were kept so."""
    harmless = (row for name in told.sources for row in data.by_source[name] if row.truth.get(told.head) == 0.0)
    known = {(row.source, row.text): row for row in harmless if row.fold == "train"}
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return [known[line["source"], line["text"]] for line in lines]
