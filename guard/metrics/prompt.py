"""A judge's prompt: a policy's words, with the texts to judge put in so that they cannot be taken for words of it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from guard.errors import MetricError, nearest
from guard.metrics.metric import Kind
from guard.metrics.turn import SIDES, Side

_PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
#: What stands for which side's text; `text` is the side that is measured.
PLACEHOLDERS: Mapping[str, Side | None] = {"text": None, **{side: side for side in SIDES}, "context": "retrieval"}
_FILES = (".md", ".txt")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A policy's prompt: `{text}`, `{input}`, `{output}`, `{context}` … stand where texts go, `{labels}` for labels."""

    template: str

    @classmethod
    def of(cls, written: str, folder: Path) -> Prompt:
        """From the prompt itself or the name of its file (`.md`, `.txt`). Raises MetricError."""
        template = written
        if written.endswith(_FILES) and "\n" not in written:
            try:
                template = (folder / written).read_text(encoding="utf-8")
            except (OSError, ValueError) as error:
                raise MetricError(f"the prompt {folder / written} cannot be read: {error}") from error
        names = set(_PLACEHOLDER.findall(template))
        for name in sorted(names - PLACEHOLDERS.keys() - {"labels"}):
            raise MetricError(f"the prompt has an unknown placeholder {{{name}}}; {nearest(name, PLACEHOLDERS)}")
        if not names & PLACEHOLDERS.keys():
            raise MetricError("the prompt has no place for what is judged; put {text} where the text goes")
        return cls(template)

    @property
    def names(self) -> frozenset[str]:
        """The placeholders of texts in it."""
        return frozenset(_PLACEHOLDER.findall(self.template)) & PLACEHOLDERS.keys()

    def messages(self, texts: Mapping[str, str], gives: Kind, labels: tuple[str, ...]) -> list[dict[str, str]]:
        """The chat messages that ask for a verdict. `texts` are by placeholder.

        Each text stands between marks that hold 128 random bits, new for every call: nobody who writes a text knows
        how to end it. What is put in is not searched for placeholders again.
        """
        told = frame()
        boundary = secrets.token_hex(16)
        listed = ", ".join(labels)
        blocks = {name: _filled(told["block"], {"boundary": boundary, "text": text}) for name, text in texts.items()}
        system = _filled(told["frame"] + told["verdict"][gives], {"boundary": boundary, "labels": listed})
        user = f"{_filled(self.template, {**blocks, 'labels': listed})}\n\n{told['closing']}"
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]


def decoded(text: str, kind: str) -> str:
    """How a judge is shown what a text says once `kind` in it is decoded."""
    return _filled(frame()["decoded"], {"kind": kind, "text": text})


@cache
def frame() -> dict[str, Any]:
    """What a judge is told around every prompt (judge.yaml)."""
    return YAML(typ="safe").load(Path(__file__).with_name("judge.yaml").read_text(encoding="utf-8"))


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)
