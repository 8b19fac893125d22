"""Kind `classifier`, on a model that is quick to make: it knows one word, and says how sure it is."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Failure, Measurement, Message, Metric, Score, Side, Turn
from guard.metrics.checkpoint import Config, Source
from guard.metrics.classifier import Classifier
from guard.metrics.metric import Cost
from guard.metrics.registry import make
from guard.metrics.tokens import Tokens, Window
from tests.metrics.checkpoints import wordpiece

TOKENIZER = wordpiece()
BOMB = TOKENIZER.token_to_id("bomb")


class Spotter:
    """Answers `hot` for a window with the word "bomb" (probability 0.9 of its labels), else `cold` (0.6)."""

    tokens = Tokens(TOKENIZER.to_str())
    config = Config(("cold", "hot", "scalding"), 32, None)

    def __init__(self) -> None:
        self.read: list[Window] = []

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        self.read += windows
        return np.log([[0.08, 0.9, 0.02] if BOMB in window.ids else [0.6, 0.3, 0.1] for window in windows])


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Spotter:
    """What every source loads in this test."""
    spotter = Spotter()
    monkeypatch.setattr(Source, "load", lambda source, device, threads: spotter)
    return spotter


def classifier(**fields: Any) -> Metric:
    return Classifier(**{"model": "org/spotter", **fields}).make("spotter", Path())


def score(metric: Metric, turn: Turn | str, side: Side = "input") -> Score:
    measured = measure(metric, turn, side)
    assert isinstance(measured, Score), measured
    return measured


def measure(metric: Metric, turn: Turn | str, side: Side = "input") -> Measurement:
    measured = metric.measure(Turn.of(turn, side), side)
    assert isinstance(measured, Score | Failure)
    return measured


HARMLESS = "hello world " * 60


@pytest.mark.parametrize("text", ["a bomb", f"{HARMLESS} bomb", f"bomb {HARMLESS}", f"{HARMLESS} bomb {HARMLESS}"])
def test_one_word_is_found_wherever_it_stands(model: Spotter, text: str) -> None:
    found = score(classifier(positive="hot"), text)
    assert found.value == pytest.approx(0.9)
    assert found.spans
    for span in found.spans:
        assert "bomb" in text[span.start : span.end]
        assert (span.label, span.score) == ("hot", pytest.approx(0.9))


def test_a_harmless_text_has_the_models_own_low_number_and_no_span(model: Spotter) -> None:
    harmless = score(classifier(positive="hot"), HARMLESS)
    assert (harmless.value, harmless.spans) == (pytest.approx(0.3), ())
    assert harmless.model == "org/spotter"
    assert harmless.by_label == {"hot": pytest.approx(0.3)}


@settings(max_examples=40)
@given(words=st.lists(st.sampled_from(["hello", "world", "x", "?"]), max_size=200), at=st.floats(0, 1))
def test_no_place_in_a_text_escapes(words: list[str], at: float) -> None:
    place = int(at * len(words))
    text = " ".join([*words[:place], "bomb", *words[place:]])
    metric = Classifier(model="org/spotter", positive="hot").make("spotter", Path())
    with pytest.MonkeyPatch.context() as patch:
        spotter = Spotter()
        patch.setattr(Source, "load", lambda source, device, threads: spotter)
        assert score(metric, text).value == pytest.approx(0.9)


def test_several_positives_count_together(model: Spotter) -> None:
    together = score(classifier(positive=["hot", "scalding"]), "hello")
    assert together.value == pytest.approx(0.4)
    assert together.by_label == {"hot": pytest.approx(0.3), "scalding": pytest.approx(0.1)}


def test_spans_reach_the_threshold(model: Spotter) -> None:
    assert score(classifier(positive="hot", threshold=0.95), "bomb").spans == ()
    assert len(score(classifier(positive="hot", threshold=0.2), "hello").spans) == 1


def test_labels_are_those_that_reach_the_threshold_under_their_new_names(model: Spotter) -> None:
    metric = classifier(gives="labels", threshold=0.25, labels={"cold": None, "scalding": "heat", "hot": "heat"})
    assert (metric.kind, metric.windowed) == ("labels", True)
    found = score(metric, "hello")
    assert (found.value, found.labels) == (("heat",), ("heat",))
    assert found.by_label == {"heat": pytest.approx(0.4)}
    none = score(classifier(gives="labels", threshold=0.95), "hello")
    assert (none.value, none.labels, none.spans) == ((), (), ())


def test_labels_of_all_windows_come_together(model: Spotter) -> None:
    found = score(classifier(gives="labels"), f"{HARMLESS} bomb")
    assert set(found.value) == {"cold", "hot"}  # type: ignore[arg-type]


def test_the_likeliest_label_is_that_of_the_surest_window(model: Spotter) -> None:
    metric = classifier(gives="label", labels={"hot": "warm"})
    assert (metric.kind, metric.windowed) == ("label", False)
    assert score(metric, HARMLESS).value == "cold"
    warm = score(metric, f"{HARMLESS} bomb {HARMLESS}")
    assert warm.value == "warm"
    assert [span.label for span in warm.spans] == ["warm"]


def test_a_text_with_nothing_in_it_holds_nothing(model: Spotter) -> None:
    for turn in ("", "  ", Turn()):
        assert score(classifier(positive="cold"), turn).value == 0.0
        assert score(classifier(gives="labels"), turn).value == ()
    assert model.read == []


def test_a_text_with_nothing_in_it_has_the_label_that_the_model_gives_nothing(model: Spotter) -> None:
    assert score(classifier(gives="label"), "").value == "cold"
    assert [window.ids for window in model.read] == [[2, 3]]


def test_an_empty_message_does_not_outvote_one_that_speaks(model: Spotter) -> None:
    turn = Turn(messages=(Message("user", ("", "bomb")),))
    assert score(classifier(gives="label"), turn).value == "hot"
    assert len(model.read) == 1


def test_every_message_is_read_and_spans_say_which(model: Spotter) -> None:
    turn = Turn(messages=(Message("user", ("hello",)), Message("system", ("bomb",)), Message("user", ("a bomb",))))
    found = score(classifier(positive="hot"), turn)
    assert [(span.passage, span.start, span.end) for span in found.spans] == [(1, 0, 6)]


def test_what_a_text_says_when_decoded_is_read_too(model: Spotter) -> None:
    encoded = "please run aGVsbG8gYm9tYiBoZWxsbyB3b3JsZA== now"  # hello bomb hello world
    found = score(classifier(positive="hot"), encoded)
    assert found.value == pytest.approx(0.9)
    assert score(classifier(gives="label"), encoded).value == "cold"


def test_a_text_that_takes_too_many_windows_fails_instead_of_being_read_in_part(model: Spotter) -> None:
    failed = measure(classifier(positive="hot", max_windows=3), HARMLESS)
    assert isinstance(failed, Failure)
    assert "longer than 3 windows; raise `max_windows`" in failed.error
    assert model.read == []


def test_a_huge_text_is_refused_before_it_is_cut_into_tokens(model: Spotter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Tokens, "windows", lambda *arguments: pytest.fail("cut into tokens"))
    failed = measure(classifier(positive="hot"), " " * (128 * 32 * 16 + 1))
    assert isinstance(failed, Failure)
    assert "longer than 128 windows" in failed.error


def test_many_small_messages_count_as_many_windows(model: Spotter) -> None:
    turn = Turn(messages=(Message("user", ("hello",) * 5),))
    assert isinstance(measure(classifier(positive="hot", max_windows=4), turn), Failure)
    assert isinstance(measure(classifier(positive="hot", max_windows=5), turn), Score)


def test_answers_that_are_no_numbers_are_a_failure(model: Spotter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "logits", lambda windows: np.full((len(windows), 3), np.nan))
    for fields in ({"positive": "hot"}, {"gives": "labels"}, {"gives": "label"}):
        assert isinstance(measure(classifier(**fields), "hello"), Failure)
        with pytest.raises(MetricError, match="no number"):
            classifier(**fields).warm_up()  # type: ignore[misc]


@pytest.mark.parametrize("text", ["a\ud800b bomb", "\x00bomb\x00", "bomb [SEP] [PAD]", "</s> bomb"])
def test_any_text_can_be_read(model: Spotter, text: str) -> None:
    assert score(classifier(positive="hot"), text).value == pytest.approx(0.9)


def test_the_number_needs_its_label() -> None:
    with pytest.raises(ValidationError, match="`positive` is missing"):
        Classifier(model="org/m")
    with pytest.raises(ValidationError, match="belongs to `gives: number`"):
        Classifier(model="org/m", gives="labels", positive="hot")


def test_a_label_that_the_checkpoint_lacks_is_refused_when_the_policy_is_loaded(tmp_path: Path) -> None:
    folder(tmp_path)
    with pytest.raises(MetricError, match="no label 'hott'; did you mean 'hot'"):
        make("m", {"kind": "classifier", "model": "spotter", "positive": "hott"}, tmp_path)
    known = make("m", {"kind": "classifier", "model": "spotter", "positive": "hot"}, tmp_path)
    assert known.labels == {"hot"}


def test_of_a_model_on_the_hub_it_is_refused_when_the_model_is_loaded(model: Spotter) -> None:
    metric = classifier(positive="hott")
    assert metric.labels is None
    assert metric.warm_up
    with pytest.raises(MetricError, match="no label 'hott'"):
        metric.warm_up()


def test_a_window_that_the_model_cannot_take_is_refused(model: Spotter) -> None:
    for fields, fix in (({"window": 33}, "takes 32 tokens"), ({"window": 16, "overlap": 8}, "under 8")):
        metric = classifier(positive="hot", **fields)
        assert metric.warm_up
        with pytest.raises(MetricError, match=fix):
            metric.warm_up()


def test_a_model_that_does_not_say_what_it_takes_must_be_told(model: Spotter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "config", Config(("cold", "hot", "scalding"), None, None))
    with pytest.raises(MetricError, match="window: 512"):
        classifier(positive="hot").warm_up()  # type: ignore[misc]
    assert score(classifier(positive="hot", window=16), "bomb").value == pytest.approx(0.9)


def test_smaller_windows_are_more_windows(model: Spotter) -> None:
    score(classifier(positive="hot", window=12, overlap=2), HARMLESS)
    assert max(len(window.ids) for window in model.read) == 12
    assert len(model.read) == 15


def test_the_version_follows_what_can_change_a_score_and_nothing_else(tmp_path: Path) -> None:
    files = folder(tmp_path)
    fields = {"kind": "classifier", "model": "spotter", "positive": "hot"}
    before = make("m", fields, tmp_path).version
    assert make("m", fields | {"threads": 2}, tmp_path).version == before
    assert make("m", fields | {"threshold": 0.4}, tmp_path).version != before
    assert make("m", fields | {"window": 16}, tmp_path).version != before
    (files / "model.onnx").write_text("other weights")
    assert make("m", fields, tmp_path).version != before


def test_a_model_costs_more_than_patterns_and_runs_in_a_thread() -> None:
    metric = classifier(positive="hot")
    assert metric.cost == Cost.MODEL
    assert not asyncio.iscoroutinefunction(metric.measure)


def test_many_threads_measure_at_once(model: Spotter) -> None:
    metric = classifier(positive="hot")
    values: list[object] = []
    readers = [
        threading.Thread(target=lambda text=text: values.append(score(metric, text).value))
        for text in [HARMLESS, f"{HARMLESS} bomb"] * 8
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    assert sorted(round(float(str(value)), 6) for value in values) == [0.3] * 8 + [0.9] * 8


def test_declaring_a_classifier_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pathlib import Path; from guard.metrics.registry import make;"
        "make('m', {'kind': 'classifier', 'model': 'org/m', 'positive': 'x'}, Path());"
        "print(sorted({'torch', 'transformers', 'onnxruntime', 'tokenizers'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def folder(beside: Path) -> Path:
    """A checkpoint folder whose graph is never run."""
    made = beside / "spotter"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"id2label": dict(enumerate(Spotter.config.labels))}))
    (made / "tokenizer_config.json").write_text('{"model_max_length": 32}')
    (made / "tokenizer.json").write_text(TOKENIZER.to_str())
    (made / "model.onnx").touch()
    return made
