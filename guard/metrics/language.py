"""`language`: which language a side is written in. The only file that imports py3langid."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from guard.errors import MetricError, nearest
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric
from guard.metrics.normalise import normalise
from guard.metrics.score import Score
from guard.metrics.turn import Side, Turn

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

UNKNOWN = "unknown"
#: The label of py3langid for text in no language at all.
_NO_LANGUAGE = "zxx"


class Language(Maker):
    """`languages` are the ISO 639-1 codes that count, by default all that are known; any other language is `unknown`.

    So is what is told with less than `min_confidence` (0..1).
    """

    kind: ClassVar[str] = "language"
    languages: frozenset[str] | None = Field(default=None, min_length=1)
    min_confidence: float = Field(default=0.25, ge=0, le=1)

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind label. Raises MetricError for a code that is not known."""
        wanted = codes() if self.languages is None else self.languages
        for code in sorted(wanted - codes()):
            raise MetricError(f"metric '{name}': no language '{code}'; {nearest(code, codes())}")

        def measure(turn: Turn, side: Side) -> Score:
            text = "\n".join(normalise(passage) for passage in turn.passages(side))
            return _language(text, wanted, self.min_confidence)

        return Metric(
            name,
            measure,
            kind="label",
            version=fingerprint(",".join(sorted(wanted)), str(self.min_confidence)),
            cost=Cost.LOCAL,
            labels=wanted | {UNKNOWN},
            description="the language of all passages together, as an ISO 639-1 code",
            warm_up=_identifier,
        )


def language() -> Metric:
    """The built-in metric: one of all known languages, or `unknown`."""
    return Language().make("language", Path())


@cache
def codes() -> frozenset[str]:
    """The ISO 639-1 codes that are known. Read from languages.txt, because the model takes a second to load."""
    lines = Path(__file__).with_name("languages.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))


def _language(text: str, wanted: frozenset[str], min_confidence: float) -> Score:
    ranked = [(code, share) for code, share in _identifier().rank(text) if code in codes() or code == _NO_LANGUAGE]
    code, share = ranked[0]
    confidence = share / (sum(share for _, share in ranked) or 1.0)
    sure = confidence >= min_confidence and code in wanted and any(map(str.isalpha, text))
    return Score(code if sure else UNKNOWN, reason=f"{code} with confidence {confidence:.2f}")


@cache
def _identifier() -> LanguageIdentifier:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
