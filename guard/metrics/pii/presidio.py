"""presidio-analyzer's recognisers, run one by one and only where they can match; the only file that imports Presidio.

Its AnalyzerEngine needs a spaCy pipeline and runs every recogniser on every text. Here one RE2 pass over the text says
which patterns can match at all, and only those recognisers run; what they find is judged by entities.yaml.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Iterator
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NamedTuple

from guard.metrics.fingerprint import fingerprint
from guard.metrics.gate import gate
from guard.metrics.hidden import hidden
from guard.metrics.metric import Cost
from guard.metrics.pattern import compiled
from guard.metrics.pii.entities import FILE, EntityType, of_countries, suffixes
from guard.metrics.score import Span
from guard.metrics.windows import windows

if TYPE_CHECKING:
    from presidio_analyzer import PatternRecognizer

#: Presidio's expressions backtrack, so none reads more than SIZE characters at once; no finding is longer than OVERLAP.
SIZE, OVERLAP = 2_000, 200
#: Letters of scripts that are written without spaces. Presidio's word boundaries would miss a number among them.
_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
#: What `\w` means to Presidio, and more; to RE2 it is ASCII only.
_WORD = r"0-9A-Za-z_\x{80}-\x{10FFFF}"


class Entry(NamedTuple):
    """A recogniser of Presidio with the type that judges what it finds."""

    recogniser: PatternRecognizer
    type: EntityType


class Presidio:
    """The recogniser of all Presidio's structured types; it loads Presidio (seconds) on first use or `load()`."""

    cost = Cost.LOCAL

    def __init__(self, wanted: Collection[str], countries: Collection[str] | None = None) -> None:
        self._types = {name: kind for name, kind in of_countries(countries).items() if kind.label in wanted}
        self.labels = frozenset(kind.label for kind in self._types.values())

    @property
    def version(self) -> str:
        """Of Presidio, and of how its findings are read."""
        return fingerprint(version("presidio-analyzer"), FILE.read_bytes(), *sorted(self._types))

    def load(self) -> None:
        """Import Presidio and make its recognisers."""
        self._ready  # noqa: B018 - a cached property

    def __call__(self, text: str) -> Iterator[Span]:
        """What Presidio finds in `text`, judged by its surroundings."""
        entries, shapes, owners = self._ready
        plain = text if text.isascii() else _SPACELESS.sub(" ", text)
        for start, end in windows(text, SIZE, OVERLAP):
            piece = plain[start:end]
            for owner in sorted({owners[number] for number in shapes.Match(piece) or ()}):
                yield from _found(entries[owner], text, piece, start)

    @cached_property
    def _ready(self) -> tuple[list[Entry], Any, list[int]]:
        """The recognisers, the set of all their patterns' shapes, and for each shape the number of its recogniser."""
        entries = [
            Entry(_tuned(recogniser, self._types[name]), self._types[name])
            for recogniser in recognisers()
            if (name := recogniser.supported_entities[0]) in self._types
        ]
        owned = [
            (number, shape(pattern.regex, recogniser.global_regex_flags or 0))
            for number, (recogniser, _) in enumerate(entries)
            for pattern in recogniser.patterns
        ]
        return entries, gate(pattern for _, pattern in owned), [number for number, _ in owned]


def recognisers() -> Iterator[PatternRecognizer]:
    """All recognisers of patterns that the installed Presidio has, of every country."""
    with hidden("torch", "transformers"):
        from presidio_analyzer import PatternRecognizer, predefined_recognizers

    for made in vars(predefined_recognizers).values():
        if inspect.isclass(made) and issubclass(made, PatternRecognizer) and made is not PatternRecognizer:
            yield made()  # pyright: ignore[reportCallIssue] - a recogniser of Presidio's knows its entity


def shape(regex: str, flags: int) -> str:
    """A RE2 pattern that matches wherever the regular expression matches at the start of a word, and elsewhere.

    Look-arounds are left out. One that RE2 cannot read gives the empty pattern, which matches everywhere.
    """
    kept, at, in_class = [], 0, False
    while at < len(regex):
        if re.match(r"\(\?<?[=!]", regex[at:]):
            at = _end_of_group(regex, at)
        elif re.match(r"\\\d", regex[at:]):
            kept.append("[^0-9A-Za-z]?")  # Presidio refers back only to separators
            at += 2
        elif regex.startswith(r"\w", at):
            kept.append(_WORD if in_class else f"[{_WORD}]")
            at += 2
        else:
            in_class = regex[at] == "[" or (in_class and regex[at] != "]")
            width = 2 if regex[at] == "\\" else 1
            kept.append(regex[at : at + width])
            at += width
    pattern = f"(?{'i' if flags & re.IGNORECASE else ''}s)(?:^|[^0-9A-Za-z])(?:{''.join(kept)})"
    try:
        compiled(pattern)
    except ValueError:
        return ""
    return pattern


def _end_of_group(regex: str, at: int) -> int:
    depth = 0
    while True:
        character = regex[at]
        if character == "\\":
            at += 1
        elif character == "[":
            at = regex.index("]", at + 2)
        depth += {"(": 1, ")": -1}.get(character, 0)
        at += 1
        if not depth:
            return at


def _found(entry: Entry, text: str, piece: str, offset: int) -> Iterator[Span]:
    recogniser, kind = entry
    around = text[max(0, offset - OVERLAP) : offset + len(piece) + OVERLAP]
    if not kind.alone and not kind.context.search(around):
        return
    for finding in recogniser.analyze(piece, recogniser.supported_entities):
        start, end = offset + finding.start, offset + finding.end
        if score := kind.score(text, start, end, finding.score):
            yield Span(start, end, kind.label, score)


def _tuned(recogniser: PatternRecognizer, kind: EntityType) -> PatternRecognizer:
    """The recogniser with the patterns that entities.yaml gives it."""
    from presidio_analyzer import Pattern

    patterns = [pattern for pattern in recogniser.patterns if pattern.name not in kind.without]
    if kind.patterns:
        score = max(pattern.score for pattern in patterns)
        patterns = [Pattern(recogniser.name, regex, score) for regex in kind.patterns]
    recogniser.patterns = patterns
    if recogniser.supported_entities == ["EMAIL_ADDRESS"]:
        recogniser.validate_result = _has_public_suffix()
    return recogniser


def _has_public_suffix() -> Callable[..., bool]:
    import tldextract

    # Presidio's own check fetches the list of public suffixes over the network; the one that tldextract ships will do.
    extract = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, extra_suffixes=suffixes())

    def validate_result(pattern_text: str) -> bool:
        return extract(pattern_text.rpartition("@")[2]).fqdn != ""

    return validate_result
