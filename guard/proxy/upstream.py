"""The provider behind Guard: any base URL that speaks OpenAI's or Anthropic's API, over httpx on aiohttp's."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

import aiohttp
import httpx
import orjson
from httpx_aiohttp import AiohttpTransport

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
    """A provider at a base URL. `key` is the provider's; without one the caller's is passed on where `pass_key`."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        api: Api = OPENAI,
        *,
        key: str = "",
        pass_key: bool = False,
        limit: int = 16_000_000,
    ) -> None:
        self._client = client
        self._api = api
        self._key = key
        self._pass_key = pass_key
        self._limit = limit

    @classmethod
    def at(
        cls,
        base_url: str,
        api: Api = OPENAI,
        *,
        connect: float,
        read: float,
        connections: int,
        key: str = "",
        pass_key: bool = False,
        limit: int = 16_000_000,
    ) -> HttpUpstream:
        """A provider at `base_url`; `connect` and `read` are seconds, `limit` the bytes of an answer."""
        timeout = httpx.Timeout(read, connect=connect, pool=connect)
        limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
        # Redirects are not followed: a provider must not be able to send the prompt, or the key, somewhere else.
        client = httpx.AsyncClient(base_url=base_url, timeout=timeout, transport=AiohttpTransport(limits=limits))
        return cls(client, api, key=key, pass_key=pass_key, limit=limit)

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
            async for chunk in sse.chunks(response.aiter_bytes(), self._limit):
                yield chunk

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """What the provider answers to a GET. Raises UpstreamError."""
        async with self._send("GET", path, headers) as response:
            return await self._json(response)

    @asynccontextmanager
    async def forward(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes
    ) -> AsyncIterator[httpx.Response]:
        """The provider's response to a call that nobody reads: for routes that a setting opens."""
        async with self._send(method, path, headers, content, raw=True) as response:
            yield response

    async def aclose(self) -> None:
        """End all connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _send(
        self, method: str, path: str, headers: Mapping[str, str], content: bytes | None = None, *, raw: bool = False
    ) -> AsyncIterator[httpx.Response]:
        try:
            sent = self._headers(headers, raw=raw)
            async with self._client.stream(method, path, content=content, headers=sent) as response:
                if response.status_code >= 300 and not raw:
                    await self._refuse(response)
                yield response
        except (httpx.HTTPError, aiohttp.ClientError) as error:  # the transport lets some of aiohttp's own through
            raise _unreachable(error) from None

    def _headers(self, headers: Mapping[str, str], *, raw: bool) -> list[tuple[bytes, bytes]]:
        passed = (*PASSED_ON, "content-type") if raw else PASSED_ON
        # Bytes, since of a string httpx takes ASCII only.
        sent = {name: headers[name].encode("latin-1") for name in passed if name in headers}
        # What Guard has read as JSON goes on as JSON, whatever the caller called it.
        sent.setdefault("content-type", b"application/json")
        for name, value in self._api.always.items():
            sent.setdefault(name, value.encode())
        if self._key:
            sent[self._api.key] = f"{self._api.scheme}{self._key}".encode()
        elif self._pass_key:
            sent.update({name: headers[name].encode("latin-1") for name in self._api.own_keys if name in headers})
        return [(name.encode(), value) for name, value in sent.items()]

    async def _refuse(self, response: httpx.Response) -> None:
        if response.status_code in (401, 403) and self._key:
            # What the provider says of it shows parts of the key, and the caller cannot mend it.
            refused = f"the provider refused Guard's own key with status {response.status_code}"
            raise UpstreamError(f"{refused}; whoever runs Guard has to look at {self._api.setting}", cause="key")
        content = await self._read(response)
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            body = None
        if response.status_code < 400 or not isinstance(body, dict):
            raise UpstreamError(
                f"the provider answered with status {response.status_code} and no JSON",
                said=response.status_code,
                retry_after=seconds_of(response.headers),
            )
        shown = {name: response.headers[name] for name in PASSED_BACK if name in response.headers}
        raise UpstreamRefused(response.status_code, body, shown)

    async def _json(self, response: httpx.Response) -> dict[str, Any]:
        try:
            body = orjson.loads(await self._read(response))
        except orjson.JSONDecodeError:
            raise UpstreamError("the provider's answer is not JSON") from None
        if not isinstance(body, dict):
            raise UpstreamError("the provider's answer is JSON but no object")
        return body

    async def _read(self, response: httpx.Response) -> bytes:
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > self._limit:
                raise UpstreamError(f"the provider's answer is larger than {self._limit:,} bytes; raise max_answer")
        return bytes(content)


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


def _unreachable(error: Exception) -> UpstreamError:
    """What a transport's error says: the transport itself calls every lost connection a time-out."""
    met = error.__cause__ or error
    if isinstance(met, (aiohttp.ClientConnectorError, httpx.ConnectError)):
        return UpstreamError(f"the provider cannot be reached: {type(met).__name__}", cause="connect")
    if isinstance(met, aiohttp.ConnectionTimeoutError):
        return UpstreamTimeout("the provider cannot be connected to in time; see connect_timeout", cause="connect")
    if isinstance(met, TimeoutError):
        late = "the provider did not answer in time; try again, or raise read_timeout"
        return UpstreamTimeout(late, cause="timeout")
    return UpstreamError(f"the provider broke off: {type(met).__name__}", cause="disconnect")
