"""Verdicts that processes share: signed, never waited for, and never a need."""

import asyncio

import pytest

from guard.errors import SettingsError
from guard.metrics import Cost, Message, Metric, Probe, Score, Span, Turn
from guard.metrics.far import FarVerdicts
from guard.metrics.measure import measure
from guard.metrics.verdicts import Verdicts
from guard.redis import RedisAway, SharedRedis
from guard.settings import Settings
from tests.redis_server import redis_server

SECRET = b"a secret of all workers"
SCORE = Score(0.7, ("one",), (Span(0, 3, "one", 0.7),), "because", model="m", by_label={"one": 0.7, "two": 0.1})


class Redis:
    """What a Redis holds, and whether it answers."""

    def __init__(self):
        self.values = {}
        self.away = False

    async def ask(self, work):
        if self.away:
            raise RedisAway("away")
        return await work(self)

    async def mget(self, names):
        return [self.values.get(name) for name in names]

    def pipeline(self, transaction):
        return self

    def set(self, name, value, ex):
        self.values[name] = value

    async def execute(self):
        pass


class Worker:
    """A process with its own verdicts, and what its metric read there."""

    def __init__(self, redis, secret=SECRET, cost=Cost.MODEL, score=SCORE):
        self.read = []
        self.far = FarVerdicts(redis, secret)
        self.verdicts = Verdicts(secret=secret, far=self.far)
        self.metric = Metric("m", self._measure, windowed=True, version="1", cost=cost)
        self._score = score

    def _measure(self, turn, side):
        self.read += turn.passages(side)
        return self._score

    async def measure(self, *texts):
        turn = Turn(messages=tuple(Message("user", (text,)) for text in texts))
        found = await measure([Probe("m", "input")], turn, {"m": self.metric}, verdicts=self.verdicts)
        if self.far._sending:
            await self.far._sending
        return found[Probe("m", "input")]


async def test_what_one_worker_read_another_one_knows():
    redis = Redis()
    one, other = Worker(redis), Worker(redis)
    said = await one.measure("hello", "there")
    heard = await other.measure("hello", "there", "you")
    assert (one.read, other.read) == (["hello", "there"], ["you"])
    assert (said.value, said.labels, said.spans[:1], said.by_label) == (0.7, ("one",), SCORE.spans, SCORE.by_label)
    assert set(said.spans) < set(heard.spans)


async def test_what_somebody_else_writes_counts_for_nothing():
    redis = Redis()
    await Worker(redis, secret=b"the secret of somebody else", score=Score(0.0)).measure("hello")
    forged = dict(redis.values)
    redis.values.clear()
    await Worker(redis).measure("hello")
    for name, value in zip(list(redis.values), forged.values(), strict=True):
        redis.values[name] = value
    worker = Worker(redis)
    assert (await worker.measure("hello")).value == 0.7
    assert worker.read == ["hello"]


async def test_a_true_verdict_in_another_ones_place_counts_for_nothing():
    redis = Redis()
    await Worker(redis, score=Score(0.0)).measure("harmless")
    harmless = next(iter(redis.values.values()))
    redis.values.clear()
    await Worker(redis).measure("attack")
    redis.values = dict.fromkeys(redis.values, harmless)
    worker = Worker(redis)
    assert (await worker.measure("attack")).value == 0.7


@pytest.mark.parametrize("value", [b"", b"x", b"\x00" * 32, b"\x00" * 32 + b"[0.0]"])
async def test_what_is_no_verdict_counts_for_nothing(value):
    redis = Redis()
    await Worker(redis).measure("hello")
    redis.values = dict.fromkeys(redis.values, value)
    worker = Worker(redis)
    assert (await worker.measure("hello")).value == 0.7
    assert worker.read == ["hello"]


async def test_without_redis_everything_is_measured_and_nothing_fails():
    redis = Redis()
    redis.away = True
    worker = Worker(redis)
    assert [(await worker.measure("hello")).value for _ in range(2)] == [0.7, 0.7]
    assert worker.read == ["hello"]


async def test_what_is_cheap_to_measure_is_not_asked_for():
    redis = Redis()
    await Worker(redis, cost=Cost.FREE).measure("hello")
    assert not redis.values


async def test_neither_the_text_nor_what_it_is_known_by_without_the_secret_is_in_redis():
    redis, stranger = Redis(), Redis()
    await Worker(redis).measure("hello")
    await Worker(stranger, secret=b"the secret of somebody else").measure("hello")
    assert "hello" not in repr(redis.values)
    assert redis.values.keys().isdisjoint(stranger.values.keys())


def test_a_short_secret_is_refused():
    with pytest.raises(SettingsError, match="16 characters"):
        Settings.load(verdict_secret="short")


@pytest.mark.slow
async def test_workers_share_verdicts_through_a_real_redis():
    with redis_server() as url:
        clients = [SharedRedis(url, timeout=5.0) for _ in range(2)]
        one, other = map(Worker, clients)
        await one.measure("hello")
        await other.measure("hello")
        assert (one.read, other.read) == (["hello"], [])
        for client in clients:
            await client.aclose()
        await asyncio.sleep(0)
