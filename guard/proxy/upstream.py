"""The provider behind Guard: any base URL that speaks OpenAI's or Anthropic's API.

Asked over aiohttp's own client: httpx on top of it doubles what a request costs.
"""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Protocol

import aiohttp
import httpx
import orjson

from guard.errors import UpstreamError, UpstreamTimeout
from guard.proxy import sse
from guard.proxy.body import dump

#: Headers of the caller that the provider is shown. Keys and hop-by-hop headers are not among them.
PASSED_ON = (
    *("openai-organization", "openai-project", "openai-beta", "anthropic-version", "anthropic-beta"),
    *("user-agent", "accept-language"),
    # W3C trace context: the caller's own, or that of Guard's span within it.
    *("traceparent", "tracestate"),
)
#: Headers of the provider that the caller is shown.
PASSED_BACK = (
    *("x-request-id", "request-id", "retry-after", "retry-after-ms", "x-should-retry"),
    *("openai-processing-ms", "openai-version"),
)
#: Seconds that a connection is kept for the next request: as short as the servers' that close theirs soonest.
KEPT = 5.0


@dataclass(frozen=True, slots=True)
class Api:
    """How a provider is called: the header of its key and what stands before it, and the headers it always wants.

    A caller's own key may stand in one of `own_keys`; `setting` names the variable of Guard's.
    """

    key: str
    scheme: str
    own_keys: tuple[str, ...]
    setting: str
    always: Mapping[str, str] = field(default_factory=dict)


OPENAI = Api("authorization", "Bearer ", ("authorization",), "upstream_key_env")
ANTHROPIC = Api(
    "x-api-key", "", ("x-api-key", "authorization"), "anthropic_key_env", {"anthropic-version": "2023-06-01"}
)


class UpstreamRefused(UpstreamError):
    """The provider answered with an error of its own, which the caller is shown as it came."""

    def __init__(self, status: int, body: dict[str, Any], headers: Mapping[str, str]) -> None:
        self.status = status
        self.body = body
        self.headers = dict(headers)
        wait = seconds_of(self.headers)
        super().__init__(f"the provider answered with status {status}", said=status, retry_after=wait)


class Upstream(Protocol):
    """A provider of models. `path` is a protocol's, below the provider's base URL (`chat/completions`).

    `headers` are the caller's, of which the provider is shown only some. Who does not speak a protocol raises
    BadRequest for its path.
    """

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer. Raises UpstreamError."""
        ...

    def stream(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> AsyncGenerator[dict[str, Any]]:
        """The answer's events; closing the iterator ends the call. Raises UpstreamError."""
        ...

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """What the provider answers to a GET of a path below its base URL. Raises UpstreamError."""
        ...

    async def aclose(self) -> None:
        """End all connections."""
        ...


class HttpUpstream:
    """A provider at `base_url`. `connect` and `read` are seconds, `limit` the bytes of an answer.

    `key` is the provider's; without one the caller's is passed on where `pass_key`.
    """

    def __init__(
        self,
        base_url: str,
        api: Api = OPENAI,
        *,
        connect: float,
        read: float,
        connections: int,
        key: str = "",
        pass_key: bool = False,
        limit: int = 16_000_000,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._api = api
        self._timeout = aiohttp.ClientTimeout(connect=connect, sock_connect=connect, sock_read=read)
        self._connections = connections
        self._key = key
        self._pass_key = pass_key
        self._limit = limit
        # The same certificates as for all else that Guard fetches; reading them takes a moment.
        self._trusted = httpx.create_ssl_context()

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """The connections, which belong to the loop that first asks for them."""
        connector = aiohttp.TCPConnector(limit=self._connections, keepalive_timeout=KEPT, ssl=self._trusted)
        # One caller's cookies are not another's.
        return aiohttp.ClientSession(connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar())

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer. Raises UpstreamError."""
        async with self._send("POST", path, headers, dump(body)) as response:
            return await self._json(response)

    async def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The answer's events. Raises UpstreamError."""
        async with self._send("POST", path, headers, dump(body)) as response:
            if "text/event-stream" not in response.headers.get("content-type", "text/event-stream"):
                raise UpstreamError("the provider did not answer with a stream")
            async for chunk in sse.chunks(response.content.iter_any(), self._limit):
                yield chunk

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """What the provider answers to a GET. Raises UpstreamError."""
        async with self._send("GET", path, headers) as response:
            return await self._json(response)

    @asynccontextmanager
    async def forward(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The provider's response to a call that nobody reads: for routes that a setting opens."""
        async with self._send(method, path, headers, content, raw=True) as response:
            yield response

    async def aclose(self) -> None:
        """End all connections."""
        if "_session" in self.__dict__:
            await self._session.close()

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None, *, raw: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url, sent = f"{self._base_url}/{path}", self._headers(headers, raw=raw)
        try:
            # Redirects are not followed: a provider must not be able to send the prompt, or the key, somewhere else.
            asked = self._session.request(method, url, data=content, headers=sent, allow_redirects=False)
            async with asked as response:
                if response.status >= 300 and not raw:
                    await self._refuse(response)
                yield response
        except aiohttp.ClientError as error:
            raise _unreachable(error) from None

    def _headers(self, headers: Mapping[str, str], *, raw: bool) -> dict[str, str]:
        passed = (*PASSED_ON, "content-type") if raw else PASSED_ON
        sent = {name: headers[name] for name in passed if name in headers}
        # What Guard has read as JSON goes on as JSON, whatever the caller called it.
        sent.setdefault("content-type", "application/json")
        for name, value in self._api.always.items():
            sent.setdefault(name, value)
        if self._key:
            sent[self._api.key] = f"{self._api.scheme}{self._key}"
        elif self._pass_key:
            sent.update({name: headers[name] for name in self._api.own_keys if name in headers})
        return sent

    async def _refuse(self, response: aiohttp.ClientResponse) -> None:
        if response.status in (401, 403) and self._key:
            # What the provider says of it shows parts of the key, and the caller cannot mend it.
            refused = f"the provider refused Guard's own key with status {response.status}"
            raise UpstreamError(f"{refused}; whoever runs Guard has to look at {self._api.setting}", cause="key")
        content = await self._read(response)
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if response.status < 400 or not isinstance(body, dict):
            raise UpstreamError(
                f"the provider answered with status {response.status} and no JSON",
                said=response.status,
                retry_after=seconds_of(response.headers),
            )
        raise UpstreamRefused(response.status, body, shown(response, PASSED_BACK))

    async def _json(self, response: aiohttp.ClientResponse) -> dict[str, Any]:
        try:
            body = orjson.loads(await self._read(response))
        except orjson.JSONDecodeError:
            raise UpstreamError("the provider's answer is not JSON") from None
        if not isinstance(body, dict):
            raise UpstreamError("the provider's answer is JSON but no object")
        return body

    async def _read(self, response: aiohttp.ClientResponse) -> bytes:
        content = bytearray()
        async for piece in response.content.iter_any():
            content += piece
            if len(content) > self._limit:
                raise UpstreamError(f"the provider's answer is larger than {self._limit:,} bytes; raise max_answer")
        # Some providers repeat in their errors what they were sent; the caller is not to see Guard's own key.
        return bytes(content).replace(self._key.encode(), b"***") if self._key else bytes(content)


def shown(response: aiohttp.ClientResponse, names: Iterable[str]) -> dict[str, str]:
    """The response's headers of these names, as they may be sent on."""
    found = ((name, response.headers.get(name)) for name in names)
    # The same bytes again, though they were read as UTF-8 and are written as Latin-1.
    return {name: value.encode("utf-8", "surrogateescape").decode("latin-1") for name, value in found if value}


def seconds_of(headers: Mapping[str, str]) -> float | None:
    """The seconds that a response asks to wait (`retry-after-ms`, or `retry-after` in either form); None: not said."""
    with suppress(ValueError):
        if "retry-after-ms" in headers:
            return _positive(float(headers["retry-after-ms"]) / 1000)
    after = headers.get("retry-after", "")
    with suppress(ValueError):
        return _positive(float(after))
    with suppress(ValueError, TypeError):
        return _positive(parsedate_to_datetime(after).timestamp() - time.time())
    return None


def _positive(seconds: float) -> float | None:
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _unreachable(error: aiohttp.ClientError) -> UpstreamError:
    kind = type(error).__name__
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return UpstreamTimeout("the provider cannot be connected to in time; see connect_timeout", cause="connect")
    if isinstance(error, aiohttp.ClientConnectorError):
        return UpstreamError(f"the provider cannot be reached: {kind}", cause="connect")
    if isinstance(error, TimeoutError):
        late = "the provider did not answer in time; try again, or raise read_timeout"
        return UpstreamTimeout(late, cause="timeout")
    return UpstreamError(f"the provider broke off: {kind}", cause="disconnect")
