"""Any transformers checkpoint that classifies, run by torch. The only file that imports torch and transformers."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.checkpoint import Config, Task
from guard.metrics.hub import FETCH
from guard.metrics.tokens import Tokens, Window

#: Tokens read together where that is faster: 16 windows of 512. On a CPU it is not, and padding costs.
BATCH = 8192
#: The classes of each task: transformers' loader, and the end of the names of those that it loads.
LOADERS: dict[Task, tuple[str, str]] = {
    "text-classification": ("AutoModelForSequenceClassification", "ForSequenceClassification"),
    "token-classification": ("AutoModelForTokenClassification", "ForTokenClassification"),
}


@dataclass(frozen=True, eq=False)
class TransformersModel:
    """A model with its tokenizer, reading windows of up to `batch` tokens at once; 0: each window alone.

    Safe to share among threads.
    """

    tokens: Tokens
    config: Config
    model: Any
    has_types: bool
    threads: int
    batch: int

    @classmethod
    def load(
        cls,
        name: str,
        revision: str | None = None,
        device: str = "cpu",
        threads: int = 1,
        task: Task = "text-classification",
    ) -> TransformersModel:
        """A checkpoint by folder or hub id. Code that comes with it is never run.

        Raises MetricError where it cannot be found or loaded, or was not trained for the task.
        """
        try:
            import torch
            import transformers
        except ImportError as error:
            raise MetricError(f"'{name}' needs torch and transformers; pip install 'stageguard[models]'") from error
        loader, ending = LOADERS[task]
        try:
            tokenizer = transformers.AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
            model, report = getattr(transformers, loader).from_pretrained(
                name,
                revision=revision,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32 if device == "cpu" else "auto",
            )
            model = model.eval().to(device)
        except Exception as error:
            raise MetricError(f"the model '{name}' cannot be loaded: {error}; {FETCH}") from error
        if why := _untrained(report["missing_keys"], model.config.architectures or (), ending):
            raise MetricError(f"'{name}' was not trained for {task} ({why}); take one that was")
        if not tokenizer.is_fast:
            raise MetricError(f"'{name}' has no tokenizer.json, so windows cannot be located; save a fast tokenizer")
        config = Config.of(model.config.to_dict(), tokenizer.model_max_length)
        has_types = "token_type_ids" in tokenizer.model_input_names
        tokens = Tokens(tokenizer.backend_tokenizer.to_str())
        return cls(tokens, config, model, has_types, threads, batch(model))

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The raw answers about whole windows, windows by labels."""
        return np.concatenate(self._answers(windows)).astype(np.float64)

    def token_logits(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """The raw answers about tokens: for each window its tokens, the special ones included, by labels."""
        rows = (row for batch in self._answers(windows) for row in batch)
        return [row[: len(window.ids)] for window, row in zip(windows, rows, strict=True)]

    def _answers(self, windows: Sequence[Window]) -> list[NDArray[np.float32]]:
        """For each batch of windows its answers."""
        import torch

        # torch counts threads per calling thread, and this one may be new.
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        size = max(1, self.batch // max(len(window.ids) for window in windows))
        groups = [windows[start : start + size] for start in range(0, len(windows), size)]
        with torch.inference_mode():
            return [self.model(**self._padded(group)).logits.float().cpu().numpy() for group in groups]

    def _padded(self, windows: Sequence[Window]) -> dict[str, Any]:
        import torch

        longest = max(len(window.ids) for window in windows)
        padding = self.model.config.pad_token_id or 0
        columns = {
            "input_ids": [window.ids + [padding] * (longest - len(window.ids)) for window in windows],
            "attention_mask": [[1] * len(window.ids) + [0] * (longest - len(window.ids)) for window in windows],
        }
        if self.has_types:
            columns["token_type_ids"] = [window.types + [0] * (longest - len(window.types)) for window in windows]
        return {name: torch.tensor(rows, device=self.model.device) for name, rows in columns.items()}


def batch(model: Any) -> int:
    """How many tokens a model had best read at once; 0: one window at a time."""
    # Without a padding token a model cannot tell where the shorter windows of a batch end.
    alone = model.device.type == "cpu" or model.config.pad_token_id is None
    return 0 if alone else BATCH


def _untrained(missing: Collection[str], architectures: Collection[str], ending: str) -> str:
    """Why a checkpoint lacks what its task needs, or nothing.

    transformers fills what is missing with random numbers, and takes one task's head for another's where both have the
    same name. Such verdicts look like real ones.
    """
    if missing:
        return f"no {', '.join(sorted(missing)[:3])}"
    if architectures and not any(name.endswith(ending) for name in architectures):
        return f"it is a {', '.join(architectures)}"
    return ""
