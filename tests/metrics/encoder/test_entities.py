"""Entities by words: where they begin and end, and from which probability on."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.metrics.encoder import Encoder
from guard.metrics.encoder.entities import entities
from tests.metrics.encoder import tiny


def found(text: str, model: Encoder) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.label) for span in entities(model.read(text), model.facts, "pii")]


def test_words_of_one_entity_are_one_span(model: Encoder) -> None:
    text = "The cat and MARIA Smith ran to Paris."
    assert found(text, model) == [("MARIA Smith", "PERSON"), ("Paris", "PLACE")]


def test_a_word_that_begins_an_entity_ends_the_one_before(model: Encoder) -> None:
    assert found("maria smith maria", model) == [("maria smith", "PERSON"), ("maria", "PERSON")]


def test_an_entity_of_another_kind_is_its_own(model: Encoder) -> None:
    assert found("maria paris smith", model) == [("maria", "PERSON"), ("paris", "PLACE"), ("smith", "PERSON")]


def test_a_word_is_tagged_as_one_by_the_mean_of_its_parts(tmp_path: Path) -> None:
    # "sab" is read as s, ##a, ##b: of which one, two or three are parts of a place.
    for parts, spans in (("s", []), ("sa", [("sab", "PLACE")]), ("sab", [("sab", "PLACE")])):
        pieces = [part if at == 0 else f"##{part}" for at, part in enumerate(parts)]
        marks = {piece: {"pii/I-PLACE": 8.0} for piece in pieces}
        model = Encoder.load(tiny.write(tmp_path / parts, marks=marks))
        assert found("the sab ran", model) == spans


def test_a_label_is_reported_from_its_threshold_on(tmp_path: Path) -> None:
    marks = {"maria": {"pii/B-PERSON": 1.0}}  # a share of e / (1 + e) = .73
    for threshold, count in ((0.7, 1), (0.8, 0)):
        heads = tiny.heads() | {"pii": {"kind": "spans", "thresholds": {"PERSON": threshold}}}
        model = Encoder.load(tiny.write(tmp_path / str(threshold), marks=marks, heads=heads))
        spans = entities(model.read("the maria"), model.facts, "pii")
        assert len(spans) == count
        assert all(span.score == pytest.approx(0.73, abs=0.01) for span in spans)


def test_entities_in_a_long_text_are_found_once_each(model: Encoder) -> None:
    text = "The cat sat on the mat. Maria Smith ran far away. " * 20
    assert found(text, model) == [("Maria Smith", "PERSON")] * 20


def test_a_text_without_tokens_has_none(model: Encoder) -> None:
    assert found("", model) == []


def test_a_head_that_tags_nothing_finds_nothing(model: Encoder) -> None:
    assert entities(model.read("Maria"), model.facts, "toxicity") == []
