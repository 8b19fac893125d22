"""One reading from the passes over a text's windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from guard.metrics.encoder.facts import facts
from guard.metrics.encoder.reading import Pass, Reading, sigmoid, softmax
from guard.metrics.encoder.tokenised import Range, Tokenised
from tests.metrics.encoder import tiny


def reading(folder: Path, *ranges: Range) -> Reading:
    """A reading in which a token's logit is the number of its window and the columns are the window's number too."""
    said = facts(folder)
    numbers = np.arange(ranges[-1][1])
    text = Tokenised(numbers, numbers, np.stack([numbers, numbers + 1], 1).astype(np.int32), numbers.astype(np.int32))
    passes = [
        Pass(
            np.full(len(said.columns), window, np.float32),
            np.full((end - first + 2, 1), window, np.float32),
            np.full(2, window, np.float32),
        )
        for window, (first, end) in enumerate(ranges)
    ]
    return Reading.of(said, text, ranges, passes)


def test_what_two_windows_share_is_told_by_the_one_that_sees_more_around_it(folder: Path) -> None:
    found = reading(folder, (0, 6), (2, 8), (8, 11))
    assert found.tokens[:, 0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]


def test_windows_stand_in_order_with_their_characters_and_lengths(folder: Path) -> None:
    found = reading(folder, (0, 6), (2, 8))
    assert (found.windows, found.lengths) == ([(0, 6), (2, 8)], [6, 6])
    assert found.columns[:, 0].tolist() == found.embeddings[:, 0].tolist() == [0, 1]


def test_probabilities_are_calibrated_by_column(tmp_path: Path) -> None:
    heads = tiny.heads()
    heads["sexism"] |= {"scale": 2.0, "bias": -1.0}
    folder = tiny.write(tmp_path, heads=heads)
    found = reading(folder, (0, 1), (0, 1))
    names = facts(folder).columns
    assert found.probabilities[1, names.index("sexism")] == pytest.approx(1 / (1 + np.exp(-1)))
    assert found.probabilities[1, names.index("toxicity")] == pytest.approx(1 / (1 + np.exp(-1)))
    assert found.probabilities[0, names.index("sexism")] == pytest.approx(1 / (1 + np.exp(1)))


def test_logits_of_any_size_give_numbers() -> None:
    logits = np.array([-1e4, 0, 1e4], np.float32)
    assert sigmoid(logits).tolist() == [0, 0.5, 1]
    assert softmax(logits).tolist() == [0, 0, 1]
