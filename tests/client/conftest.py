"""Central in process, for clients that wait and for clients that await."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.central.app import create_app
from guard.central.settings import CentralSettings
from guard.client import AsyncClient, Client
from guard.loop import run
from guard.policies.signature import Signer
from tests.central.conftest import first_key

URL = "http://central"


@pytest.fixture
def settings(new_database: str, tmp_path: Path) -> CentralSettings:
    """Settings of a central that nobody set up yet, with its events beside its records."""
    Signer.new().write(tmp_path / "central.pem")
    places = {"database": new_database, "events": new_database}
    return CentralSettings(signing_key=str(tmp_path / "central.pem"), rate=0, **places)


@asynccontextmanager
async def running(settings: CentralSettings) -> AsyncIterator[tuple[httpx.ASGITransport, str]]:
    """Central on this loop: the way to it, and an admin's key."""
    key = await first_key(settings)
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        transport.app = app  # type: ignore[misc] - for tests that reach inside
        yield transport, key


@pytest.fixture
def central(settings: CentralSettings) -> Iterator[tuple[httpx.ASGITransport, str]]:
    """Central on the loop that the waiting client runs on."""
    stack = AsyncExitStack()
    try:
        yield run(stack.enter_async_context(running(settings)))
    finally:
        run(stack.aclose())


@pytest.fixture
def client(central: tuple[httpx.ASGITransport, str]) -> Client:
    """An admin's client, with a project `shop` made."""
    transport, key = central
    made = Client(URL, key, project="shop", transport=transport)
    made.projects.create("shop")
    return made


@pytest.fixture
async def awaited(settings: CentralSettings) -> AsyncIterator[AsyncClient]:
    """The same for code that awaits."""
    async with (
        running(settings) as (transport, key),
        AsyncClient(URL, key, project="shop", transport=transport) as made,
    ):
        await made.projects.create("shop")
        yield made


def ruleset(words: float = 3) -> dict[str, Any]:
    """A ruleset that answers texts of more than so many words."""
    rule = {"metric": "word_count", "operator": "gt", "target_value": words}
    return {"name": "long", "rules": [rule], "action": {"type": "override", "choices": ["Too long."]}}
