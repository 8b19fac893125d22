"""The MCP servers behind Guard, over HTTP."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from guard.errors import BadRequest, SettingsError, UpstreamError, UpstreamTimeout

if TYPE_CHECKING:
    from guard.settings import Settings

#: Headers of the client that a server is shown, beside the key and those that mirror the body.
PASSED_ON = ("accept", "mcp-session-id", "mcp-protocol-version", "last-event-id", "user-agent", "accept-language")
#: Headers of a server that the client is shown.
PASSED_BACK = ("mcp-session-id", "mcp-protocol-version", "allow", "retry-after")


class NoServer(BadRequest):
    """No MCP server of this name is in the settings."""

    status = 404
    code = "no_mcp_server"


class McpServers:
    """The servers of the settings by name, over one pool of connections."""

    def __init__(self, settings: Settings, client: httpx.AsyncClient) -> None:
        self._servers = settings.mcp
        self._keys = keys_of(settings)
        # An app's key is Guard's own: it is never shown to a server.
        self._pass_key = not settings.apps
        self._limit = settings.max_answer
        self._timeout = httpx.Timeout(
            settings.read_timeout, connect=settings.connect_timeout, pool=settings.connect_timeout
        )
        self._client = client

    @classmethod
    def of(cls, settings: Settings) -> McpServers:
        """Those of the settings. Raises SettingsError where a key is missing."""
        limits = httpx.Limits(max_connections=settings.connections)
        # Redirects are not followed: a server must not be able to send a call, or the key, somewhere else.
        return cls(settings, httpx.AsyncClient(transport=AiohttpTransport(limits=limits)))

    def opened(self, name: str) -> frozenset[str]:
        """The methods that the settings open for a server. Raises NoServer."""
        if name not in self._servers:
            raise NoServer(f"no MCP server '{name[:100]}' is set up; name it in the setting mcp")
        return frozenset(self._servers[name].open_methods)

    @asynccontextmanager
    async def send(
        self, name: str, method: str, headers: Mapping[str, str], content: bytes | None = None, *, endless: bool = False
    ) -> AsyncIterator[httpx.Response]:
        """A server's response, its body not yet read; `endless` waits for its bytes for as long as it takes.

        Raises UpstreamError, also for a redirect, and where the server refuses Guard's own key.
        """
        key = self._keys.get(name, "")
        # Bytes, since of a string httpx takes ASCII only.
        sent = {one.encode(): value.encode("latin-1") for one, value in headers.items()}
        if not self._pass_key:
            sent.pop(b"authorization", None)
        if key:
            sent[b"authorization"] = f"Bearer {key}".encode()
        timeout = httpx.Timeout(**{**self._timeout.as_dict(), "read": None}) if endless else self._timeout
        try:
            async with self._client.stream(
                method, self._servers[name].url, content=content, headers=sent, timeout=timeout
            ) as response:
                if key and response.status_code in (401, 403):
                    raise UpstreamError(f"the MCP server refused Guard's own key; look at key_env of '{name}'")
                if 300 <= response.status_code < 400:
                    raise UpstreamError("the MCP server answered with a redirect, which is not followed; mend its url")
                yield response
        except (httpx.HTTPError, aiohttp.ClientError) as error:  # the transport lets some of aiohttp's own through
            # The transport calls every lost connection a time-out; only its cause tells which it was.
            if isinstance(error, httpx.TimeoutException) and isinstance(error.__cause__, TimeoutError):
                raise UpstreamTimeout("the MCP server did not answer in time; raise read_timeout") from None
            raise UpstreamError(f"the MCP server cannot be reached or broke off: {type(error).__name__}") from None

    async def read(self, response: httpx.Response) -> bytes:
        """A response's whole body. Raises UpstreamError where it is larger than max_answer."""
        content = bytearray()
        async for piece in response.aiter_bytes():
            content += piece
            if len(content) > self._limit:
                raise UpstreamError(f"the MCP server's answer is larger than {self._limit:,} bytes; raise max_answer")
        return bytes(content)

    async def aclose(self) -> None:
        """End all connections."""
        await self._client.aclose()


def keys_of(settings: Settings) -> dict[str, str]:
    """The servers' keys, by server. Raises SettingsError where a variable is not set."""
    keys = {}
    for name, server in settings.mcp.items():
        if server.key_env:
            keys[name] = os.environ.get(server.key_env, "")
            if not keys[name]:
                raise SettingsError(f"mcp: the variable {server.key_env} with the key of '{name}' is not set; set it")
    return keys
