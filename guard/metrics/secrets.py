"""Keys, tokens and other secrets: `secrets`, and what a policy declares as `{kind: secrets}`; see secrets.yaml."""

from __future__ import annotations

import base64
import json
import math
import re
from bisect import bisect
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Annotated, Any, ClassVar

import re2
from pydantic import Field, StringConstraints, field_validator
from ruamel.yaml import YAML

from guard.errors import MetricError, nearest
from guard.metrics.fingerprint import fingerprint
from guard.metrics.gate import gate, loosened
from guard.metrics.metric import Cost, Maker, Metric, each_passage
from guard.metrics.overlaps import resolved
from guard.metrics.pattern import compiled
from guard.metrics.score import Score, Span, found

_FILE = Path(__file__).with_name("secrets.yaml")
#: Bits per character that a secret holds at least where its row in secrets.yaml says nothing.
_LEAST = 2.5
#: Of a long secret this much is looked at to tell how random it is, in characters.
_SAMPLE = 1_000
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
#: Characters that a run of one case has on average in names; in random strings it has fewer than two.
_WORD = 3.5
_URL_SAFE = str.maketrans("-_", "+/")
#: How sure a guess by entropy is, and what has a provider's shape.
_GUESSED, _KNOWN = 0.6, 1.0


class Secrets(Maker):
    """`labels` narrows what is looked for; `patterns` (RE2) adds labels of one's own.

    `entropy` is how random, in bits per character, a string must be that nothing but its randomness makes a secret.
    """

    kind: ClassVar[str] = "secrets"
    labels: frozenset[str] = Field(default_factory=lambda: frozenset(_data()["labels"]))
    patterns: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=10_000)]] = Field(
        default_factory=dict, max_length=1_000
    )
    entropy: float = Field(default=4.2, ge=0, le=8)

    @field_validator("labels", mode="after")
    @classmethod
    def _known(cls, names: frozenset[str]) -> frozenset[str]:
        for name in sorted(names):
            if name not in _data()["labels"]:
                raise ValueError(f"no secret '{name}'; {nearest(name, _data()['labels'])}")
        return names

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels, with spans."""
        rows = [*(kind for kind in _kinds() if kind.label in self.labels), *self._own(name)]
        if not rows:
            raise MetricError(f"metric '{name}' looks for nothing; give `labels` or `patterns`")
        finder = _Finder(rows, self.entropy)

        def read(text: str) -> Score:
            return found(resolved(finder.spans(text)))

        return Metric(
            name,
            each_passage(read, disguised=False),
            kind="labels",
            version=fingerprint(f"{sorted(self.labels)} {self.patterns} {self.entropy}", _FILE.read_bytes()),
            cost=Cost.FREE,
            labels=self.labels | frozenset(self.patterns),
            windowed=True,
            description="API keys, tokens, private keys, passwords in addresses, and strings too random for words",
        )

    def _own(self, name: str) -> Iterator[_Kind]:
        for label, pattern in self.patterns.items():
            try:
                compiled(pattern)
            except ValueError as error:
                raise MetricError(f"metric '{name}': pattern '{label}' does not compile: {error}") from None
            yield _kind(label, {"find": pattern, "entropy": 0})


def secrets() -> Metric:
    """The built-in metric: every label, with the defaults of `Secrets`."""
    return Secrets().make("secrets", Path())


@dataclass(frozen=True, slots=True)
class _Kind:
    """One row of secrets.yaml. `entropy` in bits per character; None: the metric's own threshold."""

    label: str
    find: Any
    entropy: float | None
    jwt: bool
    mixed: bool
    loose: bool


class _Finder:
    """Finds secrets: one pass over the text says which kinds can occur, and only those are looked for."""

    def __init__(self, kinds: list[_Kind], entropy: float) -> None:
        self._kinds = kinds
        self._entropy = entropy
        self._gate = gate(loosened(kind.find.pattern) for kind in kinds)
        self._placeholder = compiled(_data()["placeholder"])
        self._not_in = [compiled(pattern) for pattern in _data()["not_in"]]

    def spans(self, text: str) -> Iterator[Span]:
        """Where secrets stand in `text`, overlapping ones too."""
        kinds = [self._kinds[number] for number in self._gate.Match(text) or ()]
        yield from (span for kind in kinds if not kind.loose for span in self._of(kind, text))
        guessed = [span for kind in kinds if kind.loose for span in self._of(kind, text)]
        if guessed:
            known = sorted((match.start(), match.end()) for find in self._not_in for match in find.finditer(text))
            # The furthest end up to each one, so that a guess is held against one of them only.
            ends = list(accumulate((end for _, end in known), max))
            starts = [start for start, _ in known]
            for span in guessed:
                at = bisect(starts, span.start)
                if not at or ends[at - 1] < span.end:
                    yield span

    def _of(self, kind: _Kind, text: str) -> Iterator[Span]:
        group = min(1, kind.find.groups)
        for match in kind.find.finditer(text):
            start, end = match.span(group)
            if start < end and self._is_secret(kind, text[start:end]):
                yield Span(start, end, kind.label, _GUESSED if kind.loose else _KNOWN)

    def _is_secret(self, kind: _Kind, value: str) -> bool:
        sample = value[:_SAMPLE]
        if kind.entropy != 0 and self._placeholder.search(sample):
            return False
        if kind.mixed and not (any(map(str.islower, sample)) and any(map(str.isupper, sample))):
            return False
        if kind.loose and (sum(map(str.isdigit, sample)) < 2 or _has_words(sample) or _is_text(value)):
            return False
        least = self._entropy if kind.entropy is None else kind.entropy
        return entropy(sample) >= least and (not kind.jwt or _has_json_header(value))


def entropy(value: str) -> float:
    """How much information a string holds by the frequencies of its characters, in bits per character (Shannon)."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def _has_words(value: str) -> bool:
    """Whether letters of one case stand in runs as in names (someNameLikeThis, SOME_NAME) rather than at random."""
    return len(value) > _WORD * len(_RUN.findall(value))


def _has_json_header(token: str) -> bool:
    try:
        return "alg" in json.loads(_decoded(token.partition(".")[0]))
    except (ValueError, TypeError):
        return False


def _is_text(value: str) -> bool:
    """Whether this is text in base64, which is no secret: it is read decoded, in a view of its own."""
    try:
        return _decoded(value).decode().isprintable()
    except ValueError:
        return False


def _decoded(value: str) -> bytes:
    value = value.rstrip("=").translate(_URL_SAFE)
    return base64.b64decode(value + "=" * (-len(value) % 4), validate=True)


@cache
def _data() -> dict[str, Any]:
    return YAML(typ="safe").load(_FILE.read_text("utf-8"))


@cache
def _kinds() -> tuple[_Kind, ...]:
    return tuple(_kind(label, row) for label, rows in _data()["labels"].items() for row in rows)


def _kind(label: str, row: dict[str, Any]) -> _Kind:
    least = row.get("entropy", _LEAST)
    flags = [bool(row.get(name)) for name in ("jwt", "mixed", "loose")]
    return _Kind(label, re2.compile(f"(?m){row['find']}"), None if least == "set" else float(least), *flags)
