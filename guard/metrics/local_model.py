"""What every kind that runs a checkpoint on this machine has in common: which one, in which windows, where."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import ClassVar

from pydantic import Field

from guard.errors import MetricError
from guard.metrics.checkpoint import Config, Model, Source, Task, find
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Maker
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn

#: No prose has so many characters a token. What has more than fit all windows is refused before it is cut into tokens,
#: which takes a second or more for each megabyte.
CHARACTERS = 16


class LocalModel(Maker):
    """`model` is a folder, a `.onnx` file or a Hugging Face id, at `revision`; `graph` is the ONNX file in it to run.

    Text is read in windows of `window` tokens (default: as many as the model takes), `overlap` of them shared (default:
    an eighth).
    """

    task: ClassVar[Task]
    #: Goes into every version: raised when the same model and settings could give another score.
    algorithm: ClassVar[int]

    model: str = Field(min_length=1)
    revision: str | None = None
    graph: str | None = Field(default=None, pattern=r"\.onnx$")
    window: int | None = Field(default=None, ge=8)
    overlap: int | None = Field(default=None, ge=0)
    max_windows: int = Field(default=128, ge=1)
    device: str = Field(default="cpu", min_length=1)
    threads: int = Field(default=1, ge=1)

    def source(self, folder: Path) -> Source:
        """Where the model lies. Raises MetricError where a path leads nowhere."""
        return find(self.model, folder, graph=self.graph, revision=self.revision, device=self.device, task=self.task)

    def version(self, source: Source) -> str:
        """Changes when the model does, or a setting that can change a score."""
        settings = self.model_dump_json(exclude={"device", "threads"})
        return fingerprint(str(self.algorithm), source.version, settings)

    def sizes(self, config: Config) -> tuple[int, int]:
        """Tokens of a window and of the overlap. Raises MetricError where the checkpoint cannot read so many."""
        window = self.window or config.longest
        if window is None:
            raise MetricError(f"'{self.model}' does not say how many tokens it takes; say it: `window: 512`")
        if config.longest is not None and window > config.longest:
            raise MetricError(f"'{self.model}' takes {config.longest} tokens; make `window` no larger")
        overlap = window // 8 if self.overlap is None else self.overlap
        if overlap >= window // 2:
            # Each token is read a bounded number of times, so the cost stays linear.
            raise MetricError(f"`overlap` must be under half of the window, that is under {window // 2}")
        return window, overlap


class Reader:
    """Reads texts by the settings of a kind. The model is loaded once, on first use."""

    def __init__(self, settings: LocalModel, source: Source) -> None:
        self._local = settings
        self._source = source

    def read(self, text: str, allowance: Allowance) -> Score:
        """The score of one text. Raises ValueError where it is too long, or the model answers with something else."""
        raise NotImplementedError

    def warm_up(self) -> None:
        """Load the model and read something, so that what cannot work shows now. Raises MetricError."""
        try:
            self.read("a", Allowance(1))
        except ValueError as error:
            raise MetricError(f"'{self._local.model}' cannot be used: {error}") from error

    @cached_property
    def model(self) -> Model:
        """The loaded checkpoint. Raises MetricError."""
        return self._source.load(self._local.device, self._local.threads)

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """Tokens of a window and of the overlap. Raises MetricError where the settings do not fit the checkpoint."""
        return self._local.sizes(self.model.config)

    def allowance(self, turn: Turn, side: Side) -> Allowance:
        """What one measurement may read. Raises ValueError where the side is longer for certain."""
        allowance = Allowance(self._local.max_windows)
        window, _ = self.sizes
        if sum(map(len, turn.passages(side))) > allowance.left * window * CHARACTERS:
            raise allowance.exceeded
        return allowance


class Allowance:
    """The windows that one measurement may still take, over all that it reads."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.exceeded = ValueError(f"longer than {most} windows; raise `max_windows` to read it")

    def take(self, windows: int) -> None:
        """Raises ValueError where fewer are left: a text is never read in part."""
        self.left -= windows
        if self.left < 0:
            raise self.exceeded
