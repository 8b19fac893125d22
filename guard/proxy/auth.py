"""Who is calling: app keys, kept as hashes, map to apps."""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping, Sequence

from starlette.requests import Request

from guard.errors import SettingsError, Unauthorised
from guard.keys import hash_key

#: The app of callers where no apps are configured.
ANYONE = "default"


class AppKeys:
    """The app that a key belongs to. Where no app is configured everyone is let in, as the app `default`."""

    def __init__(self, hashes: Mapping[str, str], *, required: bool = False) -> None:
        self._hashes = dict(hashes)
        self._required = required or bool(hashes)

    @classmethod
    def of(cls, apps: Mapping[str, Sequence[str]]) -> AppKeys:
        """From the setting `apps`. Raises SettingsError for a key that is neither hash nor variable, or set twice."""
        hashes: dict[str, str] = {}
        for app, keys in apps.items():
            for key in keys:
                digest = _digest_of_setting(app, key)
                if hashes.setdefault(digest, app) != app:
                    raise SettingsError(f"apps: '{app}' and '{hashes[digest]}' have the same key; give each its own")
        # An app whose last key was taken away must not open the door to everyone.
        return cls(hashes, required=bool(apps))

    @property
    def required(self) -> bool:
        """Whether callers must have a key."""
        return self._required

    def app(self, request: Request) -> str:
        """The caller's app. Raises Unauthorised where a key is required and missing or unknown."""
        if not self._required:
            return ANYONE
        key = bearer(request)
        if not key:
            raise Unauthorised("an app key is required; send it as 'Authorization: Bearer KEY'")
        digest = hash_key(key)
        # Every hash is compared, in constant time: how long it takes tells nothing about the keys.
        found = [app for known, app in self._hashes.items() if hmac.compare_digest(known, digest)]
        if not found:
            raise Unauthorised("this app key is not known; ask whoever runs Guard for one")
        return found[0]


def bearer(request: Request) -> str:
    """The key that a request carries, or an empty string."""
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


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
