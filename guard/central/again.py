"""A change that is sent again with the same Idempotency-Key is answered as it was, and done only once."""

from __future__ import annotations

import hashlib
import time

import orjson
import sqlalchemy as sa
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guard.central.answer import refusal
from guard.central.tables import answers as table
from guard.errors import Conflict, GuardError, Invalid
from guard.store.database import Database

#: Seconds that an answer is kept, and after which a request that never came to its end may be tried again.
KEPT, UNDER_WAY = 86_400.0, 60.0
#: Characters of an Idempotency-Key.
LONGEST = 255
#: A login makes a token and changes nothing: it may be done again, and what it made is not kept.
LOGIN = "/login/api_key"
#: The headers that say who calls: nobody is given the answer to somebody else's request.
CREDENTIALS = (b"authorization", b"x-firewall-auth-token", b"galileo-api-key")

_c = table.c


class OnlyOnce:
    """Keeps the answers of changes that carry an Idempotency-Key, for the key that they came with, for a day.

    Errors of the server's, and of who may call, are not kept: they may be tried again. A key that was made stands in no
    kept answer. Expects each body in one piece, from `WholeBody`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as before, or pass the request on and keep its answer."""
        headers = dict(scope["headers"]) if scope["type"] == "http" else {}
        key = headers.get(b"idempotency-key")
        if key is None or scope["method"] in ("GET", "HEAD") or scope["path"].endswith(LOGIN):
            await self._app(scope, receive, send)
            return
        message = await receive()
        database: Database = scope["app"].state.central.database
        callers = (headers.get(name, b"") for name in CREDENTIALS)
        identifier = _hash(*callers, scope["path"].encode(errors="replace"), key)
        request = _hash(scope["method"].encode(), scope.get("query_string", b""), message.get("body", b""))
        try:
            if not 0 < len(key) <= LONGEST:
                raise Invalid(f"an Idempotency-Key has 1 to {LONGEST} characters", param="Idempotency-Key")
            before = await _begin(database, identifier, request)
        except GuardError as error:
            await refusal(error)(scope, receive, send)
            return
        if before is not None:
            status, body = before
            told = {"content-type": "application/json", "idempotent-replayed": "true"}
            await Response(body, status, told)(scope, receive, send)
            return
        await self._pass_on(scope, _given(message, receive), send, database, identifier)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, database: Database, identifier: str) -> None:
        status, body = 500, b""

        async def heard(message: Message) -> None:
            nonlocal status, body
            if message["type"] == "http.response.start":
                status = message["status"]
            body += message.get("body", b"")
            if message["type"] == "http.response.body" and not message.get("more_body"):
                # Kept before it is sent: whoever got it and asks again gets the same.
                await _end(database, identifier, status, body)
            await send(message)

        try:
            await self._app(scope, receive, heard)
        except BaseException:
            await _end(database, identifier, 500, b"")
            raise


async def _begin(database: Database, identifier: str, request: str) -> tuple[int, bytes] | None:
    """The answer that was given before; None where the request is now under way for the first time."""
    now = time.time()
    async with database.writing() as connection:
        stale = (_c.at < now - KEPT) | ((_c.status == 0) & (_c.at < now - UNDER_WAY))
        await connection.execute(sa.delete(table).where(stale))
        row = (await connection.execute(sa.select(table).where(_c.id == identifier))).first()
        if row is None:
            new = {"id": identifier, "request": request, "status": 0, "body": b"", "at": now}
            await connection.execute(sa.insert(table).values(new))
            return None
    if row.request != request:
        raise Invalid("this Idempotency-Key came with another request before; take a new one", param="Idempotency-Key")
    if not row.status:
        raise Conflict("the same request is under way; ask again in a moment", param="Idempotency-Key")
    return row.status, row.body


async def _end(database: Database, identifier: str, status: int, body: bytes) -> None:
    mine = _c.id == identifier
    keep = status < 500 and status not in (401, 403, 429)
    change = sa.update(table).values(status=status, body=_without_key(body)) if keep else sa.delete(table)
    async with database.writing() as connection:
        await connection.execute(change.where(mine))


def _without_key(body: bytes) -> bytes:
    """The answer as it is kept: a key is shown once."""
    try:
        answer = orjson.loads(body)
    except ValueError:
        return body
    if not isinstance(answer, dict) or not str(answer.get("key", "")).startswith("gk-"):
        return body
    return orjson.dumps({**answer, "key": ""})


def _given(message: Message, receive: Receive) -> Receive:
    waiting = [message]

    async def next_one() -> Message:
        return waiting.pop() if waiting else await receive()

    return next_one


def _hash(*parts: bytes) -> str:
    return hashlib.sha256(b"\n".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()
