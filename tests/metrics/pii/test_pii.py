"""The metric as a whole; it loads Presidio, which takes seconds."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Cost, Turn
from guard.metrics.pii import Pii, personal_data, pii, settled
from guard.metrics.pii.names import NAMES
from guard.metrics.pii.phones import Phones
from guard.metrics.score import Score, Span

#: Ordinary text with numbers in it, the field's usual false alarms.
NEAR_MISSES = [
    "Order 112-7654321-1234567 ships on 2024-05-06 at 14:30.",
    "Version 3.11.7 was released 2023-12-04; build 20931.",
    "We sold 1,204 units in 2024 at $19.99 each, up 12.5% from 2023.",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "550e8400-e29b-41d4-a716-446655440000",
    "Invoice INV-2024-000123 over EUR 1.234.567,89",
    "The loop ran 1000000000 times in 12.345678 s.",
    "ISBN 978-3-16-148410-0, EAN 4006381333931",
    "Flight LH 1234 leaves gate 22 at 06:45.",
    "Chapter 12, section 3.4.5.6, page 789.",
    "E = mc^2 and pi = 3.14159265358979",
    "2019-2024: 5 years, 60 months, 1826 days",
    "timestamp 1714990000 (2024-05-06T10:06:40Z)",
    "The dial reads 12:30; the temperature is -12.5.",
    "Serial SN12345678, model A1234, SKU 100-200-300",
    "array[0:10], range(100, 200), 0xDEADBEEF",
    "Lottery numbers 3 14 15 92 65 35",
    "The password must have 12 characters and the user must log in.",
    "Use case: the account manager handles real-time data.",
    "Napoleon invaded Russia in 1812 with 600000 men.",
]


def spans(metric, text: str) -> set[tuple[str, str]]:
    score = metric.measure(Turn.of(text), "input")
    assert isinstance(score, Score)
    return {(span.label, text[span.start : span.end]) for span in score.spans}


def patterns(**settings):
    return Pii(model=False, **settings).make("p", Path())


@pytest.fixture(scope="module")
def metric():
    return patterns()


@pytest.mark.slow
def test_each_thing_in_a_text_gets_one_label_and_its_place(metric):
    text = (
        "My SSN is 536-22-8765, card 4111 1111 1111 1111, mail jane@example.com, phone (415) 555-2671. "
        "DOB 12/03/1985, I live at 12 Main Street, refund to DE89 3704 0044 0532 0130 00, password is hunter2."
    )
    assert spans(metric, text) == {
        ("ssn", "536-22-8765"),
        ("credit_card_info", "4111 1111 1111 1111"),
        ("email", "jane@example.com"),
        ("phone_number", "(415) 555-2671"),
        ("date_of_birth", "12/03/1985"),
        ("address", "12 Main Street"),
        ("account_info", "DE89 3704 0044 0532 0130 00"),
        ("password", "hunter2"),
    }


@pytest.mark.slow
@pytest.mark.parametrize("text", NEAR_MISSES)
def test_ordinary_text_with_numbers_is_left_alone(metric, text):
    assert spans(metric, text) == set()


@pytest.mark.slow
def test_the_value_is_the_labels_in_the_order_met(metric):
    score = metric.measure(Turn.of("mail a@example.org or b@example.org, SSN 536-22-8765"), "input")
    assert score.value == score.labels == ("email", "ssn")


@pytest.mark.slow
def test_a_text_with_lone_surrogates_and_null_bytes_is_read(metric):
    assert ("email", "jo@example.org") in spans(metric, "\ud800 write\0 to jo@example.org \udfff")


@pytest.mark.slow
def test_spans_count_characters_of_the_passage_they_stand_in(metric):
    turn = Turn.of([{"role": "user", "content": "nothing here"}, {"role": "user", "content": "é😀 jo@example.org"}])
    (span,) = metric.measure(turn, "input").spans
    assert (span.passage, span.start, span.end) == (1, 3, 17)


@pytest.mark.slow
def test_what_is_encoded_is_found_where_it_stands(metric):
    text = "write to jane%40example.org today"
    assert spans(metric, text) == {("email", "jane%40example.org")}


@pytest.mark.slow
def test_reading_in_overlapping_windows_gives_the_same_labels(metric):
    text = "lorem ipsum " * 50 + "SSN 536-22-8765 " + "dolor sit " * 50 + "call 020 7946 0958 " + "amet " * 100
    whole = metric.measure(Turn.of(text), "input")
    pieces = [metric.measure(Turn.of(text[at : at + 400]), "input") for at in range(0, len(text), 200)]
    assert set(whole.value) == {label for piece in pieces for label in piece.value} == {"ssn", "phone_number"}


@pytest.mark.slow
def test_a_surer_finding_only_counts_from_its_score_up():
    alone, told = "It was 536-22-8765 then.", "My SSN is 536-22-8765."
    low, high = patterns(min_score=0.5), patterns(min_score=0.7)
    assert spans(low, alone) == spans(low, told) == spans(high, told) == {("ssn", "536-22-8765")}
    assert spans(high, alone) == set()


@pytest.mark.slow
def test_only_the_labels_asked_for_are_given():
    made = patterns(labels=frozenset({"email"}))
    assert made.labels == {"email"}
    assert spans(made, "jo@example.org, SSN 536-22-8765, password is hunter2") == {("email", "jo@example.org")}


def test_older_galileo_names_may_be_asked_for():
    assert Pii(labels=frozenset({"financial_info"})).labels == {"account_info", "credit_card_info"}


def test_an_unknown_label_is_refused_with_the_nearest_one():
    with pytest.raises(ValidationError, match="did you mean 'passport'"):
        Pii(labels=frozenset({"pasport"}))


def test_an_unknown_country_is_refused_with_the_known_ones():
    with pytest.raises(ValidationError, match=r"no identity numbers of a country 'gb'.*known: .*uk, us"):
        Pii(countries=frozenset({"gb"}))


def test_a_model_that_is_not_installed_is_refused_with_the_fix():
    with pytest.raises(MetricError, match="python -m spacy download no_such_model"):
        Pii(spacy_model="no_such_model").make("p", Path())


def test_names_are_not_claimed_where_no_model_finds_them():
    made = patterns()
    assert made.labels is not None
    assert not made.labels & NAMES
    assert "no model reads along" in made.description
    assert made.cost == Cost.LOCAL


def test_a_model_that_is_missing_is_told_and_not_done_without(monkeypatch, tmp_path):
    monkeypatch.setattr("guard.metrics.pii.FOLDER", tmp_path / "none")
    with pytest.raises(MetricError, match="there is no model"):
        pii()


def test_a_metric_that_nothing_could_trigger_is_refused():
    with pytest.raises(MetricError, match="only a model finds location, name"):
        patterns(labels=frozenset({"name", "location"}))


def test_another_recogniser_may_stand_beside_ours():
    class Janes:
        labels = frozenset({"name"})
        version = "1"
        cost = Cost.MODEL

        def load(self) -> None:
            pass

        def __call__(self, text: str) -> list[Span]:
            return [Span(at, at + 4, "name", 0.9) for at in range(len(text)) if text.startswith("Jane", at)]

    made = personal_data("p", [Phones(), Janes()], Pii())
    assert spans(made, "ask Jane on 020 7946 0958") == {("name", "Jane"), ("phone_number", "020 7946 0958")}
    assert made.labels == {"name", "phone_number"}
    assert made.cost == Cost.MODEL
    assert "no model" not in made.description


def test_the_version_changes_with_the_settings():
    made = [
        patterns(),
        patterns(min_score=0.6),
        patterns(labels=frozenset({"ssn"})),
        patterns(countries=frozenset({"us"})),
    ]
    assert len({metric.version for metric in made}) == len(made)
    assert Pii().make("p", Path()).version == pii().version


@pytest.mark.parametrize("text", ["pay 4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1", "pay NDExMTExMTExMTExMTExMQ=="])
def test_a_card_number_is_found_spaced_out_and_encoded(text):
    assert patterns().measure(Turn.of(text), "input").labels == ("credit_card_info",)


def test_a_finding_that_says_more_stands_before_a_surer_general_one():
    text = "12 Main Street, Springfield"
    given = [Span(0, 14, "address", 0.6), Span(3, 27, "location", 0.9)]
    assert list(settled(text, given)) == [Span(0, 14, "address", 0.6), Span(14, 27, "location", 0.9)]


def test_what_is_left_of_a_finding_counts_only_with_a_letter_or_digit():
    given = [Span(0, 5, "name", 0.9), Span(0, 4, "username", 0.6)]
    assert list(settled("anna, hello", given)) == [Span(0, 4, "username", 0.6)]


def test_date_stands_for_dates_of_birth_too():
    assert Pii(labels=frozenset({"date"})).labels == {"date", "date_of_birth"}
