"""A bundle: all that a project's proxies have to know in one environment, signed as a whole.

What is signed is the payload's very bytes, so nothing depends on how JSON is written. Texts are kept by the SHA-256 of
their content. A payload of another format is refused whole: leaving out what one does not know could leave out a rule.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from guard.errors import PolicyError
from guard.policies.signature import Signer, Trust

#: Bytes of a bundle with its envelope.
MAX_BYTES = 32_000_000
Environment = Literal["staging", "production"]
By = Literal["app", "user", "session"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Candidate(_Part):
    """A version that is being tried beside the one in force.

    `canary`: it decides `percent` of the turns, by a hash of their app, user or session. `shadow`: it decides none.
    """

    version: int
    text: str
    mode: Literal["canary", "shadow"]
    percent: float = Field(ge=0, le=100)
    by: By


class Release(_Part):
    """A policy in force: its version, its text's digest, and the candidate beside it."""

    policy: str
    version: int
    text: str
    candidate: Candidate | None = None


class AppKey(_Part):
    """A key of an app, by its hash. `expires_at` is in UTC epoch seconds."""

    hash: str
    expires_at: float | None = None


class Bundle(_Part):
    """What is in force in one environment of a project. `sequence` rises with every release there."""

    format: Literal[1] = 1
    project: str
    environment: Environment
    sequence: int = Field(ge=1)
    issued_at: float
    floor: str | None = None
    releases: tuple[Release, ...] = ()
    texts: dict[str, str] = Field(default_factory=dict)
    apps: dict[str, tuple[AppKey, ...]] = Field(default_factory=dict)


class Envelope(_Part):
    """A payload and its signature, as they travel and are kept on disk."""

    payload: str
    signature: str

    @cached_property
    def digest(self) -> str:
        """The payload's SHA-256: the bundle's name, and its ETag."""
        return hashlib.sha256(self.payload.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Verified:
    """A bundle whose signature and content were found good, and the envelope it came in."""

    bundle: Bundle
    envelope: Envelope


def digest_of(text: str) -> str:
    """What a text is kept by."""
    return hashlib.sha256(text.encode()).hexdigest()


def seal(bundle: Bundle, signer: Signer) -> Envelope:
    """The bundle, signed."""
    payload = bundle.model_dump_json()
    return Envelope(payload=payload, signature=signer.sign(payload.encode()))


def open_envelope(content: bytes, trust: Trust, *, shown: str) -> Verified:
    """The bundle in an envelope; `shown` is what errors call it. Raises PolicyError unless all of it is good."""
    try:
        envelope = Envelope.model_validate_json(content)
    except ValidationError:
        raise PolicyError(f"{shown}:1: is no signed bundle; is this the address of guard central?") from None
    if not trust.holds(envelope.payload.encode(), envelope.signature):
        raise PolicyError(
            f"{shown}:1: its signature is of none of the keys in central_trust, so it is refused; "
            "where central's key was changed on purpose, add the new one"
        )
    try:
        bundle = Bundle.model_validate_json(envelope.payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise PolicyError(f"{shown}:1: {where}: {first['msg']}; is central newer than this Guard?") from None
    asked = [bundle.floor, *(release.text for release in bundle.releases)]
    asked += [release.candidate.text for release in bundle.releases if release.candidate]
    wrong = [digest for digest, text in bundle.texts.items() if digest_of(text) != digest]
    if wrong or not {digest for digest in asked if digest} <= bundle.texts.keys():
        raise PolicyError(f"{shown}:1: holds texts that are not those it names, so it is refused")
    return Verified(bundle, envelope)
