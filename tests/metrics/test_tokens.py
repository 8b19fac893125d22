"""Reading text as tokens: control tokens are text, and the whole text is read."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import MetricError
from guard.metrics.tokens import Tokens
from tests.metrics.checkpoints import LETTERS, TOKENIZERS

READERS = {kind: Tokens(make().to_str()) for kind, make in TOKENIZERS.items()}
CONTROLS = {
    kind: {token.content: number for number, token in make().get_added_tokens_decoder().items()}
    for kind, make in TOKENIZERS.items()
}
kinds = pytest.mark.parametrize("kind", TOKENIZERS)


@kinds
def test_control_tokens_in_a_text_are_read_as_their_characters(kind: str) -> None:
    unknown = {"[UNK]", "<unk>"}  # what stands for a character that the vocabulary lacks: no control
    controls = {number for name, number in CONTROLS[kind].items() if name not in unknown}
    for name in ("[SEP]", "[CLS]", "[PAD]", "[MASK]", "<s>", "</s>", "<pad>", "<mask>", "<|endoftext|>"):
        for text in (name, f"hello {name} world", f"hello{name}{name}world"):
            (window,) = READERS[kind].windows(text, 64, 8)
            assert not controls & set(window.ids[1:-1]), text
            assert len(window.ids) - 2 >= len(name) / 3, text


@kinds
def test_the_usual_tokenizer_would_have_taken_them_for_control_tokens(kind: str) -> None:
    name = "[SEP]" if kind == "wordpiece" else "</s>"
    assert CONTROLS[kind][name] in TOKENIZERS[kind]().encode(f"hello {name}", add_special_tokens=False).ids


@kinds
def test_the_tokens_of_ordinary_text_stay_as_they_were(kind: str) -> None:
    text = "hello world, this is 1 bomb?"
    (window,) = READERS[kind].windows(text, 64, 8)
    assert window.ids == TOKENIZERS[kind]().encode(text).ids


@kinds
@settings(max_examples=60)
@given(
    text=st.text(st.sampled_from(LETTERS + "  \n\ud800\U0001f600é"), max_size=300),
    size=st.integers(8, 40),
    overlap=st.integers(0, 3),
)
def test_windows_hold_every_token_and_neighbours_share_the_overlap(
    kind: str, text: str, size: int, overlap: int
) -> None:
    reader = READERS[kind]
    windows = reader.windows(text, size, overlap)
    whole = reader.windows(text, 10_000, 0)
    if not whole:
        assert windows == []
        return
    inner = [window.ids[1:-1] for window in windows]
    assert max(map(len, inner)) <= size - reader.special
    joined = list(inner[0])
    for before, ids in pairwise(inner):
        assert ids[:overlap] == before[len(before) - overlap :]
        joined += ids[overlap:]
    assert joined == whole[0].ids[1:-1]
    assert (windows[0].start, windows[-1].end) == (whole[0].start, whole[0].end)


@kinds
def test_a_window_says_which_characters_it_reads(kind: str) -> None:
    text = "é\U0001f600 " + "hello world " * 30 + "bomb."
    *_, last = READERS[kind].windows(text, 32, 4)
    assert text[last.start : last.end].endswith("bomb.")
    assert last.end == len(text)


@kinds
def test_a_tokenizer_that_cuts_and_pads_is_read_whole_and_unpadded(kind: str) -> None:
    cutting = TOKENIZERS[kind]()
    cutting.enable_truncation(8)
    cutting.enable_padding(length=64)
    text = "hello world " * 20
    assert Tokens(cutting.to_str()).windows(text, 500, 8) == READERS[kind].windows(text, 500, 8)
    assert len(READERS[kind].windows(text, 500, 8)[0].ids) > 40


def test_a_word_too_long_for_wordpiece_is_read_not_hidden() -> None:
    (window,) = READERS["wordpiece"].windows("a" * 1_000, 2_000, 0)
    unknown = CONTROLS["wordpiece"]["[UNK]"]
    assert unknown not in window.ids
    assert len(window.ids) == 1_002


def test_added_tokens_keep_their_numbers_when_control_tokens_are_renamed() -> None:
    tokenizer = TOKENIZERS["byte_bpe"]()
    tokenizer.add_special_tokens(["<late>"])
    tokenizer.add_tokens(["|||name|||"])
    (window,) = Tokens(tokenizer.to_str()).windows("|||name||| <late>", 64, 0)
    assert window.ids[1] == tokenizer.token_to_id("|||name|||")
    assert tokenizer.token_to_id("<late>") not in window.ids


def test_a_control_token_that_is_only_named_by_the_template_is_guarded_too() -> None:
    spec = json.loads(TOKENIZERS["unigram"]().to_str())
    spec["added_tokens"] = []
    (window,) = Tokens(json.dumps(spec)).windows("hello </s> <s>", 64, 0)
    assert not {0, 2} & set(window.ids[1:-1])


def test_a_merge_that_would_spell_a_control_token_is_left_out() -> None:
    spec = json.loads(TOKENIZERS["byte_bpe"]().to_str())
    spec["pre_tokenizer"] = None
    spec["model"]["merges"] = [["<", "s"], ["<s", ">"]]
    spec["model"]["vocab"]["<s"] = len(spec["model"]["vocab"])
    (window,) = Tokens(json.dumps(spec)).windows("<s>", 64, 0)
    assert spec["model"]["vocab"]["<s>"] not in window.ids[1:-1]


def test_a_file_that_is_no_tokenizer_is_refused() -> None:
    with pytest.raises(MetricError, match=r"tokenizer\.json cannot be read"):
        Tokens('{"model": 1}')


@kinds
@pytest.mark.parametrize("overlap", [0, 3])
def test_windows_made_of_pieces_are_those_made_at_once(kind: str, overlap: int) -> None:
    reader = READERS[kind]
    for text in ("hello", "hello world, " * 20, "", "é\U0001f600 [SEP] </s> bomb"):
        pieces = reader.pieces(text, 1_000)
        ranges = pieces.ranges(16 - reader.special, overlap)
        assert [reader.window(pieces, *place) for place in ranges] == reader.windows(text, 16, overlap)
