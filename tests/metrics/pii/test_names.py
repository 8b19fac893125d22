"""These load spaCy, which takes a second; the model is made here, for none is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.metrics import Cost, Turn
from guard.metrics.pii import Pii
from guard.metrics.pii.names import Names
from tests.metrics.pii.tagging import found, tagging

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    import spacy

    model = spacy.blank("en")
    model.add_pipe("entity_ruler").add_patterns(  # type: ignore[attr-defined]
        [
            {"label": "PERSON", "pattern": "Jane Doe"},
            {"label": "GPE", "pattern": "Leeds"},
            {"label": "ORG", "pattern": "Acme"},
            {"label": "DATE", "pattern": "Monday"},
        ]
    )
    folder = tmp_path_factory.mktemp("models")
    model.to_disk(folder / "tiny")
    return folder


def test_persons_places_and_organisations_come_from_the_model(folder):
    text = "On Monday Jane Doe left Leeds for Acme."
    found = {(span.label, text[span.start : span.end]) for span in Names("tiny", folder)(text)}
    assert found == {("name", "Jane Doe"), ("location", "Leeds"), ("organization", "Acme")}


def test_a_name_far_into_a_long_text_is_found_in_its_place(folder):
    text = "lorem ipsum. " * 1_000 + "Jane Doe"
    assert {(span.start, span.end) for span in Names("tiny", folder)(text)} == {(13_000, 13_008)}


def test_a_metric_with_a_model_claims_names_and_costs_what_a_model_costs(folder):
    metric = Pii(spacy_model="tiny", labels=frozenset({"name", "email"})).make("p", folder)
    assert metric.labels == {"name", "email"}
    assert metric.cost == Cost.MODEL
    assert "no model" not in metric.description
    assert metric.measure(Turn.of("Jane Doe from Leeds"), "input").value == ("name",)  # type: ignore[union-attr]


def test_a_model_that_is_named_finds_the_names_and_the_shipped_one_the_rest(folder, monkeypatch):
    monkeypatch.setattr("guard.metrics.pii.FOLDER", tagging(folder / "encoder", maria="PERSON", tuesday="DATE"))
    text = "Jane Doe met Maria on Tuesday."
    wanted = frozenset({"name", "date"})
    made = [settings.make("p", folder) for settings in (Pii(labels=wanted), Pii(labels=wanted, spacy_model="tiny"))]
    assert [found(metric, text) for metric in made] == [
        {("name", "Maria"), ("date", "Tuesday")},
        {("name", "Jane Doe"), ("date", "Tuesday")},
    ]
