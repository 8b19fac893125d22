"""The public sets of named entities, their labels read as the head's."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from guard.errors import SettingsError
from guard.metrics.score import Span
from guard.training.pii.row import Row

_KNOWN = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})
_HANDLE = re.compile(r"(?<![\w.])@(\w{2,})")


class Set(NamedTuple):
    """A file of the folder pii: which labels of ours its labels are; whether it is of tweets."""

    name: str
    labels: dict[str, str]
    tweets: bool = False


# re3d is left out: its annotators mark pronouns and common nouns ("he", "the hospital") as persons and places.
_OURS = {label: label for label in _KNOWN}
SETS = (
    Set("uner_ewt", _OURS),
    Set("wikigold", _OURS),
    Set("btc", _OURS, tweets=True),
    # A group there is a band, a club, a party: organisations in the other sets.
    Set("wnut17", {**_OURS, "GROUP": "ORGANIZATION"}, tweets=True),
)


def public(data: Path) -> Iterator[Row]:
    """All rows of the public sets; `data` is the folder of the training data, whose folder pii holds them.

    Raises SettingsError where a file is missing.
    """
    for each in SETS:
        file = data / "pii" / f"{each.name}.jsonl.gz"
        if not file.is_file():
            raise SettingsError(f"{file} is missing; guard/training/manifest.json says where its rows come from")
        for line in gzip.decompress(file.read_bytes()).splitlines():
            yield _row(json.loads(line), each)


def _row(line: dict[str, Any], of: Set) -> Row:
    text = line["text"]
    spans = [
        Span(span["start"], span["end"], of.labels[span["label"]])
        for span in line["spans"]
        if span["label"] in of.labels
    ]
    if of.tweets:
        # One set marks handles as persons, the sign and the name apart, the other not at all.
        handles = [Span(match.start(1), match.end(1), "USERNAME") for match in _HANDLE.finditer(text)]
        spans = handles + [
            span
            for span in spans
            if text[span.start : span.end].strip("@") and all(_apart(span, handle) for handle in handles)
        ]
    known = _KNOWN | {"USERNAME"} if of.tweets else _KNOWN
    return Row(text, tuple(sorted(spans, key=lambda span: span.start)), known, of.name, "", line["split"])


def _apart(one: Span, other: Span) -> bool:
    return one.end <= other.start or other.end <= one.start
