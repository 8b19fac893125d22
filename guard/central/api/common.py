"""What the routes share: who calls, the bodies' manners, pages, and errors as OpenAPI shows them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, TypeVar

import sqlalchemy as sa
from fastapi import Depends, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from guard.central.central import Central
from guard.central.principal import Permission, Principal
from guard.central.records import keys, projects
from guard.errors import Invalid, Unauthorised

T = TypeVar("T")

#: What a page holds where the caller does not say, and at most.
PAGE, MOST = 50, 200
_KEY = HTTPBearer(auto_error=False, description="An API key that central made.")


def _sayable(text: str) -> str:
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("holds control characters or halves of characters; leave them out")
    return text


#: A name as people give it; an id of central's own is none.
Name = Annotated[
    str,
    Field(min_length=1, max_length=200),
    AfterValidator(_sayable),
    AfterValidator(lambda name: _no_id(name)),
]
#: A name or an id in a path.
Named = Annotated[str, AfterValidator(_sayable)]
PolicyName = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.\-]*$")]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]


def _no_id(name: str) -> str:
    if projects.is_id(name):
        raise ValueError("looks like an id; give a name")
    return name


class Body(BaseModel):
    """A request's body: what is not known is refused, and so is what no database can keep."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, data: Any) -> Any:
        if (found := _unstorable(data)) is not None:
            raise ValueError(f"holds {found}, which cannot be kept; leave it out")
        return data


class Why(Body):
    """A change, and why it is made."""

    why: str = Field(default="", max_length=2_000, description="Why; it stands in the audit log.")


class Row(BaseModel):
    """An answer that is a row of the records."""

    model_config = ConfigDict(from_attributes=True)


class Page(BaseModel, Generic[T]):
    """Some of a list, and where it goes on: give `next` as `cursor`; null at the end."""

    items: list[T]
    next: str | None


class Problem(BaseModel):
    """What is wrong, how to mend it, and with which field."""

    message: str
    type: str
    param: str | None
    code: str


class Problems(BaseModel):
    """An error, in the shape that OpenAI's have too."""

    error: Problem


_ERRORS = {
    400: "The request cannot be read.",
    401: "No key, or one that is not known.",
    403: "The key's role may not do this.",
    404: "There is no such thing, or the key may not see it.",
    409: "It does not go with what is there.",
    413: "The body is too large.",
    422: "The request is not understood, or what it asks for may not be so.",
    429: "Too many requests.",
    503: "The database cannot be reached.",
}
ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problems, "description": text} for status, text in _ERRORS.items()
}


def central_of(request: Request) -> Central:
    """The process's parts."""
    return request.app.state.central


async def caller(request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_KEY)]) -> Principal:
    """Whom the request's key stands for. Raises Unauthorised, and RateLimited where it asks too often."""
    if bearer is None:
        raise Unauthorised("a key is required; send it as 'Authorization: Bearer KEY'")
    return await admitted(central_of(request), bearer.credentials)


async def admitted(central: Central, key: str) -> Principal:
    """Whom a key stands for. Raises Unauthorised, and RateLimited where it asks too often."""
    async with central.database.reading() as connection:
        found = await keys.principal(connection, key, time.time())
    return counted(central, found)


def counted(central: Central, found: Principal | None) -> Principal:
    """Whoever was found, with this request counted. Raises Unauthorised where nobody was, and RateLimited."""
    if found is None:
        raise Unauthorised("this key is not known, was revoked or has expired")
    central.limiter.take(found.key)
    return found


Centre = Annotated[Central, Depends(central_of)]
Caller = Annotated[Principal, Depends(caller)]


def _within(permission: Permission) -> Callable[..., Any]:
    async def project(project: Named, central: Centre, by: Caller) -> sa.Row[Any]:
        async with central.database.reading() as connection:
            found = await projects.find(connection, project)
        by.need_in(found.id, permission)
        return found

    return project


#: The project of the path, where the caller may do this in it.
Readable = Annotated[Any, Depends(_within("read"))]
Writable = Annotated[Any, Depends(_within("write"))]
Ruled = Annotated[Any, Depends(_within("admin"))]
Usable = Annotated[Any, Depends(_within("use"))]
Followed = Annotated[Any, Depends(_within("follow"))]

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=300, description="`next` of the page before."),
    AfterValidator(lambda cursor: cursor and _sayable(cursor)),
]
PlaceCursor = Annotated[int | None, Query(ge=1, le=2**53, alias="cursor", description="`next` of the page before.")]


def page_of(rows: Sequence[Any], limit: int, model: type[T], key: str) -> Page[T]:
    """A page of rows that were asked for one more than `limit`; `key` is the column that it goes on by."""
    shown = rows[:limit]
    more = len(rows) > limit
    items = [model.model_validate(row) for row in shown]  # type: ignore[attr-defined] - they are pydantic's
    return Page(items=items, next=str(getattr(shown[-1], key)) if more else None)


def refuse_unstorable(data: Any) -> None:
    """Raise Invalid where some JSON holds what no database keeps."""
    if (found := _unstorable(data)) is not None:
        raise Invalid(f"holds {found}, which cannot be kept; leave it out")


def _unstorable(data: Any) -> str | None:
    """What of some JSON no database keeps: zero bytes, halves of characters."""
    waiting = [data]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            if "\0" in one:
                return "a zero byte"
            if any("\ud800" <= character <= "\udfff" for character in one):
                return "half a character"
        elif isinstance(one, dict):
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple)):
            waiting += one
    return None
