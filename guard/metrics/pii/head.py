"""The token head of the shared encoder as a recogniser of personal data."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ruamel.yaml import YAML


@cache
def head_labels() -> dict[str, str]:
    """The head's labels, in the order of its columns, each with the label of ours that it is."""
    return YAML(typ="safe").load(Path(__file__).with_name("head.yaml").read_text("utf-8"))
