"""A token classifier of the user's own beside the patterns, on a model that tags the pieces it is told."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Cost, Metric, Score, Turn
from guard.metrics.checkpoint import Source
from guard.metrics.pii import Pii
from tests.metrics.checkpoints import wordpiece
from tests.metrics.test_token_classifier import Tagger


@pytest.fixture(autouse=True)
def model(monkeypatch: pytest.MonkeyPatch) -> Tagger:
    """What every source loads: it takes "hello" for a person, and less surely "bomb" for a place."""
    tagger = Tagger({"hello": "B-PER", "bomb": {"B-LOC": 0.4, "O": 0.6}}, longest=64)
    monkeypatch.setattr(Source, "load", lambda source, device, threads: tagger)
    return tagger


def pii(beside: Path = Path(), *, wanted: object = None, **fields: object) -> Metric:
    classifier = {"model": "org/tagger", "labels": {"PER": "name"}, **fields}
    settings = {"model": False, "token_classifier": classifier} | ({"labels": wanted} if wanted else {})
    return Pii.model_validate(settings).make("mine", beside)


def read(metric: Metric, text: str) -> list[tuple[str, str]]:
    measured = metric.measure(Turn.of(text, "input"), "input")
    assert isinstance(measured, Score), measured
    return [(span.label, text[span.start : span.end]) for span in measured.spans]


def test_its_entities_stand_beside_what_the_patterns_find() -> None:
    metric = pii()
    assert metric.labels
    assert {"name", "email"} <= metric.labels
    assert metric.cost == Cost.MODEL
    assert read(metric, "hello, mail a.b@example.com") == [("name", "hello"), ("email", "a.b@example.com")]


def test_entities_that_are_not_named_are_left_out() -> None:
    assert read(pii(threshold=0.3), "bomb hello") == [("name", "hello")]
    assert read(pii(threshold=0.3, labels={"LOC": "location"}), "bomb hello") == [("location", "bomb")]


def test_an_entity_that_is_called_as_one_of_our_labels_counts_only_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tagger = Tagger({"hello": "B-email"}, ("O", "B-PER", "B-email"), longest=64)
    monkeypatch.setattr(Source, "load", lambda source, device, threads: tagger)
    assert read(pii(), "hello") == []
    assert read(pii(labels={"PER": "name", "email": "email"}), "hello") == [("email", "hello")]


def test_what_reaches_its_own_threshold_reaches_the_score_of_even_odds() -> None:
    metric = pii(labels={"LOC": "location"}, thresholds={"location": 0.4})
    measured = metric.measure(Turn.of("a bomb", "input"), "input")
    assert isinstance(measured, Score)
    assert [span.score for span in measured.spans] == pytest.approx([0.5])


def test_a_checksum_knows_better_than_the_model(model: Tagger) -> None:
    model.rows = dict.fromkeys(range(200), model._row({"B-PER": 0.999}))
    assert ("credit_card_info", "4111 1111 1111 1111") in read(pii(), "card 4111 1111 1111 1111")


def test_it_is_not_asked_for_labels_that_nobody_wants(model: Tagger) -> None:
    assert read(pii(wanted=["email"]), "hello a.b@example.com") == [("email", "a.b@example.com")]
    assert model.read == []


def test_a_label_that_is_none_of_ours_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="no label 'names' of personal data; did you mean 'name'"):
        pii(labels={"PER": "names"})
    with pytest.raises(ValidationError, match="say which of its entities"):
        pii(labels={"LOC": None})


def test_an_entity_that_the_model_lacks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"id2label": {"0": "O", "1": "B-PER", "2": "I-PER"}}))
    (tmp_path / "tokenizer.json").write_text(wordpiece().to_str())
    with pytest.raises(MetricError, match="no label 'PERS'; did you mean 'PER'"):
        pii(tmp_path, model=str(tmp_path), labels={"PERS": "name"})


def test_the_version_follows_its_settings() -> None:
    assert pii().version != pii(threshold=0.4).version
    assert pii().version == pii(threads=2).version


def test_it_is_loaded_when_the_metric_warms_up(model: Tagger) -> None:
    pii().warm_up()  # type: ignore[misc]
    assert model.read
