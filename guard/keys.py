"""Keys that callers show: made at random, kept as hashes, compared in constant time."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def make_key(identifier: str = "") -> str:
    """A new key of 256 random bits. It names itself by `identifier`, which is no secret, where there is one."""
    return f"gk-{identifier}-{secrets.token_urlsafe(32)}" if identifier else f"gk-{secrets.token_urlsafe(32)}"


def identifier_of(key: str) -> str:
    """What a key that `make_key` made names itself by; empty where it is no such key."""
    kind, _, rest = key.partition("-")
    identifier, separator, _ = rest.partition("-")
    return identifier if kind == "gk" and separator else ""


def hash_key(key: str) -> str:
    """How a key is kept: keys are long and random, so a plain SHA-256 cannot be reversed."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


def fits(key: str, digest: str) -> bool:
    """Whether the hash is this key's; how long it takes tells nothing about either."""
    return hmac.compare_digest(hash_key(key), digest)
