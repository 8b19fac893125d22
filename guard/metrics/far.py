"""Verdicts of the shipped and other models that workers share through Redis, each signed.

Redis is a help, never a need: what does not come at once is measured. Whoever can write to it must not be able to say
"safe", so what is not signed with the workers' secret counts for nothing.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from typing import Any

import orjson

from guard.metrics.score import Score, Span
from guard.redis import PREFIX, RedisAway, SharedRedis

#: Seconds that a request waits for verdicts at most; a pass of the local model over a message takes about as long.
WAIT = 0.03
#: Seconds after which nobody knows a verdict any more.
KEPT = 24 * 3600
#: Verdicts that are asked for at once, and that wait to be sent; what goes beyond is measured, or not shared.
ASKED, WAITING = 256, 1_000
_MAC = 32


class FarVerdicts:
    """What other workers with the same `secret` said of texts. Belongs to one event loop; `put` to any thread."""

    def __init__(self, redis: SharedRedis, secret: bytes) -> None:
        self._redis = redis
        self._secret = hashlib.blake2b(b"verdicts" + secret).digest()
        # Another release may read the same text otherwise.
        self._prefix = f"{PREFIX}verdict:{version('stageguard')}:"
        self._waiting: deque[tuple[bytes, Score]] = deque(maxlen=WAITING)
        self._sending: asyncio.Task[None] | None = None

    async def get(self, keys: Sequence[bytes]) -> Mapping[bytes, Score]:
        """Those of the verdicts that are known and signed; none where Redis does not answer in time."""
        keys = keys[:ASKED]
        names = [self._prefix + key.hex() for key in keys]
        try:
            values = await self._redis.ask(lambda client: client.mget(names))
        except RedisAway:
            return {}
        read = ((key, self._opened(key, value)) for key, value in zip(keys, values, strict=True) if value)
        return {key: score for key, score in read if score is not None}

    def put(self, key: bytes, score: Score) -> None:
        """Share a verdict with the next `flush`."""
        self._waiting.append((key, score))

    def flush(self) -> None:
        """Send what waits; nobody waits for that."""
        if self._waiting and (self._sending is None or self._sending.done()):
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]

        async def work(client: Any) -> None:
            pipeline = client.pipeline(transaction=False)
            for key, score in batch:
                with suppress(TypeError):  # a metric of somebody's own may give what JSON has no word for
                    pipeline.set(self._prefix + key.hex(), self._sealed(key, score), ex=KEPT)
            await pipeline.execute()

        with suppress(RedisAway):  # what is not shared is measured where it is needed
            await self._redis.ask(work)

    def _sealed(self, key: bytes, score: Score) -> bytes:
        written = orjson.dumps(
            [score.value, score.labels, score.spans, score.reason, score.model, dict(score.by_label)],
            option=orjson.OPT_SERIALIZE_NUMPY,
        )
        return self._mac(key, written) + written

    def _opened(self, key: bytes, sealed: bytes) -> Score | None:
        mac, written = sealed[:_MAC], sealed[_MAC:]
        if not hmac.compare_digest(mac, self._mac(key, written)):
            return None
        value, labels, spans, reason, model, by_label = orjson.loads(written)
        return Score(
            tuple(value) if isinstance(value, list) else value,
            None if labels is None else tuple(labels),
            tuple(Span(**span) for span in spans),
            reason,
            model=model,
            by_label=by_label,
        )

    def _mac(self, key: bytes, written: bytes) -> bytes:
        # The key is signed along: a verdict that is true of one text must not be put in another's place.
        return hashlib.blake2b(key + written, digest_size=_MAC, key=self._secret).digest()
