"""Policies from a control plane: bundles that are verified before anything of them counts, the last good one kept."""

from __future__ import annotations

import hashlib
import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import httpx

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.bundle import MAX_BYTES, Verified, open_envelope
from guard.policies.http import cache_folder
from guard.policies.set import PolicySet
from guard.policies.signature import Trust
from guard.policies.unpack import unpack

log = logging.getLogger(__name__)

#: Seconds that central holds a question for news back. An ending proxy waits for it, so it is short.
WAIT = 2.0
#: Seconds between an answer and the next question.
PAUSE = 0.25
_TIMEOUT = httpx.Timeout(10.0, connect=5.0)


@dataclass(frozen=True, slots=True)
class Following:
    """Which central a proxy follows, and where in it; `key` is of role `proxy`, `trust` are central's public keys.

    `verify` is what its TLS is verified with, as httpx takes it.
    """

    url: str
    project: str
    environment: str
    key: str
    trust: Trust
    verify: ssl.SSLContext | bool = True


class CentralSource:
    """The policies in force in one environment of a project.

    Refused, so that what is in force stays: a bundle with a wrong signature, of another project or environment, or
    older than one that was in force here before, also before a restart. The last good one is kept in `cache` (default:
    `$XDG_CACHE_HOME/stageguard/central`), so that a start succeeds while central is away.
    """

    def __init__(
        self,
        following: Following,
        *,
        metrics: Registry = REGISTRY,
        cache: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.following = following
        self.metrics = metrics
        #: What is in force, and what is to be: it stays here where it cannot be used, to be tried again.
        self.active: Verified | None = None
        self._next: Verified | None = None
        base = following.url.rstrip("/") + "/api/v1"
        self._path = f"/projects/{following.project}/environments/{following.environment}/bundle"
        self.shown = base + self._path
        name = hashlib.sha256(self.shown.encode()).hexdigest()[:16]
        self.file = (cache or cache_folder("central")) / f"{name}.json"
        headers = {"authorization": f"Bearer {following.key}"}
        self._client = httpx.Client(
            base_url=base, headers=headers, timeout=_TIMEOUT, verify=following.verify, transport=transport
        )

    def load(self) -> PolicySet:
        """What was last fetched; the kept bundle where nothing was, and nothing can be."""
        found = self._next = self._next or self.active or self._first()
        policies = unpack(found.bundle, metrics=self.metrics)
        for policy in policies.all:
            policy.make_ready()
        self.active, self._next = found, None
        self._keep(found)
        return policies

    def changed(self) -> bool:
        """Whether central has a newer bundle, which is fetched and verified. Waits for one for some seconds."""
        try:
            found = self._fetch(self._next or self.active)
        except PolicyError:
            if self._client.is_closed:  # by `close`, while this waited: nobody looks any more
                return False
            raise
        if found is None:
            return False
        self._refuse_older(found, self.active)
        self._next = found
        return True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _first(self) -> Verified:
        kept = self._kept()
        try:
            found = self._fetch(None)
            assert found is not None  # without an ETag nobody answers "not modified"
            self._refuse_older(found, kept)
            return found
        except PolicyError as error:
            if kept is None:
                raise
            log.warning("%s; going on with the last good bundle in %s", error, self.file)
            return kept

    def _fetch(self, known: Verified | None) -> Verified | None:
        """The bundle, verified, or None where it is still the one that is known. Raises PolicyError."""
        headers = {"if-none-match": f'"{known.envelope.digest}"'} if known else {}
        params = {"wait": WAIT} if known else {}
        try:
            with self._client.stream("GET", self._path.lstrip("/"), headers=headers, params=params) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED and known:
                    return None
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise PolicyError(f"{self.shown}:1: is larger than {MAX_BYTES:,} bytes")
        except httpx.HTTPError as error:
            raise PolicyError(f"{self.shown}:1: cannot be fetched: {error or type(error).__name__}") from None
        if response.status_code != httpx.codes.OK:
            raise PolicyError(f"{self.shown}:1: answered {response.status_code}; {_fix(response.status_code)}")
        return self._verified(body, self.shown)

    def _verified(self, content: bytes, shown: str) -> Verified:
        found = open_envelope(content, self.following.trust, shown=shown)
        said, wanted = found.bundle, self.following
        if (said.project, said.environment) != (wanted.project, wanted.environment):
            raise PolicyError(
                f"{shown}:1: is of {said.project}/{said.environment}, not of {wanted.project}/{wanted.environment}, "
                "so it is refused"
            )
        return found

    def _refuse_older(self, found: Verified, known: Verified | None) -> None:
        """A signature says who, not when: an old bundle put in the way of a new one would bring old rules back."""
        if known is None or found.envelope.digest == known.envelope.digest:
            return
        if found.bundle.sequence <= known.bundle.sequence:
            raise PolicyError(
                f"{self.shown}:1: its sequence {found.bundle.sequence} is not above {known.bundle.sequence}, which was "
                f"in force here, so it is refused; where central's database was set back on purpose, remove {self.file}"
            )

    def _kept(self) -> Verified | None:
        try:
            with self.file.open("rb") as opened:
                return self._verified(opened.read(MAX_BYTES), str(self.file))
        except OSError:
            return None
        except PolicyError as error:
            log.warning("%s; it is not taken", error)
            return None

    def _keep(self, found: Verified) -> None:
        kept = self._kept()
        if kept is not None and kept.bundle.sequence >= found.bundle.sequence:
            return  # another worker was faster
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new = self.file.with_suffix(f".{os.getpid()}")
            new.write_text(found.envelope.model_dump_json(), encoding="utf-8")
            new.replace(self.file)  # whole or not at all: other workers read it too
        except OSError as error:
            log.warning("the bundle of %s cannot be kept in %s: %s", self.shown, self.file, error.strerror)


def _fix(status: int) -> str:
    fixes = {
        401: "give a key of role proxy in the variable that central_key_env names",
        403: "the key must be of role proxy",
        404: "is there such a project, is the key for it, and was something put in force there?",
    }
    return fixes.get(status, "what is in force stays")
