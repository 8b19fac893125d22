"""A policy at a URL: asked for with its ETag, so that it is sent only when it changed; the last good one is kept."""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import httpx

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.alone import refuse_code_and_secrets
from guard.policies.document import MAX_BYTES, parse
from guard.policies.load import load_document
from guard.policies.set import PolicySet

log = logging.getLogger(__name__)

TIMEOUT = httpx.Timeout(10.0, connect=5.0)


def cache_folder(name: str) -> Path:
    """Where copies of what came over the network are kept, for one kind of it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "stageguard" / name


class HttpSource:
    """One policy file at an http(s) URL; a user and password in the URL are sent as basic authentication.

    The last body that was checked and found good is kept in `cache` (default: `$XDG_CACHE_HOME/stageguard/policies`),
    so that a start succeeds while the URL is away. What the policy extends is built in, or relative to that folder.
    """

    def __init__(
        self,
        url: str,
        *,
        metrics: Registry = REGISTRY,
        cache: Path | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = httpx.URL(url)
        self.metrics = metrics
        self.shown = str(self.url.copy_with(userinfo=b""))
        self.file = (cache or cache_folder("policies")) / f"{hashlib.sha256(self.shown.encode()).hexdigest()[:16]}.yaml"
        self._client = httpx.Client(timeout=TIMEOUT, transport=transport)
        self._body: bytes | None = None
        self._etag = ""

    def load(self) -> PolicySet:
        """What was last fetched; the kept copy where nothing was, and nothing can be."""
        if self._body is None:
            self._body = self._first()
        document = parse(self._body, self.shown)
        refuse_code_and_secrets(document)
        policy = load_document(document, self.file, metrics=self.metrics)
        self._keep(self._body)
        return PolicySet((policy,))

    def changed(self) -> bool:
        """Whether the URL now gives another body, which is fetched."""
        body = self._fetch()
        if body is None or body == self._body:
            return False
        self._body = body
        return True

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _first(self) -> bytes:
        try:
            body = self._fetch()
            assert body is not None  # without an ETag nobody answers "not modified"
            return body
        except PolicyError as away:
            try:
                kept = self.file.read_bytes()
            except OSError:
                raise away from None
            log.warning("%s; going on with the last good copy in %s", away, self.file)
            return kept

    def _fetch(self) -> bytes | None:
        """The body, or None where it is still the one that the last ETag names. Raises PolicyError."""
        headers = {"If-None-Match": self._etag} if self._etag else {}
        try:
            with self._client.stream("GET", self.url, headers=headers) as response:
                if response.status_code == httpx.codes.NOT_MODIFIED and headers:
                    return None
                if response.status_code != httpx.codes.OK:
                    fix = "give the final address" if response.is_redirect else "the last good revision stays"
                    raise PolicyError(f"{self.shown}:1: answered {response.status_code}; {fix}")
                body = b""
                for chunk in response.iter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise PolicyError(f"{self.shown}:1: is larger than {MAX_BYTES:,} bytes; split it")
                self._etag = response.headers.get("etag", "")
                return body
        except httpx.HTTPError as error:
            raise PolicyError(f"{self.shown}:1: cannot be fetched: {error or type(error).__name__}") from None

    def _keep(self, body: bytes) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            new = self.file.with_suffix(f".{os.getpid()}")
            new.write_bytes(body)
            new.replace(self.file)  # whole or not at all: other workers read it too
        except OSError as error:
            log.warning("the policy of %s cannot be kept in %s: %s", self.shown, self.file, error.strerror)
