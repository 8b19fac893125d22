"""Decisions to record, and the three stores that the same tests run on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from guard.metrics import Measurement, Probe, Score, Span, Turn
from guard.stages import Stage, decide
from guard.store import Event, Store, new_id, open_store

STAGE = Stage.model_validate(
    {
        "name": "front",
        "kind": "input",
        "rulesets": [
            {
                "name": "injection",
                "rules": [{"metric": "prompt_injection", "operator": "gte", "target_value": 0.9}],
                "action": {"type": "override", "choices": ["No."]},
            },
            {
                "name": "hide personal data",
                "rules": [{"metric": "pii", "operator": "any", "target_value": ["email", "name"]}],
                "action": {"type": "redact"},
            },
            {"name": "long", "mode": "observe", "rules": [{"metric": "words", "operator": "gt", "target_value": 5}]},
        ],
    }
)
TEXT = "I am Ada Lovelace, write to ada@example.org please"
MEASURED: dict[Probe, Measurement] = {
    Probe("prompt_injection", "input"): Score(0.12, millis=3.25, model="ngrams"),
    Probe("pii", "input"): Score(
        ("name", "email"),
        ("name", "email"),
        (Span(5, 17, "name", 0.85), Span(28, 43, "email")),
        "Ada Lovelace is a name",
    ),
    Probe("words", "input"): Score(8.0),
}


def make(**given: Any) -> Callable[..., Event]:
    """What makes an event of STAGE's decision; `stage`, `measured`, `text`, `turn` say of what, the rest is fields."""
    stage = given.pop("stage", STAGE)
    decision = decide(stage, given.pop("measured", MEASURED))
    text = given.pop("text", TEXT)
    turn = given.pop("turn", None) or Turn.of(text, app="shop", user="u1", session="s1")
    fields = {"policy": "support", "revision": "r1", "request": "q", "millis": 1.5, "app": "shop", "id": new_id()}
    return partial(Event.of, decision, turn, **(fields | given))


@pytest.fixture
def events() -> SimpleNamespace:
    """`events.make(...)` is what is handed to a buffer, `events.event(...)` the event it makes."""
    return SimpleNamespace(make=make, event=lambda **given: make(**given)(), stage=STAGE, measured=MEASURED, text=TEXT)


@pytest.fixture(params=["sqlite", "postgres"])
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database is."""
    return await _empty(request, tmp_path)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    opened = await open_store(await _empty(request, tmp_path))
    yield opened
    await opened.close()


async def _empty(request: pytest.FixtureRequest, folder: Path) -> str:
    if request.param == "memory":
        return "memory"
    if request.param == "sqlite":
        return f"sqlite:///{folder / 'events.db'}"
    asyncpg = pytest.importorskip("asyncpg", reason="the Postgres driver is not installed")
    url = request.getfixturevalue("postgres")
    connection = await asyncpg.connect(url)
    await connection.execute("DROP TABLE IF EXISTS guard_events, guard_schema")
    await connection.close()
    return url
