"""Who is calling: app keys, kept as hashes, map to apps."""

from __future__ import annotations

import hmac
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from starlette.requests import Request

from guard.errors import SettingsError, Unauthorised
from guard.guard import Exchange, Guard
from guard.keys import hash_key
from guard.settings import AppKey

#: Gives keys that come and go: for each app (hash, when it ends in UTC epoch seconds or None).
Live: TypeAlias = Callable[[], Mapping[str, Sequence[tuple[str, float | None]]]]

#: The app of callers where no apps are configured.
ANYONE = "default"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling: the app, and what goes with its key. `key` is the key's name, empty where none is asked for."""

    app: str
    key: str = ""
    policy: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def exchange(self, guard: Guard, model: str, route: str, labels: Mapping[str, str]) -> Exchange:
        """A new request of the caller's, under the policy of its key or the one that applies. Raises NoPolicy."""
        said = {**labels, **self.labels, **({"key": self.key} if self.key else {})}
        return guard.exchange(app=self.app, model=model, route=route, policy=self.policy, **said)


class AppKeys:
    """The caller that a key belongs to. Where no app is configured everyone is let in, as the app `default`."""

    def __init__(self, callers: Mapping[str, Caller], *, required: bool = False, live: Live = dict) -> None:
        """`callers` are by their keys' hashes; `live` gives more of them, which come and go."""
        self._callers = dict(callers)
        self._required = required or bool(callers)
        self._live = live

    @classmethod
    def of(cls, apps: Mapping[str, Sequence[str | AppKey]], *, live: Live = dict) -> AppKeys:
        """From the setting `apps`. Raises SettingsError for a key that is neither hash nor variable, or set twice."""
        callers: dict[str, Caller] = {}
        for app, keys in apps.items():
            for key in keys:
                key = AppKey(key=key) if isinstance(key, str) else key
                digest = _digest_of_setting(app, key.key)
                known = callers.setdefault(digest, Caller(app, key.name or digest[:8], key.policy, key.labels))
                if known.app != app:
                    raise SettingsError(f"apps: '{app}' and '{known.app}' have the same key; give each its own")
        # An app whose last key was taken away must not open the door to everyone.
        return cls(callers, required=bool(apps), live=live)

    @property
    def required(self) -> bool:
        """Whether callers must have a key."""
        return self._required or bool(self._live())

    @property
    def policies(self) -> set[str]:
        """The policies that keys name."""
        return {caller.policy for caller in self._callers.values() if caller.policy}

    def caller(self, request: Request) -> Caller:
        """Who is calling. Raises Unauthorised where a key is required and missing or unknown."""
        if not self.required:
            return Caller(ANYONE)
        key = app_key(request)
        if not key:
            raise Unauthorised("an app key is required; send it as 'Authorization: Bearer KEY' or 'x-api-key: KEY'")
        digest = hash_key(key)
        # Every hash is compared, in constant time: how long it takes tells nothing about the keys.
        found = self._live_callers(digest)
        found += [caller for known, caller in self._callers.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise Unauthorised("this app key is not known; ask whoever runs Guard for one")
        return found[0]

    def _live_callers(self, digest: str) -> list[Caller]:
        now = time.time()
        return [
            Caller(app, digest[:8])
            for app, keys in self._live().items()
            for known, ends in keys
            if hmac.compare_digest(known, digest) and (ends is None or now < ends)
        ]


def app_key(request: Request) -> str:
    """The key that a request carries, or an empty string: as OpenAI's clients send it, or as Anthropic's do."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "").strip()


def _digest_of_setting(app: str, key: str) -> str:
    kind, _, value = key.partition(":")
    if kind == "sha256" and len(value) == 64:
        return value.lower()
    if kind == "env":
        secret = os.environ.get(value)
        if not secret:
            raise SettingsError(f"apps: the variable {value} with the key of '{app}' is not set; set it")
        return hash_key(secret)
    raise SettingsError(f"apps: a key of '{app}' is neither 'sha256:HEX' nor 'env:NAME'; make one with: guard key")
