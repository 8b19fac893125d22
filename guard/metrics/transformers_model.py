"""Any transformers checkpoint, run by torch. The only file that imports torch and transformers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from guard.errors import MetricError
from guard.metrics.checkpoint import Config
from guard.metrics.tokens import Tokens, Window

#: Windows read together where that is faster. On a CPU it is not, and padding costs.
BATCH = 16


@dataclass(frozen=True, eq=False)
class TransformersModel:
    """A sequence-classification model, reading `batch` windows at once. Safe to share among threads."""

    tokens: Tokens
    config: Config
    model: Any
    has_types: bool
    threads: int
    batch: int

    @classmethod
    def load(cls, name: str, revision: str | None = None, device: str = "cpu", threads: int = 1) -> TransformersModel:
        """A checkpoint by folder or hub id. Code that comes with it is never run.

        Raises MetricError where it cannot be found or loaded, or was not trained to classify.
        """
        try:
            import torch
            from transformers import AutoModelForSequenceClassification, AutoTokenizer
        except ImportError as error:
            raise MetricError(f"'{name}' needs torch and transformers; pip install 'stageguard[models]'") from error
        try:
            tokenizer = AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
            model, report = AutoModelForSequenceClassification.from_pretrained(
                name,
                revision=revision,
                trust_remote_code=False,
                output_loading_info=True,
                dtype=torch.float32 if device == "cpu" else "auto",
            )
            model = model.eval().to(device)
        except Exception as error:
            raise MetricError(
                f"the model '{name}' cannot be loaded: {error}; give a local folder, or let it be fetched: "
                "check its name, set HF_HUB_OFFLINE=0, and HF_TOKEN where it is gated"
            ) from error
        if report["missing_keys"]:
            # transformers fills what is missing with random numbers, and random verdicts look like real ones.
            missing = ", ".join(sorted(report["missing_keys"])[:3])
            raise MetricError(f"'{name}' was not trained to classify (no {missing}); take a text-classification one")
        if not tokenizer.is_fast:
            raise MetricError(f"'{name}' has no tokenizer.json, so windows cannot be located; save a fast tokenizer")
        config = Config.of(model.config.to_dict(), tokenizer.model_max_length)
        has_types = "token_type_ids" in tokenizer.model_input_names
        batch = 1 if model.device.type == "cpu" else BATCH
        return cls(Tokens(tokenizer.backend_tokenizer.to_str()), config, model, has_types, threads, batch)

    def logits(self, windows: Sequence[Window]) -> NDArray[np.float64]:
        """The model's raw answers, windows by labels."""
        import torch

        # torch counts threads per calling thread, and this one may be new.
        if torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        groups = [windows[start : start + self.batch] for start in range(0, len(windows), self.batch)]
        with torch.inference_mode():
            answers = [self.model(**self._padded(group)).logits.double().cpu().numpy() for group in groups]
        return np.concatenate(answers)

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
