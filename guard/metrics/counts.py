"""How long a side is: `word_count`, `char_count`, `token_count`, each summed over its passages as they were written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from guard.errors import MetricError
from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Cost, Maker, Metric
from guard.metrics.score import Score
from guard.metrics.tokens import Tokens
from guard.metrics.turn import Side, Turn

#: Chinese and Japanese letters: written without spaces, and about a word and a token each.
_IDEOGRAPHS = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_WORDS = re.compile(rf"[{_IDEOGRAPHS}]|[^\W_{_IDEOGRAPHS}]+(?:['\u2019.-][^\W_{_IDEOGRAPHS}]+)*")
_ROUGH_TOKENS = re.compile(
    rf"[A-Za-z]{{1,12}}|[0-9]{{1,3}}|\n+|[!-/:-@\[-`{{-~]{{1,3}}|[{_IDEOGRAPHS}]|[^\x00-\x7f{_IDEOGRAPHS}]{{1,2}}"
)
#: More tokens than any text that is read at once has.
_ALL = 1 << 30


class TokenCount(Maker):
    """Exact, by the `tokenizer` of a model: the path of a tokenizer.json in Hugging Face's format.

    The text of a control token counts as the characters that it is written with.
    """

    kind: ClassVar[str] = "token_count"
    tokenizer: Path

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind number."""
        file = folder / self.tokenizer
        try:
            content = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise MetricError(
                f"metric '{name}': {file} cannot be read: {error}; give a model's tokenizer.json"
            ) from None
        tokens = Tokens(content)

        def count(text: str) -> int:
            return sum(len(window.ids) - tokens.special for window in tokens.windows(text, _ALL, 0))

        return _summed(name, count, fingerprint(content), Cost.LOCAL, f"tokens, by {self.tokenizer.name}")


def token_count() -> Metric:
    """The built-in metric: an estimate without a tokenizer.

    Up to 12 ASCII letters, 3 digits, 3 signs, any line ends, a Chinese or Japanese character, or 2 characters of other
    scripts make one token. Against cl100k and o200k that is within a tenth for English, a third for other languages.
    """
    return _summed("token_count", lambda text: _ROUGH_TOKENS.subn("", text)[1], "1", Cost.FREE, "tokens, estimated")


def word_count() -> Metric:
    """The built-in metric: runs of letters and digits, with what apostrophes, hyphens and dots join to them.

    Each Chinese or Japanese character is a word.
    """
    return _summed("word_count", lambda text: _WORDS.subn("", text)[1], "1", Cost.FREE, "words")


def char_count() -> Metric:
    """The built-in metric: characters (code points)."""
    return _summed("char_count", len, "1", Cost.FREE, "characters")


def _summed(name: str, count: Callable[[str], int], version: str, cost: Cost, what: str) -> Metric:
    def measure(turn: Turn, side: Side) -> Score:
        return Score(float(sum(map(count, turn.passages(side)))))

    return Metric(name, measure, version=version, cost=cost, description=f"how many {what}, in all passages together")
