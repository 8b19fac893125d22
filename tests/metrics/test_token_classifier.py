"""Kind `token_classifier`, on a model that is quick to make: it knows a few pieces, and how it tags each of them."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Failure, Message, Metric, Score, Turn
from guard.metrics.checkpoint import Config, Source
from guard.metrics.metric import Cost
from guard.metrics.normalise import views
from guard.metrics.registry import make
from guard.metrics.token_classifier import TokenClassifier
from guard.metrics.tokens import Tokens, Window
from tests.metrics.checkpoints import TOKENIZERS, wordpiece

BIO = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")


class Tagger:
    """Tags the pieces it knows, wherever they stand, and every other one `O`.

    `knows` says of each piece its tag, or the probabilities of several.
    """

    def __init__(
        self,
        knows: Mapping[str, str | Mapping[str, float]],
        labels: tuple[str, ...] = BIO,
        kind: str = "wordpiece",
        longest: int = 32,
        tokenizer: Any = None,
    ) -> None:
        made = tokenizer or TOKENIZERS[kind]()
        # As a tokenizer of bytes, or of sentence pieces, has a word with the space before it.
        knows = {piece: tags for word, tags in knows.items() for piece in (word, f"Ġ{word}", f"▁{word}")}
        self.tokens = Tokens(made.to_str())
        self.config = Config(labels, longest, None)
        self.rows = {made.token_to_id(piece): self._row(tags) for piece, tags in knows.items()}
        self.rows.pop(None, None)
        self.read: list[Window] = []

    def _row(self, tags: str | Mapping[str, float]) -> NDArray[np.float32]:
        shares = {tags: 0.9} if isinstance(tags, str) else tags
        rest = (1 - sum(shares.values())) / max(1, len(self.config.labels) - len(shares))
        return np.log([shares.get(label, rest) or 1e-9 for label in self.config.labels]).astype(np.float32)

    def token_logits(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        self.read += windows
        outside = self._row(self.config.labels[0])
        return [np.stack([self.rows.get(number, outside) for number in window.ids]) for window in windows]


NAMES = {"hello": "B-PER", "world": "I-PER", "bomb": "B-LOC"}


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a tagger what every source loads in this test."""

    def loaded(*arguments: Any, **fields: Any) -> Tagger:
        tagger = Tagger(*arguments, **fields)
        monkeypatch.setattr(Source, "load", lambda source, device, threads: tagger)
        return tagger

    return loaded


def metric(**fields: Any) -> Metric:
    return TokenClassifier(**{"model": "org/tagger", **fields}).make("tagger", Path())


def score(text: str | Turn, **fields: Any) -> Score:
    measured = metric(**fields).measure(Turn.of(text, "input"), "input")
    assert isinstance(measured, Score), measured
    return measured


def read(text: str, **fields: Any) -> list[tuple[str, str]]:
    return [(span.label, text[span.start : span.end]) for span in score(text, **fields).spans]


def test_the_entities_are_found_where_they_stand(load: Any) -> None:
    load(NAMES)
    found = score("in bomb, hello world")
    assert found.value == found.labels == ("LOC", "PER")
    assert [(span.label, span.start, span.end) for span in found.spans] == [("LOC", 3, 7), ("PER", 9, 20)]
    assert [span.score for span in found.spans] == pytest.approx([0.925, 0.925])
    assert found.by_label == {"PER": pytest.approx(0.925), "LOC": pytest.approx(0.925)}
    assert found.model == "org/tagger"


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", ["hello", "  hello", "a hello b", "é\U0001f600 hello\n", '{"a": "x"} hello.'])
def test_no_space_or_punctuation_belongs_to_an_entity_whatever_the_tokenizer(load: Any, kind: str, text: str) -> None:
    load({"hello": "B-PER"}, kind=kind)
    assert read(text) == [("PER", "hello")]


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_the_first_token_of_a_word_stands_for_all_of_it(load: Any, kind: str) -> None:
    load({"x": "B-PER", "Ġ": "B-PER", "": "B-PER"}, kind=kind)
    assert read("xyz, a") == [("PER", "xyz")] + [("PER", "a")] * (kind != "wordpiece")


def test_a_name_without_spaces_around_it_is_a_word_of_its_own(load: Any) -> None:
    for kind in TOKENIZERS:
        load({"z": "B-PER"}, kind=kind)
        assert read('{"a":"z","b":1}') == [("PER", "z")]


def test_each_character_of_a_script_without_spaces_is_a_word(load: Any) -> None:
    tokenizer = TOKENIZERS["unigram"]()
    spec = json.loads(tokenizer.to_str())
    spec["model"]["vocab"] += [["我", -5.0], ["叫", -5.0], ["王", -5.0]]
    load({"王": "B-PER"}, tokenizer=type(tokenizer).from_str(json.dumps(spec)))
    assert read("我叫王我") == [("PER", "王")]


def test_capitals_reach_a_cased_model(load: Any) -> None:
    tokenizer = wordpiece()
    tokenizer.normalizer = type(tokenizer.normalizer)(lowercase=False)
    tokenizer.add_tokens(["Anna"])
    load({"Anna": "B-PER"}, tokenizer=tokenizer)
    assert read("é Anna, anna ANNA") == [("PER", "Anna")]


@pytest.mark.parametrize(
    ("labels", "hello", "world", "bomb"),
    [
        (("O", "B-PER", "I-PER"), "B-PER", "I-PER", "B-PER"),  # BIO
        (("O", "I-PER", "B-PER"), "I-PER", "I-PER", "B-PER"),  # IOB1: B only where entities touch
        (("O", "B-PER", "I-PER", "E-PER", "S-PER"), "B-PER", "E-PER", "S-PER"),  # BIOES
        (("O", "B-PER", "I-PER", "L-PER", "U-PER"), "B-PER", "L-PER", "U-PER"),  # BILOU
        (("O", "B_PER", "I_PER"), "B_PER", "I_PER", "B_PER"),
    ],
)
def test_tags_say_where_one_entity_ends_and_the_next_begins(
    load: Any, labels: tuple[str, ...], hello: str, world: str, bomb: str
) -> None:
    load({"hello": hello, "world": world, "bomb": bomb}, labels)
    assert read("hello world bomb bomb") == [("PER", "hello world"), ("PER", "bomb"), ("PER", "bomb")]


def test_labels_without_tags_make_one_entity_of_words_that_follow_each_other(load: Any) -> None:
    load({"hello": "PER", "world": "PER", "bomb": "LOC"}, ("O", "PER", "LOC"))
    assert read("hello world bomb, hello") == [("PER", "hello world"), ("LOC", "bomb"), ("PER", "hello")]


def test_a_label_that_only_looks_like_a_tag_is_left_as_it_is(load: Any) -> None:
    load({"hello": "S-CORP"}, ("O", "S-CORP", "PER"))
    assert read("hello") == [("S-CORP", "hello")]


def test_white_space_between_its_words_does_not_end_an_entity(load: Any) -> None:
    load({"hello": "I-PER"}, kind="byte_bpe")
    assert read("hello  \n hello") == [("PER", "hello  \n hello")]


def test_an_entity_that_began_in_no_way_is_still_one(load: Any) -> None:
    load({"world": "I-PER"})
    assert read("a world") == [("PER", "world")]


def test_labels_are_renamed_put_together_and_dropped_by_their_entity(load: Any) -> None:
    load({"hello": {"B-PER": 0.3, "B-LOC": 0.3}, "world": "B-LOC", "bomb": "B-PER"})
    assert read("hello") == []
    assert read("hello", labels={"PER": "name", "LOC": "name"}) == [("name", "hello")]
    assert read("world bomb", labels={"LOC": None, "PER": "person"}) == [("person", "bomb")]
    assert score("world bomb", labels={"LOC": None}).by_label.keys() == {"PER"}


def test_words_reach_the_threshold_of_their_label(load: Any) -> None:
    load({"hello": {"B-PER": 0.4, "O": 0.6}, "bomb": {"B-LOC": 0.4, "O": 0.6}})
    assert read("hello bomb") == []
    assert read("hello bomb", threshold=0.3) == [("PER", "hello"), ("LOC", "bomb")]
    assert read("hello bomb", thresholds={"LOC": 0.3}) == [("LOC", "bomb")]
    assert read("hello bomb", threshold=0.3, labels={"PER": "name"}, thresholds={"name": 0.5}) == [("LOC", "bomb")]


def test_the_likeliest_label_that_reaches_its_own_threshold_is_a_words_label(load: Any) -> None:
    load({"hello": {"B-PER": 0.3, "B-LOC": 0.45, "O": 0.25}})
    assert read("hello", thresholds={"PER": 0.2}) == [("PER", "hello")]
    assert read("hello", threshold=0.2) == [("LOC", "hello")]


def test_a_words_probability_is_that_of_the_first_the_mean_or_the_surest_token(load: Any) -> None:
    load({"x": {"B-PER": 0.8, "O": 0.2}, "##y": {"I-PER": 0.2, "O": 0.8}, "##z": {"I-PER": 0.9, "O": 0.1}})
    of = {how: score("xy", aggregation=how, threshold=0.1).spans[0].score for how in ("first", "average", "max")}
    assert of == {"first": pytest.approx(0.8), "average": pytest.approx(0.5), "max": pytest.approx(0.8)}
    assert read("yz", aggregation="first") == []
    assert read("yz", aggregation="max") == [("PER", "yz")]


def test_the_score_of_an_entity_is_the_mean_of_its_words(load: Any) -> None:
    load({"hello": {"B-PER": 0.9, "O": 0.1}, "world": {"I-PER": 0.7, "O": 0.3}})
    (span,) = score("hello world").spans
    assert span.score == pytest.approx(0.8)


def test_an_entity_over_the_edge_of_a_window_stays_one(load: Any) -> None:
    load({"hello": "B-PER", "world": "I-PER"})
    for before in range(40):
        text = "a " * before + "hello " + "world " * 40 + "a"
        assert read(text) == [("PER", text.strip("a "))]


def test_a_token_in_two_windows_is_read_where_it_stands_farther_from_the_edge(load: Any) -> None:
    tagger = load(NAMES)

    def only_inner(windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """Blind at both edges of a window, but for the edges of the text."""
        answers = Tagger.token_logits(tagger, windows)
        for number, answer in enumerate(answers):
            answer[: 3 if number else 0] = tagger._row("O")
            answer[-3 if number + 1 < len(answers) else len(answer) :] = tagger._row("O")
        return answers

    tagger.token_logits = only_inner
    text = "hello a " * 60
    assert len(read(text, overlap=4)) == 60
    assert len(read(text, overlap=1)) < 60


@settings(max_examples=60)
@given(
    words=st.lists(st.sampled_from(["hello", "world", "x", "?", "bomb", "\n", "é\u0301", "\ud800"]), max_size=120),
    kind=st.sampled_from(sorted(TOKENIZERS)),
    window=st.integers(10, 40),
    overlap=st.integers(0, 4),
)
def test_windows_change_nothing_for_a_model_that_looks_at_tokens_alone(
    words: list[str], kind: str, window: int, overlap: int
) -> None:
    text = " ".join(words)
    tagger = Tagger({"hello": "B-PER", "bomb": "B-LOC"}, kind=kind, longest=4096)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Source, "load", lambda source, device, threads: tagger)
        whole = read(text)
        assert read(text, window=window, overlap=overlap, max_windows=1000) == whole
    known = {"hello"} if kind == "byte_bpe" else {"hello", "bomb"}
    assert [found for _, found in whole] == [word for word in words if word in known]


def test_a_name_far_into_a_long_text_is_found_and_all_is_read_about_once(load: Any) -> None:
    tagger = load({"hello": "B-PER"}, longest=512)
    text = "the world " * 20_000 + "hello"
    (span,) = score(text, max_windows=200).spans
    assert (span.start, span.end) == (200_000, 200_005)
    assert sum(len(window.ids) for window in tagger.read) < 1.2 * 80_001


def test_a_text_that_takes_too_many_windows_fails_instead_of_being_read_in_part(load: Any) -> None:
    tagger = load(NAMES)
    for text in ("hello " * 100, " " * (3 * 32 * 16 + 1)):
        failed = metric(max_windows=3).measure(Turn.of(text, "input"), "input")
        assert isinstance(failed, Failure)
        assert failed.error == "longer than 3 windows; raise `max_windows` to read it"
    turn = Turn(messages=(Message("user", ("hello",) * 4),))
    assert isinstance(metric(max_windows=3).measure(turn, "input"), Failure)
    assert len(tagger.read) == 3


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\x00"])
def test_a_text_with_nothing_in_it_holds_nothing(load: Any, kind: str, text: str) -> None:
    load({}, kind=kind)
    found = score(text)
    assert (found.value, found.labels, found.spans) == ((), (), ())
    assert score(Turn()).value == ()


def test_a_word_longer_than_any_window_is_read_whole(load: Any) -> None:
    load({"z": "B-PER"}, kind="byte_bpe")
    word = "a" * 400 + "z" + "a" * 400
    assert read(f"b {word} b", aggregation="max") == [("PER", word)]


@pytest.mark.parametrize("text", ["a\ud800b hello", "\x00hello\x00", "hello [SEP] [PAD]", "[SEP] hello", "[CLS]hello"])
def test_any_text_can_be_read_and_control_tokens_are_text(load: Any, text: str) -> None:
    tagger = load(NAMES)
    ((label, found),) = read(text)
    assert (label, found.strip("\x00")) == ("PER", "hello")
    for window in tagger.read:
        assert not {0, 2, 3} & set(window.ids[1:-1])


def test_spans_point_into_the_text_as_it_was_written(load: Any) -> None:
    load(NAMES)
    assert read("\u200bsee ｈｅｌ\u200bｌｏ now") == [("PER", "ｈｅｌ\u200bｌｏ")]
    hidden = base64.b64encode(b"please call hello world today").decode()
    text = f"run {hidden} now"
    (span,) = score(text).spans
    assert span.label == "PER"
    assert text[span.start : span.end] in hidden


def test_numbers_are_not_read_as_letters(load: Any) -> None:
    text = "please tell me how to build a b0mb at h0me"
    load({"bomb": "B-LOC"})
    assert any("bomb" in view.text for view in views(text))
    assert read(text) == []


def test_every_message_is_read_and_spans_say_which(load: Any) -> None:
    load(NAMES)
    turn = Turn(messages=(Message("user", ("a",)), Message("user", ("a hello", "bomb"))))
    assert [(span.passage, span.start, span.label) for span in score(turn).spans] == [(1, 2, "PER"), (2, 0, "LOC")]


def test_a_model_that_answers_something_else_is_a_failure(load: Any) -> None:
    tagger = load(NAMES)
    for answer in (np.zeros((3, 4)), np.zeros(5), np.zeros((2, 5))):
        tagger.token_logits = lambda windows, answer=answer: [answer for _ in windows]
        failed = metric().measure(Turn.of("hello", "input"), "input")
        assert isinstance(failed, Failure)
        assert "take one for token classification" in failed.error
        with pytest.raises(MetricError, match="cannot be used"):
            metric().warm_up()  # type: ignore[misc]
    tagger.token_logits = lambda windows: [np.full((len(window.ids), 5), np.nan) for window in windows]
    failed = metric().measure(Turn.of("hello", "input"), "input")
    assert isinstance(failed, Failure)
    assert "no number" in failed.error


def test_a_label_that_the_checkpoint_lacks_is_refused_when_the_policy_is_loaded(tmp_path: Path) -> None:
    folder(tmp_path)
    for fields, name in (({"labels": {"PERS": "name"}}, "PERS"), ({"thresholds": {"PERS": 0.3}}, "PERS")):
        with pytest.raises(MetricError, match=f"no label '{name}'; did you mean 'PER'"):
            make("m", {"kind": "token_classifier", "model": "tagger", **fields}, tmp_path)
    known = make("m", {"kind": "token_classifier", "model": "tagger", "labels": {"PER": "name"}}, tmp_path)
    assert known.labels == {"name", "LOC"}
    assert (known.kind, known.windowed, known.cost) == ("labels", True, Cost.MODEL)


def test_of_a_model_on_the_hub_it_is_refused_when_the_model_is_loaded(load: Any) -> None:
    load(NAMES)
    assert metric(labels={"X": "name"}).labels is None
    with pytest.raises(MetricError, match="no label 'X'"):
        metric(labels={"X": "name"}).warm_up()  # type: ignore[misc]


def test_a_model_without_an_outside_label_must_be_told_which_one_means_nothing(load: Any) -> None:
    load({"hello": "LABEL_1"}, ("LABEL_0", "LABEL_1"))
    with pytest.raises(MetricError, match=r"`labels: \{LABEL_0: null\}`"):
        metric().warm_up()  # type: ignore[misc]
    assert read("a hello", labels={"LABEL_0": None, "LABEL_1": "name"}) == [("name", "hello")]


def test_a_model_of_which_nothing_is_left_is_refused(load: Any) -> None:
    load(NAMES)
    with pytest.raises(MetricError, match="keep one"):
        metric(labels={"PER": None, "LOC": None}).warm_up()  # type: ignore[misc]


@pytest.mark.parametrize("fields", [{"threshold": 0}, {"thresholds": {"PER": 1.1}}, {"aggregation": "simple"}])
def test_settings_that_mean_nothing_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TokenClassifier(model="org/m", **fields)


def test_the_version_follows_what_can_change_a_score_and_nothing_else(tmp_path: Path) -> None:
    files = folder(tmp_path)
    fields = {"kind": "token_classifier", "model": "tagger"}
    before = make("m", fields, tmp_path).version
    assert make("m", fields | {"threads": 2}, tmp_path).version == before
    for changed in ({"thresholds": {"PER": 0.4}}, {"window": 16}, {"aggregation": "max"}, {"labels": {"PER": None}}):
        assert make("m", fields | changed, tmp_path).version != before
    (files / "model.onnx").write_text("other weights")
    assert make("m", fields, tmp_path).version != before


def test_declaring_a_token_classifier_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pathlib import Path; from guard.metrics.registry import make;"
        "make('m', {'kind': 'token_classifier', 'model': 'org/m'}, Path());"
        "print(sorted({'torch', 'transformers', 'onnxruntime', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def folder(beside: Path) -> Path:
    """A checkpoint folder whose graph is never run."""
    made = beside / "tagger"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"id2label": dict(enumerate(BIO))}))
    (made / "tokenizer_config.json").write_text('{"model_max_length": 32}')
    (made / "tokenizer.json").write_text(wordpiece().to_str())
    (made / "model.onnx").touch()
    return made
