from __future__ import annotations

import base64
from pathlib import Path

import pytest
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Metric, Score, Span, Turn
from guard.metrics.regex import MOST_MATCHES, Regex
from guard.metrics.registry import make


def regex(patterns: dict[str, str], **settings: bool) -> Metric:
    return Regex.model_validate({"patterns": patterns, **settings}).make("mine", Path())


def measured(metric: Metric, *texts: str) -> Score:
    score = metric.measure(Turn(output=texts), "output")
    assert isinstance(score, Score)
    return score


def test_a_policy_declares_it_by_kind() -> None:
    metric = make("order", {"kind": "regex", "patterns": {"order": r"ORD-\d{8}"}}, Path())
    assert (metric.name, metric.kind, metric.labels, metric.windowed) == ("order", "labels", {"order"}, True)


def test_each_pattern_that_matches_gives_its_label_and_spans() -> None:
    score = measured(regex({"order": r"ORD-\d+", "mail": "@", "none": "zzz"}), "see ORD-12", "or ORD-3, a@b")
    assert score.value == ("order", "mail")
    assert score.spans == (
        Span(4, 10, "order", passage=0),
        Span(3, 8, "order", passage=1),
        Span(11, 12, "mail", passage=1),
    )


def test_nothing_found_is_an_empty_list() -> None:
    assert measured(regex({"a": "zzz"}), "text").value == ()
    assert measured(regex({"a": "zzz"})).value == ()


def test_case_is_ignored_unless_asked_for() -> None:
    assert measured(regex({"a": "secret"}), "SECRET").value == ("a",)
    assert measured(regex({"a": "secret"}, case_sensitive=True), "SECRET").value == ()
    assert measured(regex({"a": "(?-i)secret"}), "SECRET").value == ()


def test_matches_of_no_characters_do_not_count() -> None:
    assert measured(regex({"a": "x*"}), "abc").value == ()


def test_spans_count_characters_of_the_text_as_written() -> None:
    text = "é😀 s\u200becret ｓｅｃｒｅｔ"
    spans = measured(regex({"a": "secret"}), text).spans
    assert [text[span.start : span.end] for span in spans] == ["s\u200becret", "ｓｅｃｒｅｔ"]


def test_what_is_encoded_is_read_too() -> None:
    encoded = base64.b64encode(b"my order is ORD-12345678").decode()
    assert measured(regex({"order": r"ORD-\d{8}"}), encoded).spans == (Span(0, len(encoded), "order"),)


def test_text_with_lone_surrogates_is_read() -> None:
    assert measured(regex({"a": "secret"}), "\ud800secret\udfff").spans == (Span(1, 7, "a"),)


@pytest.mark.parametrize("pattern", ["(?=ahead)", "(?<!behind)x", r"(a)\1"])
def test_what_re2_lacks_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(MetricError, match=r"metric 'mine': pattern 'bad' does not compile: .*RE2.*no look-around"):
        regex({"bad": pattern})


def test_a_broken_pattern_is_refused_with_re2s_message() -> None:
    with pytest.raises(MetricError, match=r"pattern 'bad' does not compile: missing \): \(a"):
        regex({"bad": "(a"})


@pytest.mark.parametrize("patterns", [{}, {"a": ""}, {"a": "x" * 10_001}])
def test_no_empty_or_endless_pattern_is_taken(patterns: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        regex(patterns)


def test_countless_matches_end_in_one_span_to_the_end() -> None:
    text = "x" * (MOST_MATCHES + 500)
    spans = measured(regex({"a": "x"}), text).spans
    assert len(spans) == MOST_MATCHES + 1
    assert spans[-1] == Span(MOST_MATCHES, len(text), "a")


def test_a_pattern_that_would_explode_elsewhere_takes_linear_time() -> None:
    assert measured(regex({"a": "(a+)+$"}), "a" * 100_000 + "b").value == ()


def test_the_version_follows_the_settings() -> None:
    versions = {
        regex({"a": "x"}).version,
        regex({"a": "y"}).version,
        regex({"b": "x"}).version,
        regex({"a": "x"}, case_sensitive=True).version,
    }
    assert len(versions) == 4
    assert regex({"a": "x"}).version in versions
