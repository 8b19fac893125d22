"""Text as a model's tokens, cut into overlapping windows. The only file that imports tokenizers."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError

if TYPE_CHECKING:
    from tokenizers import Encoding

_SURROGATES = re.compile("[\ud800-\udfff]")
#: Characters that are cut into tokens at once; the tokenizer takes some 500 bytes for each token while it does.
STRETCH = 50_000


@dataclass(frozen=True, slots=True)
class Window:
    """One reading of a model: token `ids` and their segment `types`, the special tokens around them included.

    `start` and `end` say which characters (code points) of the text it reads, end exclusive.
    """

    ids: list[int]
    types: list[int]
    start: int
    end: int


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """A text's tokens without special ones: N `ids`, the characters (start, end) that each covers as N by 2 `offsets`,
    and the number of the `words` that each belongs to, counted from 0.
    """

    ids: NDArray[np.int64]
    offsets: NDArray[np.int32]
    words: NDArray[np.int32]

    def ranges(self, size: int, overlap: int) -> list[tuple[int, int]]:
        """All tokens as (first, end), end exclusive: `size` at a time, of which neighbours share `overlap`."""
        count = len(self.ids)
        firsts = range(0, max(count - overlap, 1), size - overlap) if count else ()
        return [(first, min(first + size, count)) for first in firsts]


class Tokens:
    """A tokenizer that reads control tokens, where they stand in a text, as the characters they are written with."""

    def __init__(self, serialised: str) -> None:
        """`serialised` is the content of a `tokenizer.json`. Raises MetricError where it is none."""
        from tokenizers import Tokenizer

        try:
            self._tokenizer = Tokenizer.from_str(json.dumps(_guarded(json.loads(serialised))))
        except Exception as error:
            raise MetricError(f"the checkpoint's tokenizer.json cannot be read: {error}") from error
        self.special = self._tokenizer.num_special_tokens_to_add(is_pair=False)
        #: What a model reads where there is nothing to read.
        self.nothing = self._window(self._encoded(""))

    def windows(self, text: str, size: int, overlap: int) -> list[Window]:
        """The whole text in windows of at most `size` tokens, of which neighbours share `overlap`.

        None where the text has no tokens.
        """
        whole = self._encoded(text)
        whole.truncate(size - self.special, stride=overlap)
        return [self._window(part) for part in (whole, *whole.overflowing) if part.ids]

    def pieces(self, text: str, most: int) -> Pieces:
        """All tokens of a text, read in stretches. Raises ValueError as soon as there are more than `most`."""
        ids: list[NDArray[np.int64]] = []
        offsets: list[NDArray[np.int32]] = []
        words: list[NDArray[np.int32]] = []
        count = word = 0
        for start, end in _stretches(text):
            part = self._encoded(text[start:end])
            count += len(part.ids)
            if count > most:
                raise ValueError(f"the text has more than {most} tokens")
            ids.append(np.array(part.ids, np.int64))
            offsets.append(np.array(part.offsets, np.int32).reshape(-1, 2) + start)
            words.append(np.array(part.word_ids, np.int32) + word)
            word = int(words[-1][-1]) + 1 if len(part) else word
        if len(ids) == 1:
            return Pieces(ids[0], offsets[0], words[0])
        return Pieces(np.concatenate(ids), np.concatenate(offsets), np.concatenate(words))

    @cached_property
    def before(self) -> int:
        """How many special tokens a model reads before a text."""
        return self._framed.special_tokens_mask.index(0)

    @cached_property
    def _framed(self) -> Encoding:
        return self._tokenizer.post_process(self._encoded("a"))

    def window(self, pieces: Pieces, first: int, end: int) -> Window:
        """What a model reads of a text's tokens from `first` up to `end`, which must not be none."""
        before, nothing = self.before, self.nothing
        segment = self._framed.type_ids[before]
        ids = [*nothing.ids[:before], *pieces.ids[first:end].tolist(), *nothing.ids[before:]]
        types = [*nothing.types[:before], *[segment] * (end - first), *nothing.types[before:]]
        return Window(ids, types, int(pieces.offsets[first, 0]), int(pieces.offsets[end - 1, 1]))

    def _encoded(self, text: str) -> Encoding:
        # The tokenizer takes no lone surrogates; one character for one keeps the offsets.
        readable = _SURROGATES.sub("\ufffd", text)
        # A batch of one, because only the batch call lets other threads run meanwhile.
        return self._tokenizer.encode_batch([readable], add_special_tokens=False)[0]

    def _window(self, part: Encoding) -> Window:
        offsets = part.offsets or [(0, 0)]
        full = self._tokenizer.post_process(part)
        return Window(full.ids, full.type_ids, offsets[0][0], offsets[-1][1])


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """The text in parts of at most STRETCH characters, that end with a space where one is in their second half."""
    start = 0
    while len(text) - start > STRETCH:
        space = text.rfind(" ", start + STRETCH // 2, start + STRETCH)
        end = start + STRETCH if space < 0 else space + 1
        yield start, end
        start = end
    yield start, len(text)


def _guarded(spec: dict[str, Any]) -> dict[str, Any]:
    """The tokenizer with control tokens that no text can write, and nothing cut or padded.

    An added token is found in a text before anything else looks at it, and a Unigram model has its control tokens among
    its pieces besides, so switching the first off is not enough. Each gets a random name instead, under its old id.
    """
    controls = {token["content"] for token in spec["added_tokens"] if token["special"]}
    controls |= _in_template(spec["post_processor"])
    renamed = {name: secrets.token_hex(16) for name in controls}
    model = dict(spec["model"])
    vocabulary = model["vocab"]
    if isinstance(vocabulary, dict):
        model["vocab"] = {renamed.get(piece, piece): number for piece, number in vocabulary.items()}
    else:
        model["vocab"] = [[renamed.get(piece, piece), score] for piece, score in vocabulary]
    if model.get("unk_token"):
        model["unk_token"] = renamed.get(model["unk_token"], model["unk_token"])
    if model.get("merges"):
        pairs = (pair.split(" ") if isinstance(pair, str) else pair for pair in model["merges"])
        model["merges"] = [pair for pair in pairs if "".join(pair) not in controls]
    added = [{**token, "content": renamed.get(token["content"], token["content"])} for token in spec["added_tokens"]]
    spec = {**spec, "model": model, "added_tokens": added, "truncation": None, "padding": None}
    return _with_short_words(spec) if model.get("type") == "WordPiece" else spec


def _in_template(processor: Mapping[str, Any] | None) -> set[str]:
    """The names of the tokens that a post-processor puts around a text."""
    if processor is None:
        return set()
    if processor["type"] == "Sequence":
        return set().union(*map(_in_template, processor["processors"]))
    if processor["type"] == "TemplateProcessing":
        return set(processor["special_tokens"])
    return {processor[end][0] for end in ("cls", "sep") if end in processor}


def _with_short_words(spec: dict[str, Any]) -> dict[str, Any]:
    """WordPiece reads a word longer than its limit as one unknown token, which would hide it: cut such words up."""
    cut = {"type": "FixedLength", "length": spec["model"]["max_input_chars_per_word"]}
    before = [spec["pre_tokenizer"]] if spec["pre_tokenizer"] else []
    return {**spec, "pre_tokenizer": {"type": "Sequence", "pretokenizers": [*before, cut]}}
