"""Redis is a help and never a need: it is asked within bounds, and its absence is told at once."""

import logging
import socket

import pytest

from guard.errors import SettingsError
from guard.redis import PAUSE, RedisAway, SharedRedis
from tests.fakes import Clock
from tests.redis_server import free_port, redis_server


@pytest.fixture
def silent():
    """The URL of something that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield f"redis://:hunter2@127.0.0.1:{server.getsockname()[1]}/0"


async def ping(client):
    return await client.ping()


async def test_one_that_never_answers_is_given_up_and_then_left_alone_for_a_while(silent):
    clock, asked = Clock(), []

    async def work(client):
        asked.append(clock.now)
        return await client.ping()

    redis = SharedRedis(silent, timeout=0.05, clock=clock)
    for _ in range(5):
        with pytest.raises(RedisAway):
            await redis.ask(work)
    assert asked == [0.0]
    clock.now = PAUSE
    for _ in range(5):
        with pytest.raises(RedisAway):
            await redis.ask(work)
    assert asked == [0.0, PAUSE]
    await redis.aclose()


async def test_what_is_said_of_one_that_is_away_holds_no_password(silent, caplog):
    redis = SharedRedis(silent, timeout=0.05)
    with caplog.at_level(logging.WARNING), pytest.raises(RedisAway) as raised:
        await redis.ask(ping)
    assert "hunter2" not in f"{raised.value}{redis.problem}{caplog.text}"
    await redis.aclose()


async def test_an_error_of_the_work_itself_is_not_taken_for_an_absence():
    async def work(client):
        raise KeyError("a mistake of ours")

    redis = SharedRedis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(KeyError):
        await redis.ask(work)
    assert redis.problem is None


def test_a_url_that_is_none_is_refused_without_being_shown():
    with pytest.raises(SettingsError, match="give redis://") as raised:
        SharedRedis("http://:hunter2@127.0.0.1")
    assert "hunter2" not in str(raised.value)


@pytest.mark.slow
async def test_one_that_comes_back_is_found_again():
    clock, port = Clock(), free_port()
    redis = SharedRedis(f"redis://127.0.0.1:{port}/0", timeout=5.0, clock=clock)
    with pytest.raises(RedisAway):
        await redis.ask(ping)
    with redis_server(port):
        with pytest.raises(RedisAway):
            await redis.ask(ping)
        clock.now = PAUSE
        assert await redis.ask(ping)
        assert redis.problem is None
    with pytest.raises(RedisAway):
        await redis.ask(ping)
    assert redis.problem
    await redis.aclose()
