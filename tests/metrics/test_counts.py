from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.errors import MetricError
from guard.metrics import Metric, Score, Turn
from guard.metrics.counts import char_count, token_count, word_count
from guard.metrics.registry import REGISTRY, make

#: A tokenizer of words and signs that puts a control token before and after a text.
TOKENIZER = {
    "version": "1.0",
    "truncation": None,
    "padding": None,
    "added_tokens": [
        {
            "id": 0,
            "content": "[CLS]",
            "special": True,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
        }
    ],
    "normalizer": None,
    "pre_tokenizer": {"type": "Whitespace"},
    "post_processor": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [0], "tokens": ["[CLS]"]}},
    },
    "decoder": None,
    "model": {"type": "WordLevel", "vocab": {"[CLS]": 0, "[UNK]": 1, "one": 2, "two": 3}, "unk_token": "[UNK]"},
}


def count(metric: Metric, *texts: str) -> float:
    score = metric.measure(Turn(output=texts), "output")
    assert isinstance(score, Score)
    assert isinstance(score.value, float)
    return score.value


@pytest.mark.parametrize("name", ["word_count", "char_count", "token_count"])
def test_counts_are_built_in_numbers_that_windows_cannot_give(name: str) -> None:
    metric = REGISTRY[name]
    assert (metric.name, metric.kind, metric.windowed) == (name, "number", False)


@pytest.mark.parametrize("factory", [word_count, char_count, token_count])
def test_counts_add_up_over_passages_and_are_zero_for_none(factory: Callable[[], Metric]) -> None:
    metric = factory()
    assert count(metric, "one two", "three") == count(metric, "one two") + count(metric, "three")
    assert count(metric) == count(metric, "") == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop: it's state-of-the-art, e.g. 3.14!", 6),
        ("  one\n\ttwo — three  ", 3),
        ("今天天气很好。", 6),
        ("Привет, мир", 2),
        ("Windows用のアプリ", 1 + 5),
        ("snake_case", 2),
    ],
)
def test_words_are_counted_as_people_count_them(text: str, words: int) -> None:
    assert count(word_count(), text) == words


def test_characters_are_code_points_as_written() -> None:
    assert count(char_count(), "é😀\u200b%41") == 6


def test_estimated_tokens_are_near_those_of_common_tokenizers() -> None:
    # By cl100k: 20, 14 and 19.
    english = "The quick brown fox jumps over the lazy dog, and then it has a cup of tea."
    assert 0.8 * 20 <= count(token_count(), english) <= 1.2 * 20
    assert 0.7 * 14 <= count(token_count(), "今天天气很好，我们去公园。") <= 1.4 * 14


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_counting_never_raises_and_never_counts_more_than_characters(text: str) -> None:
    for factory in (word_count, token_count):
        assert 0 <= count(factory(), text) <= len(text)


def test_tokens_are_exact_by_a_tokenizer_without_its_control_tokens(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    metric = make("tokens", {"kind": "token_count", "tokenizer": "tokenizer.json"}, tmp_path)
    assert (metric.kind, metric.windowed) == ("number", False)
    assert count(metric, "one two, three!", "one") == 6
    assert count(metric, "one " * 5_000) == 5_000
    assert count(metric, "") == 0


def test_a_control_token_in_a_text_counts_as_its_characters(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    metric = make("tokens", {"kind": "token_count", "tokenizer": "tokenizer.json"}, tmp_path)
    assert count(metric, "one [CLS] two") == 5


def test_a_missing_or_broken_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{}")
    with pytest.raises(
        MetricError, match=r"metric 'tokens': .*none.json cannot be read: .*give a model's tokenizer.json"
    ):
        make("tokens", {"kind": "token_count", "tokenizer": "none.json"}, tmp_path)
    with pytest.raises(MetricError, match=r"tokenizer.json cannot be read"):
        make("tokens", {"kind": "token_count", "tokenizer": "broken.json"}, tmp_path)


def test_the_version_follows_the_tokenizer(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    versions: set[str] = set()
    for vocabulary in ({"one": 2}, {"two": 2}):
        spec = {**TOKENIZER, "model": {**TOKENIZER["model"], "vocab": {"[CLS]": 0, "[UNK]": 1, **vocabulary}}}
        file.write_text(json.dumps(spec))
        versions.add(make("tokens", {"kind": "token_count", "tokenizer": "tokenizer.json"}, tmp_path).version)
    assert len(versions) == 2
