"""What the routes for Galileo's clients share: who calls, and errors as those clients read them."""

from __future__ import annotations

import hashlib
import json
import time
from typing import Annotated, Any
from uuid import UUID

from fastapi import Depends, Request
from fastapi.responses import JSONResponse
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from guard.central.api.common import admitted, central_of, counted
from guard.central.central import Central
from guard.central.compat.galileo import token
from guard.central.compat.route import CompatRoute
from guard.central.principal import Principal
from guard.central.records import keys
from guard.errors import Unauthorised
from guard.keys import identifier_of

_BEARER = HTTPBearer(auto_error=False, description="An API key that central made, or the token of a login.")
_HEADER = APIKeyHeader(name="Galileo-API-Key", auto_error=False, description="An API key that central made.")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
Header = Annotated[str | None, Depends(_HEADER)]


class GalileoRoute(CompatRoute):
    """A route whose errors carry a `detail`, which is what Galileo's clients show, beside central's own `error`."""

    @staticmethod
    def told(response: JSONResponse) -> JSONResponse:
        """The error with its detail: a list of fields where the body is not understood, else the message."""
        content: dict[str, Any] = json.loads(bytes(response.body))
        error = content["error"]
        where = ["body", *filter(None, (error["param"] or "").split("."))]
        listed = [{"loc": where, "msg": error["message"], "type": error["code"]}]
        detail = listed if response.status_code == 422 else error["message"]
        return JSONResponse({**content, "detail": detail}, response.status_code)


async def caller(request: Request, bearer: Bearer, key: Header) -> Principal:
    """Whom a request's key or token stands for. Raises Unauthorised, and RateLimited where it asks too often."""
    central = central_of(request)
    given = key or (bearer.credentials if bearer else "")
    if not given:
        raise Unauthorised("a key is required; log in with one, or send it as 'Galileo-API-Key: KEY'")
    if identifier_of(given):
        return await admitted(central, given)
    # Looked up at every request: a key that is revoked ends its tokens too.
    holder = token.holder(token_secret(central), given, time.time())
    async with central.database.reading() as connection:
        found = await keys.holder(connection, holder, time.time()) if holder else None
    return counted(central, found)


GalileoCaller = Annotated[Principal, Depends(caller)]


def token_secret(central: Central) -> bytes:
    """What central's processes sign tokens with, all with the same."""
    return central.signer.secret("access tokens for Galileo's clients")


def identity(label: str) -> str:
    """The UUID that stands for whoever has that label: the clients take nothing else."""
    return str(UUID(bytes=hashlib.sha256(label.encode()).digest()[:16], version=4))
