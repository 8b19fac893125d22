from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import MetricError
from guard.metrics import Cost, Metric, Score, Span, Turn
from guard.metrics.keywords import MOST_MATCHES, Keywords
from guard.metrics.normalise import views
from guard.metrics.registry import make


def keywords(*words: str, folder: Path | None = None, **settings: Any) -> Metric:
    return Keywords.model_validate({"words": list(words), **settings}).make("mine", folder or Path())


def measured(metric: Metric, *texts: str) -> Score:
    score = metric.measure(Turn(output=texts), "output")
    assert isinstance(score, Score)
    return score


def hits(metric: Metric, text: str) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in measured(metric, text).spans]


def test_a_policy_declares_it_by_kind() -> None:
    metric = make("rivals", {"kind": "keywords", "words": ["Acme", "Globex"]}, Path())
    assert (metric.kind, metric.labels, metric.windowed) == ("labels", {"Acme", "Globex"}, True)


def test_the_label_is_the_word_as_the_policy_writes_it() -> None:
    assert measured(keywords("Acme", "Globex"), "ACME beats globex and acme").value == ("Acme", "Globex")


def test_case_counts_where_it_is_asked_for() -> None:
    assert measured(keywords("Acme", case_sensitive=True), "ACME acme").value == ()
    assert measured(keywords("Acme", case_sensitive=True), "Acme").value == ("Acme",)


def test_words_are_found_whole() -> None:
    metric = keywords("cat", "naïve", "C++", "+1")
    assert hits(metric, "concatenate cats cat's scat") == [("cat", "cat")]
    assert hits(metric, "écat caté cat_ naïves naïve") == [("naïve", "naïve")]
    assert hits(metric, "C++, c++11, +1 and (C++)") == [("C++", "C++"), ("C++", "c++"), ("+1", "+1"), ("C++", "C++")]


def test_parts_of_words_are_found_where_asked_for() -> None:
    assert hits(keywords("cat", whole_words=False), "Concatenate") == [("cat", "cat")]


@pytest.mark.parametrize(
    ("word", "text"), [("北京", "我爱北京天安门"), ("東京", "東京へ行く"), ("한국", "한국은"), ("ไทย", "ภาษาไทยง่าย")]
)
def test_words_of_scripts_without_spaces_are_found_within_the_text(word: str, text: str) -> None:
    assert hits(keywords(word), text) == [(word, word)]


def test_a_vowel_sign_is_a_part_of_its_word() -> None:
    assert hits(keywords("क"), "कि क") == [("क", "क")]
    assert [span.start for span in measured(keywords("क"), "कि क").spans] == [3]


def test_a_phrase_may_be_broken_over_lines() -> None:
    assert hits(keywords("project  x"), "Project\n X") == [("project  x", "Project\n X")]


def test_nested_and_overlapping_words_are_all_found() -> None:
    metric = keywords("new", "new york", "york city", "new york city hall")
    assert [word for word, _ in hits(metric, "new york city")] == ["new york", "new", "york city"]


def test_the_first_of_two_spellings_names_the_label() -> None:
    metric = keywords("ACME", "Acme", "acme")
    assert metric.labels == {"ACME"}
    assert measured(metric, "acme").value == ("ACME",)


def test_letters_that_fold_to_several_are_found() -> None:
    assert hits(keywords("Straße", "ΟΔΟΣ"), "STRAẞE, straße, οδος") == [
        ("Straße", "STRAẞE"),
        ("Straße", "straße"),
        ("ΟΔΟΣ", "οδος"),
    ]


def test_disguised_words_are_found() -> None:
    metric = keywords("secret plan")
    for text in ("s\u0435cr\u0435t plan", "ｓｅｃｒｅｔ plan", "s3cr3t pl4n", "s e c r e t  p l a n", "secret%20plan"):
        assert measured(metric, text).value == ("secret plan",), text


def test_a_disguised_word_in_the_list_is_its_plain_self() -> None:
    assert measured(keywords("ｓｅｃｒｅｔ"), "secret").value == ("ｓｅｃｒｅｔ",)


def test_words_come_from_a_file_too(tmp_path: Path) -> None:
    (tmp_path / "rivals.txt").write_text("\ufeff# our rivals\nAcme\n\n  Globex Corp  \n", encoding="utf-8")
    metric = keywords("Initech", folder=tmp_path, file="rivals.txt")
    assert metric.labels == {"Initech", "Acme", "Globex Corp"}
    assert measured(metric, "globex corp").value == ("Globex Corp",)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image.png").write_bytes(b"\x89PNG\xff\xfe")
    for file in ("missing.txt", "image.png"):
        with pytest.raises(MetricError, match=rf"metric 'mine': .*{file} cannot be read: .*; give a UTF-8 file"):
            keywords(folder=tmp_path, file=file)


def test_no_words_and_invisible_words_are_refused() -> None:
    with pytest.raises(MetricError, match="no words to look for; give `words` or a `file`"):
        keywords()
    with pytest.raises(MetricError, match="no visible characters"):
        keywords("\u200b")


def test_ten_thousand_words_are_found_in_a_long_text() -> None:
    words = [f"word{number}x" for number in range(10_000)]
    metric = keywords(*words)
    assert metric.cost == Cost.LOCAL
    text = "nothing of it " * 20_000 + "WORD7777x and word9999X"
    assert measured(metric, text).value == ("word7777x", "word9999x")


def test_countless_matches_end_in_one_span_to_the_end() -> None:
    text = "acme " * (MOST_MATCHES + 10) + "globex"
    spans = measured(keywords("acme", "globex"), text).spans
    assert len(spans) == MOST_MATCHES + 1
    assert max(span.end for span in spans if span.label == "acme") == len(text)
    assert any(span.label == "globex" for span in spans)


@given(st.text(alphabet="abéß中_-.,", max_size=40))
def test_it_finds_what_looking_at_every_place_finds(text: str) -> None:
    words = ["a", "ab", "aba", "é", "bé", "ß", "中", "b中", "-a", "a-b"]
    found = set(measured(keywords(*words, case_sensitive=True), text).spans)
    wanted = {
        Span(start, start + len(word), word)
        for word in words
        for start in range(len(text))
        if text.startswith(word, start) and is_edge(text, start) and is_edge(text, start + len(word))
    }
    assert wanted <= found
    if len(views(text)) == 1:
        assert wanted == found


def is_edge(text: str, place: int) -> bool:
    around = text[max(place - 1, 0) : place + 1]
    return len(around) < 2 or place == 0 or not all(char in "abéß_" for char in around)


def test_the_version_follows_words_files_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "words.txt"
    file.write_text("Acme")
    before = keywords(folder=tmp_path, file="words.txt").version
    file.write_text("Globex")
    versions = {before, keywords(folder=tmp_path, file="words.txt").version}
    versions |= {keywords("Acme").version, keywords("Acme", whole_words=False).version}
    assert len(versions) == 4
