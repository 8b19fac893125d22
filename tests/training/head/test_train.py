"""From rows to a metric, on an encoder that knows words."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.metrics import Score, Turn
from guard.metrics.encoder import Encoder
from guard.metrics.encoder import head as room
from guard.metrics.metric import Metric
from guard.metrics.registry import make
from guard.policies import load_policy
from guard.training.head.card import card, declaration, warnings
from guard.training.head.gather import Wanted
from guard.training.head.train import Trained, train
from guard.training.head.write import write

QUIET = ("the", "cat", "sat", "on", "mat", "dog", "ran", "far", "away", "then", "it", "slept", "in", "warm", "sun")
LONG = "the cat sat on the mat and then it slept for hours in the warm sun. " * 4


def texts(count: int, *words: str, seed: int = 0) -> list[str]:
    """Different texts, the odd ones with one of the words."""
    chance = random.Random(seed)
    found: list[str] = []
    for number in range(count):
        said: list[str] = chance.sample(QUIET, 5)
        if number % 2:
            said[chance.randrange(5)] = chance.choice(words)
        found.append(" ".join(said))
    return found


def rows(count: int, seed: int = 0) -> list[dict[str, Any]]:
    return [
        {"text": text, "label": number % 2} for number, text in enumerate(texts(count, "insult", "attack", seed=seed))
    ]


def trained(model: Encoder, folder: Path, given: list[dict[str, Any]], **wanted: Any) -> Trained:
    file = folder / "rows.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in given))
    return train("rude", Wanted(file, **wanted), model, lambda what, steps: lambda: None)


def metric(found: Trained, into: Path, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Metric:
    monkeypatch.setattr(room, "FOLDER", folder)
    write(found, into)
    return make("rude", {"kind": "head", "file": "rude.head.json"}, into)


def measured(metric: Metric, text: str) -> Any:
    score = metric.measure(Turn.of(text), "input")
    assert isinstance(score, Score)
    return score


def test_a_number_tells_new_texts_apart_and_names_the_window(model, folder, tmp_path, monkeypatch):
    found = trained(model, tmp_path, rows(200), false_positives=0.05)
    rude = metric(found, tmp_path, monkeypatch, folder)
    assert found.result.figures.auroc.value > 0.9
    new = [measured(rude, text).value for text in texts(100, "insult", "attack", seed=1)]
    assert np.mean(np.array(new[1::2])[:, None] > np.array(new[::2])) > 0.9
    score = measured(rude, LONG + "An insult, an attack, insult!")
    assert score.labels == ("rude",)
    assert all(span.end > len(LONG) for span in score.spans)


def test_held_out_scores_are_what_the_run_time_gives_of_a_long_text(model, folder, tmp_path, monkeypatch):
    given = [
        {"text": (LONG if number % 4 < 2 else "") + row["text"], "label": row["label"]}
        for number, row in enumerate(rows(120))
    ]
    found = trained(model, tmp_path, given)
    assert found.windows > found.texts
    rude = metric(found, tmp_path, monkeypatch, folder)
    values = np.array([measured(rude, row["text"]).value for row in given])
    assert np.mean(values[1::2][:, None] > values[::2]) > 0.9


def test_classes_become_the_likeliest_label(model, folder, tmp_path, monkeypatch):
    kinds = ("insult", "paris", "maria")
    given = [
        {"text": text.replace("harm", kinds[number % 3]), "label": kinds[number % 3]}
        for number, text in enumerate(
            f"{' '.join(random.Random(number).sample(QUIET, 4))} harm" for number in range(90)
        )
    ]
    found = trained(model, tmp_path, given)
    rude = metric(found, tmp_path, monkeypatch, folder)
    assert (rude.kind, rude.labels) == ("label", set(kinds))
    assert measured(rude, "then maria slept in the warm sun").value == "maria"
    assert found.result.labels.total.f1.value > 0.8


def test_lists_become_labels_with_a_threshold_each(model, folder, tmp_path, monkeypatch):
    given = []
    for number in range(160):
        labels = [name for bit, name in enumerate(("insult", "paris")) if number >> bit & 1]
        said = [*random.Random(number).sample(QUIET, 6 - len(labels)), *labels]
        given.append({"text": " ".join(said), "label": labels})
    found = trained(model, tmp_path, given[:120], false_positives=0.1)
    rude = metric(found, tmp_path, monkeypatch, folder)
    assert rude.kind == "labels"
    assert np.mean([set(measured(rude, row["text"]).value) == set(row["label"]) for row in given[120:]]) > 0.6
    assert len(found.file.thresholds) == 2


def test_the_same_rows_give_the_same_file(model, tmp_path):
    first, second = (trained(model, tmp_path, rows(60)) for _ in range(2))
    assert first.file.model_dump() == second.file.model_dump()


def test_the_file_is_small_and_needs_numpy_only(model, tmp_path):
    file, card_file = write(trained(model, tmp_path, rows(40)), tmp_path / "new")
    assert (file.name, card_file.name) == ("rude.head.json", "rude.card.md")
    assert file.stat().st_size < 2_000
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["rude.card.md", "rude.head.json"]


def test_the_card_says_what_was_held_out_and_what_to_doubt(model, tmp_path):
    given = [*rows(20), {"text": rows(20)[0]["text"].upper(), "label": 1}, {"text": "unlabelled"}]
    found = trained(model, tmp_path, given, false_positives=0.01)
    text = card(found)
    assert "$" not in text
    assert "| rows | 21 (21 windows), of 20 different texts or groups |" in text
    assert "1 % false positives (proposed)" in text
    alerts = "\n".join(warnings(found))
    assert "10 rows labelled no are few to find a threshold for 1 % false positives: 500 would do" in alerts
    assert "1 rows have the text of an earlier row and another label" in alerts
    assert "1 rows have no label and were left out" in alerts
    assert all(f"- **{line}**" in text for line in warnings(found))


@pytest.mark.parametrize("kind", ["number", "label", "labels"])
def test_what_a_policy_has_to_say_is_a_policy(model, folder, tmp_path, monkeypatch, kind):
    monkeypatch.setattr(room, "FOLDER", folder)
    named = {0: "a 'quoted' one", 1: "insult"}
    given = rows(60) if kind == "number" else [{**row, "label": named[row["label"]]} for row in rows(60)]
    found = trained(model, tmp_path, given, gives="labels" if kind == "labels" else None)
    assert found.file.gives == kind
    write(found, tmp_path)
    (tmp_path / "shop.yaml").write_text(f"policy: shop\n{declaration(found)}\n")
    load_policy(tmp_path / "shop.yaml")


def test_a_label_that_cannot_be_learnt_is_named(model, tmp_path):
    given = []
    for row in rows(40):
        rude = ["insult"] * row["label"]
        # To the encoder of these tests the same words in another order are the same.
        given.append({"text": row["text"], "label": [*rude, "odd"]})
        given.append({"text": " ".join(reversed(row["text"].split())), "label": rude})
    with pytest.raises(SettingsError, match="'odd': on rows held out the head does no better than chance"):
        trained(model, tmp_path, given)


def test_a_folder_that_cannot_be_written_is_told(model, tmp_path):
    found = trained(model, tmp_path, rows(20))
    with pytest.raises(SettingsError, match=r"--into: .*rows\.jsonl cannot be written .*; name another folder"):
        write(found, tmp_path / "rows.jsonl")
