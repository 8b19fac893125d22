"""The access tokens that Galileo's clients log in for: JWT (HS256) that name an API key, and end with it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json

#: Seconds that a token is good for. The clients take a new one five minutes before.
LASTS = 12 * 3600
_HEADER = {"alg": "HS256", "typ": "JWT"}


def issue(secret: bytes, key: str, now: float) -> str:
    """A token for the API key of that id. `now` is in UTC epoch seconds."""
    claims = {"iss": "guard central", "sub": key, "iat": int(now), "exp": int(now) + LASTS}
    signed = f"{_packed(_HEADER)}.{_packed(claims)}"
    return f"{signed}.{_text(_signature(secret, signed))}"


def holder(secret: bytes, token: str, now: float) -> str | None:
    """The id of the API key that a token is for; None where the token is none of ours, or over."""
    signed, _, signature = token.rpartition(".")
    if not hmac.compare_digest(signature.encode(errors="replace"), _text(_signature(secret, signed)).encode()):
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(signed.partition(".")[2] + "=="))
    except (binascii.Error, ValueError):
        return None
    return claims["sub"] if now < claims["exp"] else None


def _signature(secret: bytes, signed: str) -> bytes:
    return hmac.new(secret, signed.encode(errors="replace"), hashlib.sha256).digest()


def _packed(content: dict) -> str:
    return _text(json.dumps(content, separators=(",", ":")).encode())


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
