"""The token head as a recogniser, on a tiny model of which the tests know what it tags."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.errors import MetricError
from guard.metrics import Cost, Turn
from guard.metrics.pii import Pii
from guard.metrics.pii.head import SUREST, Head, head_labels
from guard.metrics.pii.labels import labels
from tests.metrics.pii.tagging import found, tagging

ALL = labels()


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """Make the tiny model the one that ships."""

    def ship(**types):
        folder = tagging(tmp_path, **types)
        monkeypatch.setattr("guard.metrics.pii.FOLDER", folder)
        return folder

    return ship


def read(head: Head, text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in head(text)]


def test_every_label_of_the_head_is_one_of_ours():
    assert set(head_labels().values()) <= ALL


def test_what_the_head_tags_gets_our_labels_where_it_stands(tmp_path):
    head = Head(ALL, tagging(tmp_path, maria="PERSON", tuesday="DATE"))
    assert read(head, "The cat sat; Maria met it on Tuesday.") == [("name", "Maria"), ("date", "Tuesday")]
    assert head.labels == {"name", "date"}


def test_a_name_far_into_a_long_text_is_found(tmp_path):
    head = Head(ALL, tagging(tmp_path, maria="PERSON"))
    (span,) = head("the cat sat on the mat. " * 500 + "Maria")
    assert span.start == 12_000


def test_only_what_is_wanted_is_given(tmp_path):
    head = Head({"date"}, tagging(tmp_path, maria="PERSON", tuesday="DATE"))
    assert read(head, "Maria, Tuesday") == [("date", "Tuesday")]
    assert head.labels == {"date"}


def test_a_type_that_we_have_no_label_for_is_not_claimed(tmp_path):
    head = Head(ALL, tagging(tmp_path, maria="PERSON", tuesday="WEEKDAY"))
    assert head.labels == {"name"}
    assert read(head, "Maria, Tuesday") == [("name", "Maria")]


@pytest.mark.parametrize(("threshold", "score"), [(0.1, 0.7), (0.4, 0.575), (0.9, None)])
def test_a_type_counts_from_its_threshold_on_and_scores_as_patterns_do(tmp_path, threshold, score):
    thresholds = {"PERSON": threshold}
    sure = Head(ALL, tagging(tmp_path / "sure", logit=30.0, thresholds=thresholds, maria="PERSON"))
    even = Head(ALL, tagging(tmp_path / "even", logit=0.0, thresholds=thresholds, maria="PERSON"))
    assert [span.score for span in sure("maria")] == [pytest.approx(SUREST)]
    assert [span.score for span in even("maria")] == ([pytest.approx(score, abs=1e-3)] if score else [])


def test_a_missing_model_is_an_error(tmp_path):
    with pytest.raises(MetricError, match="no model in"):
        Head(ALL, tmp_path / "none")


def test_the_version_follows_the_weights_the_thresholds_and_what_is_wanted(tmp_path):
    folders = [
        tagging(tmp_path / "one", maria="PERSON"),
        tagging(tmp_path / "two", smith="PERSON"),
        tagging(tmp_path / "three", thresholds={"PERSON": 0.7}, maria="PERSON"),
    ]
    versions = [Head(ALL, folder).version for folder in folders] + [Head({"email"}, folders[0]).version]
    assert len(set(versions)) == 4
    assert Head(ALL, folders[0]).version == versions[0]


def test_the_metric_reads_with_the_shipped_model(shipped):
    shipped(maria="PERSON")
    made = Pii(labels=frozenset({"name", "password"})).make("p", Path())
    assert made.labels == {"name", "password"}
    assert made.cost == Cost.MODEL
    assert "no model" not in made.description
    assert found(made, "Maria: my password is hunter2") == {("name", "Maria"), ("password", "hunter2")}


def test_a_policy_may_leave_the_model_out(shipped):
    shipped(maria="PERSON")
    made = Pii(labels=frozenset({"name", "password"}), model=False).make("p", Path())
    assert made.labels == {"password"}
    assert made.cost < Cost.MODEL
    assert found(made, "Maria: my password is hunter2") == {("password", "hunter2")}


def test_a_sure_head_names_what_a_pattern_only_guesses(shipped):
    shipped(river="PASSPORT")
    wanted = frozenset({"username", "passport"})
    assert found(Pii(labels=wanted, model=False).make("p", Path()), "my handle is river") == {("username", "river")}
    assert found(Pii(labels=wanted).make("p", Path()), "my handle is river") == {("passport", "river")}


@pytest.mark.slow
def test_what_is_checked_stands_before_the_surest_head(shipped):
    shipped(maria="PASSPORT")
    made = Pii(labels=frozenset({"email", "passport"})).make("p", Path())
    assert found(made, "maria@example.org, Maria") == {("email", "maria@example.org"), ("passport", "Maria")}


def test_what_is_encoded_is_read_by_the_head_too(shipped):
    shipped(maria="PERSON")
    made = Pii(labels=frozenset({"name"})).make("p", Path())
    assert found(made, "write to m%61ria today") == {("name", "m%61ria")}


def test_a_text_longer_than_the_model_reads_is_no_score(shipped):
    shipped(maria="PERSON")
    made = Pii(labels=frozenset({"name"})).make("p", Path())
    with pytest.raises(ValueError, match=r"tokens|windows"):
        made.measure(Turn.of("a b c d " * 200_000), "input")
