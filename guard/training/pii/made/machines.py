"""What machines are known by: addresses, coordinates, wallets, keys."""

from __future__ import annotations

import base64
import json

from guard.training.pii.made import checks
from guard.training.pii.made.document import Document
from guard.training.pii.made.draw import in_words


def ip(doc: Document, variant: str, number: str) -> str:
    """An IP address, mostly of version 4."""
    if variant == "v6" or (not variant and doc.maybe(0.08)):
        return doc.formatted("IPV6")
    first = (doc.number(1, 223), doc.number(0, 255))
    if variant == "private":
        first = doc.pick(((192, 168), (10, doc.number(0, 255)), (172, doc.number(16, 31))))
    return ".".join(map(str, (*first, doc.number(0, 255), doc.number(1, 254))))


def mac(doc: Document, variant: str, number: str) -> str:
    """A network card's address."""
    address = doc.formatted("MAC", variant)
    return address.upper() if variant != "dot" and doc.maybe(0.5) else address


def coordinates(doc: Document, variant: str, number: str) -> str:
    """A point on the globe; no label of ours."""
    north, east = doc.random.uniform(-60, 70), doc.random.uniform(-170, 175)
    sides = "NS"[north < 0], "EW"[east < 0]
    size = abs(north), abs(east)
    if variant == "spoken":
        said = [f"{in_words(min(int(part), 99))} point {doc.spoken(doc.shaped('##'))}" for part in size]
        return f"{said[0]} {'north' if north > 0 else 'south'} {said[1]} {'east' if east > 0 else 'west'}"
    if variant == "dms":
        return " ".join(
            f"{int(part)}°{doc.number(0, 59):02d}'{doc.number(0, 59):02d}\"{side}"
            for part, side in zip(size, sides, strict=True)
        )
    places = doc.number(3, 6)
    plain, turned = [f"{part:.{places}f}" for part in (north, east)], [f"{part:.4f}" for part in size]
    return doc.pick(
        (
            ", ".join(plain),
            ",".join(plain),
            " ".join(plain),
            f"{turned[0]}° {sides[0]}, {turned[1]}° {sides[1]}",
            f"{sides[0]}{turned[0]} {sides[1]}{turned[1]}",
        )
    )


def crypto(doc: Document, variant: str, number: str) -> str:
    """The address of a wallet."""
    kind = variant or doc.pick(("btc", "eth", "other"))
    if kind == "eth":
        address = doc.shaped("%{40}")
        return "0x" + ("".join(doc.pick((sign, sign.upper())) for sign in address) if doc.maybe(0.5) else address)
    if kind == "btc":
        old = checks.base58(bytes([doc.pick((0, 5))]) + doc.random.randbytes(20))
        return doc.shaped("bc1q~{38}") if doc.maybe(0.5) else old
    tron = checks.base58(bytes([65]) + doc.random.randbytes(20))
    return doc.pick((tron, doc.shaped("ltc1q~{38}"), checks.base58(doc.random.randbytes(28))))


def api_key(doc: Document, variant: str, number: str) -> str:
    """A key or token of some service; the metric `secrets` finds those."""
    if variant != "jwt":
        return doc.formatted("API_KEY", variant)
    parts = ({"alg": "HS256", "typ": "JWT"}, {"sub": doc.shaped("######")})
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, doc.shaped("&{43}")))


VALUES = {"IP": ip, "MAC": mac, "GEO_COORDINATES": coordinates, "CRYPTO": crypto, "API_KEY": api_key}
