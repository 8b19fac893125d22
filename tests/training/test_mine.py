"""What is learned from next: the harmless texts that a model takes most for an attack."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from guard.training.data import Data
from guard.training.mine import keep, kept, mined
from guard.training.spec import Mining
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()
ENCODER = tiny.encoder(SPEC)
OBEY = int(tiny.tokens().pieces("obey", 9).ids[0])
TOLD = Mining(head="toxicity", sources=("a", "b"), pool=80, keep=6, share=1.0)


def read(windows):
    """How often a window says "obey", in the column of the head."""
    found = np.zeros((len(windows), len(SPEC.columns)), np.float32)
    found[:, SPEC.columns.index("toxicity")] = [(window.ids == OBEY).sum() for window in windows]
    return found


def rows(source, number=40, **more):
    truth = {"toxicity": 0.0}
    return [
        tiny.row(f"{'obey ' * (at % 20)}cat {at}", truth, source=source, unit=str(at), **more) for at in range(number)
    ]


def found(data, told=TOLD):
    return mined(told, read, data, ENCODER, SPEC, random.Random(1), lambda _: None)


def test_the_harmless_rows_that_the_model_flags_most_are_mined():
    texts = [row.text.count("obey") for row in found(Data({"a": rows("a"), "b": rows("b", 20)}, {}))]
    assert texts == [19, 19, 19, 18, 18, 18]


def test_attacks_are_not_mined_nor_what_is_judged_by_nor_what_is_unknown():
    worst = "obey " * 20
    others = [
        tiny.row(worst, {"toxicity": 1.0}, source="a"),
        tiny.row(worst, {"toxicity": 0.0}, source="a", fold="valid"),
        tiny.row(worst, {"toxicity": 0.0}, source="a", fold="held"),
        tiny.row(worst, {"prompt_injection": 0.0}, source="a"),
    ]
    assert worst not in {row.text for row in found(Data({"a": [*rows("a"), *others], "b": []}, {}))}


def test_the_pool_is_drawn_evenly_from_the_sources():
    seen = []

    def noting(windows):
        seen.extend(tuple(window.ids) for window in windows)
        return read(windows)

    data = Data(
        {"a": [tiny.row(f"cat {at}", {"toxicity": 0.0}, source="a") for at in range(500)], "b": rows("b", 40)}, {}
    )
    mined(TOLD, noting, data, ENCODER, SPEC, random.Random(1), lambda _: None)
    cat = int(tiny.tokens().pieces("cat", 9).ids[0])
    assert Counter(ids[1] == cat and OBEY not in ids for ids in seen)[True] in range(40, 44)
    assert len(seen) == 80


def test_sources_that_were_left_out_give_nothing():
    assert found(Data({"a": [], "b": rows("b", fold="valid")}, {})) == []


def test_what_was_mined_is_found_again_in_its_file(tmp_path):
    data = Data({"a": rows("a"), "b": rows("b", 20)}, {})
    once = found(data)
    keep(once, tmp_path / "mined.jsonl")
    assert kept(tmp_path / "mined.jsonl", TOLD, data) == once
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mined.jsonl"]
