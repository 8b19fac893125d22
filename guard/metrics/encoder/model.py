"""The encoder at work: loaded once a process, and every text read once, however many metrics ask."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.encoder.facts import FOLDER, MEND, Facts, facts
from guard.metrics.encoder.pair import paired
from guard.metrics.encoder.reading import Pass, Reading
from guard.metrics.encoder.shared import Shared
from guard.metrics.encoder.tokenised import Tokenised
from guard.metrics.tokens import Tokens

if TYPE_CHECKING:
    from guard.metrics.onnx_model import Graph

INPUTS: tuple[str, ...] = ("input_ids", "token_type_ids", "attention_mask")
OUTPUTS = ("columns", "tokens", "embedding")
#: Bytes of what is kept for texts and windows, so that all metrics that read one share it, and the next window of a
#: stream the sentences of the last. What metrics said of texts that come again is kept as verdicts, which are smaller.
TEXTS, WINDOWS = 4 << 20, 2 << 20


@dataclass(frozen=True, eq=False)
class Encoder:
    """The model in a folder. Safe to share among threads: it runs one window at a time in the thread that asks."""

    facts: Facts
    tokens: Tokens
    graph: Graph
    _readings: Shared[Reading] = field(default_factory=lambda: Shared(TEXTS, lambda reading: reading.size))
    _passes: Shared[Pass] = field(default_factory=lambda: Shared(WINDOWS, lambda one: one.size))

    @classmethod
    def load(cls, folder: Path) -> Encoder:
        """The model, ready to run. Raises MetricError where a file is missing or is not the one `model.json` names."""
        from guard.metrics.onnx_model import Graph

        said = facts(folder)
        tokenizer, weights = (_checked(folder / name, said) for name in ("tokenizer.json", "model.onnx"))
        graph = Graph.load(weights)
        if (set(graph.inputs), set(graph.outputs)) != (set(INPUTS), set(OUTPUTS)):
            raise MetricError(f"{folder / 'model.onnx'} is no graph of the encoder; {MEND}")
        return cls(said, Tokens(tokenizer.read_text("utf-8")), graph)

    def read(self, text: str) -> Reading:
        """The whole text, in one window where it fits, else in windows that end with sentences and overlap.

        A text that is being read by another thread is waited for, and one read lately is not read again. Raises
        ValueError where it has more than MOST_TOKENS: no text is read in part.
        """
        key = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return self._readings.get(key, lambda: self._read(text))

    def pair(self, context: Tokenised, response: Tokenised) -> Pass:
        """What the model says of a response in its context; `tokens` holds both with the three special ones."""
        return self._pass(*paired(context, response, *self.tokens.nothing.ids))

    def tokenised(self, text: str) -> Tokenised:
        """The whole text's tokens. Raises ValueError where it has too many."""
        return Tokenised.of(text, self.tokens)

    def _read(self, text: str) -> Reading:
        tokenised = self.tokenised(text)
        window = self.facts.window
        ranges = tokenised.windows(text, window.tokens - self.tokens.special, window.overlap)
        # Where there is nothing to read, the model still says how wide its answers are.
        passes = [self._window(tokenised.part(*place)) for place in ranges or [(0, 0)]]
        return Reading.of(self.facts, tokenised, ranges, passes)

    def _window(self, tokenised: Tokenised) -> Pass:
        cls, sep = self.tokens.nothing.ids
        ids = np.empty(len(tokenised.ids) + 2, np.int64)
        types = np.zeros(len(ids), np.int64)
        ids[0], ids[1:-1], ids[-1] = cls, tokenised.ids, sep
        types[1:-1] = tokenised.cases
        return self._pass(ids, types)

    def _pass(self, ids: NDArray[np.int64], types: NDArray[np.int64]) -> Pass:
        key = hashlib.blake2b(ids.tobytes() + types.tobytes(), digest_size=16).digest()
        return self._passes.get(key, lambda: self._run(ids, types))

    def _run(self, ids: NDArray[np.int64], types: NDArray[np.int64]) -> Pass:
        # One window at a time: on a CPU a batch gains nothing, and int8 scores would depend on what else is in it.
        feed = dict(zip(INPUTS, (ids[None], types[None], np.ones_like(ids)[None]), strict=True))
        columns, tokens, embedding = self.graph.run(OUTPUTS, feed)
        return Pass(columns[0], tokens[0], embedding[0])


def _checked(file: Path, said: Facts) -> Path:
    """The file, which is the one that `model.json` names."""
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise MetricError(f"{file} cannot be read ({error}); {MEND}") from error
    if digest != said.sha256.get(file.name):
        raise MetricError(f"{file} is not the file that {file.with_name('model.json')} names; {MEND}")
    return file


_loading = Lock()
_loaded: dict[Path, Encoder] = {}


def encoder(folder: Path = FOLDER) -> Encoder:
    """The model in a folder, loaded by the first who asks and shared by all. Raises MetricError."""
    found = _loaded.get(folder)
    if found is None:
        with _loading:
            found = _loaded.get(folder)
            if found is None:
                found = _loaded[folder] = Encoder.load(folder)
    return found
