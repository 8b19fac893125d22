"""Datasets: rows that never change, for jobs to work on."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from guard.at_once import in_order
from guard.client.face import F, Method
from guard.client.records import Dataset, Page
from guard.client.room import USUAL, Room
from guard.errors import SettingsError

#: Bytes and rows of a block, and how many go up at once.
BYTES, ROWS, AT_ONCE = 1_000_000, 10_000, 4


class Datasets(Room[F]):
    """A project's datasets."""

    @Method
    async def upload(
        self, name: str, rows: str | Path | Iterable[Mapping[str, Any]] | Any, *, description: str = "", why: str = ""
    ) -> Dataset:
        """Upload rows and make a dataset of them.

        `rows` is a file of JSON lines (or a .gz of them), a list of objects, or pandas' table. A row has `text`, or
        `input`, `output` and `context`, and whatever else you like, such as a label. The same rows under the same name
        again are the dataset that is there, and what came up already is not sent twice; Conflict for other rows.
        """
        whole = hashlib.sha256()

        async def sent(block: bytes) -> str:
            digest = hashlib.sha256(block).hexdigest()
            # Named by its content, so again does no harm.
            await self._http.ask("PUT", self._in_project("blocks", digest), content=block, changes=False)
            return digest

        def read() -> Iterator[bytes]:
            for block in blocks_of(rows):
                whole.update(block)
                yield block

        blocks = [digest async for digest in in_order(sent, read(), AT_ONCE)]
        body = {"name": name, "description": description, "why": why, "digest": whole.hexdigest(), "blocks": blocks}
        return Dataset.of(await self._http.ask("POST", self._in_project("datasets"), body))

    @Method
    async def get(self, name: str) -> Dataset:
        """A dataset by its name or id. Raises NotFound."""
        return Dataset.of(await self._http.ask("GET", self._in_project("datasets", name)))

    @Method
    async def list(self, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Dataset]:
        """The project's datasets, by name; all of them with `limit=None`."""
        return await self._listed(self._in_project("datasets"), Dataset.of, limit, cursor)

    @Method
    async def rows(self, name: str, *, limit: int | None = USUAL, cursor: str | None = None) -> Page[Mapping[str, Any]]:
        """A dataset's rows, in their order; all of them with `limit=None`."""
        return await self._listed(self._in_project("datasets", name, "rows"), lambda row: row, limit, cursor)

    @Method
    async def remove(self, name: str, *, why: str = "") -> None:
        """Take a dataset away; jobs that work on it fail."""
        await self._http.ask("DELETE", self._in_project("datasets", name), params={"why": why})


def blocks_of(rows: str | Path | Iterable[Mapping[str, Any]] | Any) -> Iterator[bytes]:
    """The rows as JSON lines, some at a time. Raises SettingsError where there are none, or they are no rows."""
    block, count, any_row = bytearray(), 0, False
    for line in _lines(rows):
        if block and (len(block) + len(line) > BYTES or count >= ROWS):
            yield bytes(block)
            block, count = bytearray(), 0
        block += line
        count += 1
        any_row = True
    if not any_row:
        raise SettingsError("rows: there are none; a row is an object such as {'text': '…'}")
    yield bytes(block)


def _lines(rows: Any) -> Iterator[bytes]:
    if isinstance(rows, (str, Path)):
        file = Path(rows)
        try:
            with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as opened:
                yield from (line.rstrip(b"\r\n") + b"\n" for line in opened if line.strip())
        except OSError as error:
            raise SettingsError(f"rows: {file} cannot be read: {error.strerror or error}") from None
        return
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict("records")
    for row in rows:
        if not isinstance(row, Mapping):
            raise SettingsError(f"rows: a row is an object such as {{'text': '…'}}, not {type(row).__name__}")
        yield orjson.dumps(dict(row), option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE)
