from __future__ import annotations

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.evaluate import Row
from guard.training.head import embed
from guard.training.head.embed import Texts, embedded

LONG = "the cat sat on the mat and then it slept for hours in the warm sun. " * 4


def read(model, *texts, moved=lambda: None):
    return embedded([(Row(f"a.csv:{number}", {}), text) for number, text in enumerate(texts, start=2)], model, moved)


def test_embeddings_are_those_of_the_run_time_in_order(model):
    texts = [f"the {word} sat" for word in ("cat", "dog", "committee", "river", "sun")] * 20
    found = read(model, *texts)
    assert np.array_equal(found.embeddings, np.concatenate([model.read(text).embeddings for text in texts]))
    assert found.owners.tolist() == list(range(100))


def test_a_text_is_read_as_it_means_like_at_run_time(model):
    assert np.array_equal(read(model, "ｃａｔ").embeddings, model.read("cat").embeddings)


def test_a_long_text_has_all_its_windows(model):
    found = read(model, "cat", LONG, "dog")
    assert found.windows.tolist() == [1, len(model.read(LONG).ranges), 1]
    assert found.count == 3
    assert found.windows[1] > 1


def test_the_mean_of_a_text_weighs_windows_by_their_tokens():
    table = np.array([[1.0], [2.0], [5.0]], np.float32)
    means = Texts(table, np.array([0, 1, 1]), np.array([7, 10, 30])).means()
    assert means.embeddings.tolist() == [[1.0], [4.25]]


def test_some_of_the_texts_are_numbered_anew():
    texts = Texts(np.arange(4, dtype=np.float32)[:, None], np.array([0, 1, 1, 2]), np.ones(4, int))
    part = texts.of(np.array([False, True, True]))
    assert (part.owners.tolist(), part.embeddings[:, 0].tolist()) == ([0, 0, 1], [1, 2, 3])


def test_every_text_is_heard_of(model):
    heard = []
    read(model, *["cat"] * 7, moved=lambda: heard.append(1))
    assert len(heard) == 7


def test_a_text_that_the_encoder_cannot_read_is_refused_with_its_place(model, monkeypatch):
    with pytest.raises(SettingsError, match=r"a.csv:3: the encoder finds nothing to read"):
        read(model, "cat", "\0")
    with pytest.raises(SettingsError, match=r"a.csv:2: the text has more than 500000 tokens; cut it"):
        read(model, "a " * 500_001)
    monkeypatch.setattr(embed, "MOST_WINDOWS", 2)
    with pytest.raises(SettingsError, match=r"a.csv:4: the texts so far take 2 windows"):
        read(model, "cat", "dog", "sun")
