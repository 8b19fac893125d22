"""A short name for what a metric was made from: it changes when that changes, so that cached verdicts stay right."""

from __future__ import annotations

import hashlib


def fingerprint(*parts: str | bytes) -> str:
    """16 hexadecimal digits of the SHA-256 of all parts in order, each kept apart from the next."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:16]
