"""A context and the claims that are held against it, in pieces that the model reads together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from guard.metrics.encoder.cut import cut
from guard.metrics.encoder.sentences import sentences
from guard.metrics.encoder.tokenised import Tokenised

#: A claim is held against so many windows of a long context: each costs a pass.
WINDOWS = 3


def claims(output: Tokenised, text: str, size: int, overlap: int) -> list[Tokenised]:
    """The sentences of an output, those longer than `size` tokens in overlapping parts."""
    found = []
    for place in sentences(text):
        first, end = output.within(*place)
        words = output.words[first:end].tolist()
        found += [output.part(first + start, first + stop) for start, stop in cut(words, (), size, overlap)]
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A context in windows. `known` are the tokens of each, `weights` how telling each token is: rare ones are."""

    windows: Sequence[Tokenised]
    known: Sequence[frozenset[int]]
    weights: dict[int, float]

    @classmethod
    def of(cls, context: Tokenised, text: str, size: int, overlap: int) -> Evidence:
        """The whole context in overlapping windows of at most `size` tokens."""
        windows = [context.part(*place) for place in context.windows(text, size, overlap)]
        known = [frozenset(window.ids.tolist()) for window in windows]
        counts = Counter(token for tokens in known for token in tokens)
        return cls(windows, known, {token: 1 / math.log(2 + count) for token, count in counts.items()})

    def nearest(self, claim: Tokenised) -> list[Tokenised]:
        """The WINDOWS windows that share most of a claim's tokens, the rare ones counting more; the earlier of two."""
        if len(self.windows) <= WINDOWS:
            return list(self.windows)
        tokens = set(claim.ids.tolist())
        shared = [sum(self.weights[token] for token in tokens & known) for known in self.known]
        best = sorted(range(len(shared)), key=lambda number: -shared[number])[:WINDOWS]
        return [self.windows[number] for number in best]
