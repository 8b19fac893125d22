"""`{kind: regex, patterns: {order: 'ORD-\\d{8}'}}`: which of a policy's patterns match, and where."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric, each_passage
from guard.metrics.pattern import Pattern, compiled
from guard.metrics.score import Score, Span, found

#: Matches of one pattern in one passage, beyond which the last span reaches to the passage's end: nothing is left out,
#: and neither time nor memory grows without bound.
MOST_MATCHES = 10_000
#: Patterns that still cost microseconds all together.
_FEW = 20
_UNKNOWN_TO_RE2 = ("(?=", "(?!", "(?<=", "(?<!", "(?>", "(?(", "\\1", "\\2", "(?P=", "\\k")
_HINT = "RE2, which keeps the time linear, has no look-around, back-references or atomic groups: say it without them"


class Regex(Maker):
    """Labels with the patterns (RE2 syntax) that find them, in the normalised text and in what is decoded of it.

    Upper and lower case are the same unless `case_sensitive`; `(?-i)` and `(?i)` in a pattern overrule that. A match of
    no characters does not count.
    """

    kind: ClassVar[str] = "regex"
    patterns: dict[str, Annotated[str, StringConstraints(min_length=1, max_length=10_000)]] = Field(
        min_length=1, max_length=1_000
    )
    case_sensitive: bool = False

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels, one label for each pattern that matches."""
        patterns = {label: self._compiled(name, label, pattern) for label, pattern in self.patterns.items()}

        def read(text: str) -> Score:
            return found(span for label, pattern in patterns.items() for span in _spans(label, pattern, text))

        return Metric(
            name,
            each_passage(read),
            kind="labels",
            version=fingerprint(self.model_dump_json()),
            cost=Cost.FREE if len(patterns) <= _FEW else Cost.LOCAL,
            labels=frozenset(patterns),
            windowed=True,
            across=True,
            description=f"which patterns match: {', '.join(patterns)}",
        )

    def _compiled(self, name: str, label: str, pattern: str) -> Pattern:
        try:
            return compiled(pattern, case_sensitive=self.case_sensitive)
        except ValueError as error:
            hint = f"; {_HINT}" if any(sign in pattern for sign in _UNKNOWN_TO_RE2) else ""
            raise MetricError(
                f"metric '{name}': pattern '{label}' does not compile: {error} in {pattern}{hint}"
            ) from None


def _spans(label: str, pattern: Pattern, text: str) -> Iterator[Span]:
    for number, match in enumerate(pattern.finditer(text), 1):
        if number > MOST_MATCHES:
            yield Span(match.start(), len(text), label)
            return
        if match.end() > match.start():
            yield Span(match.start(), match.end(), label)
