"""Central in process, on SQLite and on Postgres, and a client for each role."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.central.app import create_app
from guard.central.central import open_database
from guard.central.change import changing
from guard.central.principal import OPERATOR
from guard.central.records import keys
from guard.central.settings import CentralSettings
from guard.policies.signature import Signer

ROOT = "http://central/api/v1"


class At:
    """A client of central with one key."""

    def __init__(self, http: httpx.AsyncClient, key: str) -> None:
        self.http, self.key = http, key

    async def __call__(self, method: str, path: str, status: int | None = None, **given: Any) -> Any:
        """The JSON of an answer; `status` is what it has to be, by default some success."""
        headers = {"authorization": f"Bearer {self.key}", **given.pop("headers", {})}
        response = await self.http.request(method, ROOT + path, headers=headers, **given)
        assert response.is_success if status is None else response.status_code == status, response.text
        return response.json()

    async def get(self, path: str, status: int | None = None, **given: Any) -> Any:
        return await self("GET", path, status, **given)

    async def post(self, path: str, status: int | None = None, /, headers: dict | None = None, **body: Any) -> Any:
        return await self("POST", path, status, json=body, headers=headers or {})

    async def put(self, path: str, status: int | None = None, /, **body: Any) -> Any:
        return await self("PUT", path, status, json=body)

    async def project(self, name: str = "shop") -> At:
        """This client, with a project made."""
        await self.post("/projects", name=name)
        return self

    async def key_for(self, role: str, project: str | None = "shop", **more: Any) -> At:
        """A client with another key."""
        path = f"/projects/{project}/keys" if project else "/keys"
        made = await self.post(path, name=role, role=role, **more)
        return At(self.http, made["key"])


@pytest.fixture
async def settings(central_url: str, tmp_path: Path) -> CentralSettings:
    """Settings of a central that was set up on an empty database."""
    Signer.new().write(tmp_path / "central.pem")
    return CentralSettings(
        database=central_url, signing_key=str(tmp_path / "central.pem"), code_folder=str(tmp_path / "code"), rate=0
    )


@pytest.fixture
async def admin(settings: CentralSettings) -> AsyncIterator[At]:
    """The organisation's admin at a running central."""
    async with central(settings) as http:
        yield At(http, await first_key(settings))


@asynccontextmanager
async def central(settings: CentralSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of central in process, for as long as it is entered."""
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, timeout=60) as client:
            client.app = app  # type: ignore[attr-defined] - for tests that reach inside
            yield client


async def first_key(settings: CentralSettings) -> str:
    """An admin's key, made as `guard central init` does."""
    database = await open_database(settings.database, create=True)
    async with changing(database, OPERATOR) as change:
        _, key = await keys.create(change, "admin", "admin", project=None)
    await database.close()
    return key


@pytest.fixture(params=["sqlite", "postgres"])
async def central_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where an empty database for central is."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'central.db'}"
    else:
        asyncpg = pytest.importorskip("asyncpg", reason="the Postgres driver is not installed")
        url = request.getfixturevalue("postgres")
        connection = await asyncpg.connect(url)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        await connection.close()
    await (await open_database(url, create=True)).close()
    return url
