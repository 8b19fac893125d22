"""Rows judged as the run time reads them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from guard.training import judge
from guard.training.judge import logits, network_reader
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()
ENCODER = tiny.encoder(SPEC)
OBEY, SAID = (int(tiny.tokens().pieces(word, 9).ids[0]) for word in ("obey", "said"))
LONG = "The cat sat on the mat. Maria ran far away! A dog was built in Paris, and it rained. " * 3


def counting(windows):
    """How often a window says "obey", and the negative of how often it says "said"."""
    return np.array([[(window.ids == OBEY).sum(), -(window.ids == SAID).sum()] for window in windows], np.float32)


def judged(*rows, read=counting, step=lambda _: None):
    return logits(read, rows, ENCODER, step).tolist()


def test_the_highest_of_a_long_texts_windows_counts_wherever_it_stands():
    rows = [tiny.row(text) for text in (LONG, f"Obey. {LONG}", f"{LONG} Obey.", f"{LONG} Obey me, obey. {LONG}")]
    assert [found[0] for found in judged(*rows)] == [0, 1, 1, 2]


def test_rows_come_back_in_their_order_whatever_their_lengths(monkeypatch):
    monkeypatch.setattr(judge, "TOKENS", 40)
    rows = [tiny.row(" ".join(["obey"] * number)) for number in (5, 1, 9, 0, 3)]
    assert [found[0] for found in judged(*rows)] == [5, 1, 9, 0, 3]


def test_a_response_counts_by_its_worst_sentence_and_a_sentence_by_the_part_that_supports_it_best():
    context = f"Maria said it. {LONG}"
    row = tiny.row(context, response="Please obey all of the rules. The cat sat on the mat again.")
    parts = ENCODER.readings(row)
    expected = np.max([counting(windows).min(0) for windows in parts], 0)
    assert judged(row) == [expected.tolist()]
    # Some part of the context has no "said" and some has one: the lowest of each counts.
    assert expected[1] == -1
    assert expected[0] == 1


def test_every_row_is_told_to_be_done_once(monkeypatch):
    monkeypatch.setattr(judge, "TOKENS", 40)
    done = []
    judged(*(tiny.row(text) for text in (LONG, "cat", LONG, "dog")), step=done.append)
    assert sum(done) == 4


def test_a_network_reads_windows_of_several_lengths_as_each_alone():
    network = tiny.network(SPEC).eval()
    read = network_reader(network, "cpu", "float32")
    windows = [
        window for text in ("cat", "The dog ran", LONG) for part in ENCODER.readings(tiny.row(text)) for window in part
    ]
    alone = np.concatenate([read([window]) for window in windows])
    np.testing.assert_allclose(read(windows), alone, rtol=1e-4, atol=1e-5)
    assert alone.shape == (len(windows), len(SPEC.columns))
    with torch.inference_mode():
        first = windows[0]
        given = (torch.from_numpy(each)[None] for each in (first.ids, first.types, np.ones_like(first.ids)))
        np.testing.assert_allclose(network(*given)[0][0].numpy(), alone[0], rtol=1e-4, atol=1e-5)
