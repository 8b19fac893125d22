"""The encoder at work: only the right weights are loaded, whole texts are read, and each window is read once."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from guard.errors import MetricError
from guard.metrics.encoder import Encoder, encoder, tokenised
from guard.metrics.encoder.reading import Pass
from tests.metrics.encoder import tiny

SENTENCE = "The cat sat on the mat. "


def counted(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """The token ids of every pass that the graph runs from now on."""
    passes: list[list[int]] = []
    run = model.graph.run

    def counting(outputs: Any, values: Any) -> Any:
        passes.append(values["input_ids"][0].tolist())
        return run(outputs, values)

    monkeypatch.setattr(type(model.graph), "run", lambda self, outputs, values: counting(outputs, values))
    return passes


def value(model: Encoder, text: str, column: str) -> float:
    return float(model.read(text).probabilities[:, model.facts.columns.index(column)].max(initial=0.0))


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_was_changed_is_refused(tmp_path: Path, name: str) -> None:
    tiny.write(tmp_path)
    content = bytearray((tmp_path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MetricError, match=rf"{name} is not the file .* install Guard again"):
        Encoder.load(tmp_path)


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_file_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    (tiny.write(tmp_path) / name).unlink()
    with pytest.raises(MetricError, match=rf"{name} cannot be read .*install Guard again"):
        Encoder.load(tmp_path)


def test_a_process_loads_a_model_once_however_many_threads_ask(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = []
    load = Encoder.load
    monkeypatch.setattr(Encoder, "load", lambda folder: loads.append(folder) or load(folder))
    monkeypatch.setattr("guard.metrics.encoder.model._loaded", {})
    with ThreadPoolExecutor(8) as pool:
        models = {id(model) for model in pool.map(lambda _: encoder(folder), range(8))}
    assert (len(models), loads) == (1, [folder])


def test_importing_loads_no_library_that_runs_the_model() -> None:
    program = (
        "import sys, guard.metrics.encoder.adherence, guard.metrics.encoder.tone, guard.metrics.encoder.metrics;"
        "print(*{'onnxruntime', 'tokenizers', 'torch', 'transformers'} & {*sys.modules})"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""


def test_the_graph_runs_on_one_thread_that_does_not_spin(model: Encoder) -> None:
    options = model.graph.session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (1, 1)
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_a_text_that_fits_is_one_pass(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(model, monkeypatch)
    reading = model.read(SENTENCE * 4)
    assert len(passes) == 1
    assert (reading.windows, reading.lengths) == ([(0, len(SENTENCE) * 4 - 1)], [28])


def test_a_long_text_is_read_whole_in_windows_that_end_with_sentences(model: Encoder) -> None:
    text = SENTENCE * 40 + "An attack is here."
    reading = model.read(text)
    assert value(model, text, "prompt_injection") > 0.9
    assert max(reading.lengths) <= 30
    assert {text[end - 1] for _, end in reading.windows} == {"."}
    assert {text[start:].startswith(SENTENCE) for start, _ in reading.windows} == {True}
    assert all(text[begin:end] == SENTENCE.strip() for (_, end), (begin, _) in pairwise(reading.windows))
    read = {place for start, end in reading.windows for place in range(start, end)}
    assert {place for place in range(len(text)) if not text[place].isspace()} <= read


def test_every_token_is_told_once_by_the_window_that_sees_more_around_it(model: Encoder) -> None:
    text = SENTENCE * 10 + "Maria Smith ran far away. " + SENTENCE * 10
    reading = model.read(text)
    assert len(reading.ranges) > 3
    assert len(reading.tokens) == len(reading.offsets) == len(reading.words)
    person = model.facts.tags("pii")["B-PERSON"]
    (found,) = np.flatnonzero(reading.tokens[:, person] > 0)
    start, end = reading.offsets[found]
    assert text[start:end] == "Maria"


@pytest.mark.parametrize("text", ["", " \n", "\0", "\u200b"])
def test_a_text_without_tokens_has_no_windows(model: Encoder, text: str) -> None:
    reading = model.read(text)
    assert reading.columns.shape == (0, len(model.facts.columns))
    assert reading.embeddings.shape == (0, 2)
    assert (reading.windows, len(reading.offsets)) == ([], 0)


def test_any_text_can_be_read(model: Encoder) -> None:
    text = "a\ud800\0 " + "é\U0001f600" * 100 + "a" * 500 + " attack"
    reading = model.read(text)
    assert value(model, text, "prompt_injection") > 0.9
    assert reading.offsets[-1].tolist() == [len(text) - 6, len(text)]


def test_text_of_several_stretches_is_read_as_one(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The cat sat on the mat and then " * 40 + "b" * 300 + " maria slept."
    whole = tokenised.Tokenised.of(text, model.tokens)
    monkeypatch.setattr("guard.metrics.tokens.STRETCH", 100)
    parts = tokenised.Tokenised.of(text, model.tokens)
    assert parts.offsets.tolist()[-3:] == whole.offsets.tolist()[-3:]
    assert parts.ids[:320].tolist() == whole.ids[:320].tolist()
    assert parts.words[:320].tolist() == whole.words[:320].tolist()
    assert (np.diff(parts.words) >= 0).all()


def test_a_text_that_is_too_long_is_refused_and_not_read_in_part(
    model: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenised, "MOST_TOKENS", 100)
    with pytest.raises(ValueError, match="more than 100 tokens"):
        model.read(SENTENCE * 20)


def test_control_tokens_in_a_text_are_read_as_text(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(model, monkeypatch)
    model.read("the cat [SEP] [CLS] [PAD] [MASK] an attack")
    ((first, *inner, last),) = passes
    assert [first, last] == [2, 3]
    assert min(inner) > 4


def test_letter_case_is_told_to_the_model(model: Encoder) -> None:
    # The second number of the embedding is the mean of the token types, special tokens included.
    for text, types in (("the cat", 0 + 0), ("The cat", 1 + 0), ("The CAT", 1 + 2)):
        assert model.read(text).embeddings[0, 1] == pytest.approx(types / 4)


def test_a_pair_tells_context_and_response_apart(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(model, monkeypatch)
    one = model.pair(model.tokenised("The cat"), model.tokenised("dog RAN"))
    assert [ids[0] for ids in passes] == [2]
    assert [at for at, number in enumerate(passes[0]) if number == 3] == [3, 6]
    # [CLS] 0, The 1, cat 0, [SEP] 0, dog 6, RAN 8, [SEP] 6.
    assert one.embedding[1] == pytest.approx((1 + 6 + 8 + 6) / 7)


def test_a_pair_tells_which_words_both_have(model: Encoder) -> None:
    one = model.pair(model.tokenised("The cat"), model.tokenised("A CAT"))
    # [CLS] 0, The 1, cat 3, [SEP] 0, A 7, CAT 11, [SEP] 6.
    assert one.embedding[1] == pytest.approx((1 + 3 + 7 + 11 + 6) / 7)


def test_a_text_that_was_read_is_not_read_again(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    passes = counted(model, monkeypatch)
    assert model.read(SENTENCE) is model.read(SENTENCE)
    assert len(passes) == 1


def test_threads_that_want_the_same_text_at_once_share_one_reading(
    model: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = counted(model, monkeypatch)
    with ThreadPoolExecutor(8) as pool:
        readings = set(pool.map(lambda _: model.read(" ".join(tiny.WORDS) + "."), range(32)))
    assert len(readings) == 1
    assert len(passes) == 2


def test_a_text_that_grows_costs_only_what_is_new(model: Encoder, monkeypatch: pytest.MonkeyPatch) -> None:
    words = tiny.WORDS
    said = " ".join(f"{words[at % 31]} {words[at * 7 % 36]}{'.' if at % 5 == 0 else ''}" for at in range(200))
    model.read(said)
    passes = counted(model, monkeypatch)
    grown = model.read(said + " And a dog ran far away.")
    assert len(grown.ranges) > 10
    assert len(passes) <= 2


def test_what_is_kept_takes_no_more_than_its_room(model: Encoder) -> None:
    one = Pass(*(np.zeros(size, np.float32) for size in (3, 4, 5)))
    assert one.size == 48
    reading = model.read(SENTENCE * 20)
    assert reading.size >= reading.tokens.nbytes + reading.columns.nbytes + reading.embeddings.nbytes
