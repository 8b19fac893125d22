"""Logging in: an API key for a token, and whom it stands for."""

from __future__ import annotations

import time

from fastapi import APIRouter
from pydantic import BaseModel

from guard.central.again import LOGIN
from guard.central.api.common import Centre, admitted
from guard.central.compat.galileo import token
from guard.central.compat.galileo.route import GalileoCaller, GalileoRoute, identity, token_secret
from guard.central.compat.galileo.wire import Login
from guard.central.principal import Role

router = APIRouter(route_class=GalileoRoute)

_ROLES: dict[Role, str] = {"admin": "admin", "editor": "manager", "viewer": "read_only", "app": "user", "proxy": "user"}


class Healthy(BaseModel):
    """Central answers."""

    status: str = "ok"


class Token(BaseModel):
    """What the clients send as Bearer from then on."""

    access_token: str
    token_type: str = "bearer"  # noqa: S105 - the kind of token, no secret


class User(BaseModel):
    """Whom a key stands for, as the clients know users."""

    id: str
    email: str
    role: str


@router.get("/healthcheck")
async def healthcheck() -> Healthy:
    """Whether there is anybody."""
    return Healthy()


@router.post(LOGIN)
async def log_in(body: Login, central: Centre) -> Token:
    """A token for an API key."""
    by = await admitted(central, body.api_key)
    return Token(access_token=token.issue(token_secret(central), by.key, time.time()))


@router.get("/current_user")
async def current_user(by: GalileoCaller) -> User:
    """Whom the key stands for."""
    return User(id=identity(by.label), email=f"{by.key}@guard.invalid", role=_ROLES[by.role])
