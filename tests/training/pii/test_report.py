from __future__ import annotations

import pytest

from guard.errors import MetricError
from guard.metrics import Failure, Metric
from guard.metrics.pii.head import head_labels
from guard.metrics.score import Span, found
from guard.training.pii import Row
from guard.training.pii.report import measured, table

ALL = frozenset(head_labels())
TEXT = "Ann, SSN 536-22-8765, tax no 81 872 495 633"


def metric(*spans: Span) -> Metric:
    return Metric("pii", lambda turn, side: found(spans), kind="labels")


def row(*spans: Span, known: frozenset[str] = ALL) -> Row:
    return Row(TEXT, spans, known, "made", "", "valid")


def test_a_span_that_overlaps_is_found_and_exact_only_with_the_same_bounds():
    rows = [row(Span(0, 3, "PERSON"), Span(9, 20, "SSN"))]
    figures = measured(metric(Span(0, 3, "name"), Span(4, 20, "ssn")), rows)
    assert figures.overlap.total.f2.value == 1
    assert figures.exact.labels["name"].f1.value == 1
    assert figures.exact.labels["ssn"].f1.value == 0


def test_a_finding_of_another_label_is_wrong_and_leaves_the_truth_missing():
    figures = measured(metric(Span(9, 20, "passport")), [row(Span(9, 20, "SSN"))])
    assert figures.overlap.labels["passport"].precision.value == 0
    assert figures.overlap.labels["ssn"].recall.value == 0


def test_a_finding_that_nobody_looked_for_counts_neither_way():
    figures = measured(
        metric(Span(0, 3, "name"), Span(9, 20, "ssn")), [row(Span(0, 3, "PERSON"), known=frozenset({"PERSON"}))]
    )
    assert figures.overlap.total.precision.value == 1


def test_a_tax_number_is_an_identity_number_to_the_authors():
    figures = measured(metric(Span(29, 43, "tax_id")), [row(Span(29, 43, "NATIONAL_ID"))])
    assert figures.exact.labels["national_id"].f1.value == 1


def test_a_row_that_was_not_read_is_no_row_without_findings():
    failing = Metric("pii", lambda turn, side: Failure("no model"), kind="labels")
    with pytest.raises(MetricError, match="no model"):
        measured(failing, [row()])


def test_the_table_has_a_line_for_each_label_and_all():
    lines = table(measured(metric(Span(0, 3, "name")), [row(Span(0, 3, "PERSON"), Span(9, 20, "SSN"))])).splitlines()
    assert lines[2] == "| name | 1 | 1.000 | 1.000 | 1.000 | 1.000 | 1.000 |"
    assert lines[3] == "| ssn | 1 |  | .000 | .000 | .000 | .000 |"
    assert lines[4].startswith("| all | 2 | 1.000 | .500 |")
