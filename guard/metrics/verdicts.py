"""What metrics said of texts before, so that the hundredth turn of a conversation costs what its new text costs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from guard.metrics.fingerprint import fingerprint
from guard.metrics.kept import Kept
from guard.metrics.metric import Cost, Metric
from guard.metrics.score import Score

if TYPE_CHECKING:
    from guard.metrics.far import FarVerdicts

#: Bytes of verdicts that a process keeps: some 50,000, where most say that nothing was found.
LIMIT = 32 << 20
#: From this cost on a verdict is worth asking other processes for.
FAR = Cost.MODEL
#: What a verdict takes about: itself with its key, and more for each span, each label, and each label's number.
_BYTES, _SPAN, _LABEL = 500, 200, 150


class Verdicts:
    """The scores of texts by metric and its version, at most `limit` bytes. Failures are never kept, nor are texts.

    Safe to share among threads. `secret` makes the keys the same in every process that has it; without it nobody but
    this process can tell which text a key is of. `far` knows what other processes said, where they share it.
    """

    def __init__(self, limit: int = LIMIT, secret: bytes = b"", far: FarVerdicts | None = None) -> None:
        self.far = far
        self._kept: Kept[Score] = Kept(limit, _size)
        self._secret = hashlib.blake2b(secret).digest() if secret else os.urandom(64)

    def digest(self, text: str | bytes) -> bytes:
        """What a text is known by."""
        data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        return hashlib.blake2b(data, digest_size=16, key=self._secret).digest()

    def get(self, metric: Metric, digest: bytes) -> Score | None:
        """What the metric, as it now is, said of a text."""
        return self._kept.get(_tag(metric.name, metric.version) + digest) if metric.version else None

    def put(self, metric: Metric, digest: bytes, score: Score) -> None:
        """Keep what the metric said of a text, unless it has no version: then it may be another one tomorrow."""
        if metric.version:
            key, score = _tag(metric.name, metric.version) + digest, replace(score, millis=0.0)
            self._kept.put(key, score)
            if self.far is not None and metric.cost >= FAR:
                self.far.put(key, score)

    async def fetch(self, missing: Iterable[tuple[Metric, bytes]]) -> None:
        """Get what other processes said of texts by these metrics, within a bounded time."""
        keys = [_tag(metric.name, metric.version) + digest for metric, digest in missing if metric.version]
        if self.far is not None and keys:
            for key, score in (await self.far.get(keys)).items():
                self._kept.put(key, score)

    def flush(self) -> None:
        """Let the others know what was said here."""
        if self.far is not None:
            self.far.flush()

    @property
    def held(self) -> int:
        """Bytes."""
        return self._kept.held


@lru_cache(maxsize=10_000)
def _tag(name: str, version: str) -> bytes:
    return fingerprint(name, version).encode()


def _size(score: Score) -> int:
    labels = len(score.labels or ()) + len(score.by_label)
    return _BYTES + _SPAN * len(score.spans) + _LABEL * labels + len(score.reason)
