"""Requests to one server of Guard's, tried again where that can do no harm."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import httpx
import orjson

from guard.client.refusal import refusal, retry_after
from guard.errors import Invalid, SettingsError, Unreachable

#: Seconds that are waited at most before a request is tried again: as we think fit, and as a server may ask.
LONGEST, ASKED = 8.0, 60.0
#: Answers after which the same request may be tried again: too many requests, and servers that are away for a moment.
AGAIN = frozenset({429, 502, 503, 504})


class Http:
    """Requests with one key. What `transport` is to httpx, it is here; `retries` is how often a request is tried again.

    Each change carries an Idempotency-Key, so that trying it again does not do it twice.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        timeout: float = 30.0,
        retries: int = 4,
        verify: Any = True,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep,
    ) -> None:
        parsed = httpx.URL(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise SettingsError(f"url: '{url}' is no address; write such as http://127.0.0.1:8788")
        self.url = str(parsed.copy_with(userinfo=b"")).rstrip("/")
        self._headers = {"authorization": f"Bearer {key}", "accept": "application/json"}
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, 5.0))
        self._retries, self.sleep = retries, sleep
        self._verify, self._transport = verify, transport
        self._opened: tuple[asyncio.AbstractEventLoop, httpx.AsyncClient] | None = None

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content: bytes | None = None,
        params: Mapping[str, Any] | None = None,
        changes: bool = True,
    ) -> Any:
        """The JSON of an answer; None where it is empty. `changes`: whether what is no GET changes anything there.

        Raises what the server refuses as the GuardError that it is, Unreachable where no answer comes.
        """
        headers = dict(self._headers)
        if content is None and body is not None:
            content = orjson.dumps(body, default=_plain)
            headers["content-type"] = "application/json"
        if changes and method != "GET":
            headers["idempotency-key"] = uuid4().hex
        given = {name: value for name, value in (params or {}).items() if value is not None}
        response = await self._sent(method, self.url + path, headers=headers, params=given, content=content)
        if response.is_success:
            return _read(response)
        raise refusal(response)

    async def close(self) -> None:
        """Close the connections."""
        if self._opened is not None and self._opened[0] is asyncio.get_running_loop():
            await self._opened[1].aclose()
        self._opened = None

    async def _sent(self, method: str, url: str, **given: Any) -> httpx.Response:
        """The last answer, after as many tries as there may be."""
        tried = 0
        while True:
            wait = None
            try:
                response = await self._client().request(method, url, **given)
            except httpx.TransportError as error:
                if tried >= self._retries:
                    raise Unreachable(f"{self.url} cannot be asked: {_named(error)}; does it run there?") from None
            except httpx.HTTPError as error:
                raise Unreachable(f"{self.url} cannot be asked: {_named(error)}") from None
            else:
                wait = retry_after(response)
                if tried >= self._retries or not _passing(response) or (wait or 0) > ASKED:
                    return response
            # Some of it by chance, so that many clients do not come back all at once.
            await self.sleep(wait if wait is not None else min(LONGEST, 0.25 * 2**tried) * random.uniform(0.5, 1))
            tried += 1

    def _client(self) -> httpx.AsyncClient:
        """The connections of the running loop; those of a loop that ended are of no use on another."""
        loop = asyncio.get_running_loop()
        if self._opened is None or self._opened[0] is not loop:
            client = httpx.AsyncClient(timeout=self._timeout, verify=self._verify, transport=self._transport)
            self._opened = (loop, client)
        return self._opened[1]


def path_of(*steps: str | int) -> str:
    """The path to something by names and numbers. Raises Invalid for a name that would lead elsewhere."""
    for step in steps:
        if step in ("", ".", ".."):
            raise Invalid(f"'{step}' is no name; give the name or id of something")
    return "/" + "/".join(quote(str(step), safe="") for step in steps)


def _passing(response: httpx.Response) -> bool:
    """Whether the refusal may be gone in a moment."""
    if response.status_code in AGAIN:
        return True
    # The first try of this very request is still under way there.
    return response.status_code == 409 and getattr(refusal(response), "param", None) == "Idempotency-Key"


def _read(response: httpx.Response) -> Any:
    if not response.content:
        return None
    try:
        return orjson.loads(response.content)
    except ValueError:
        raise Unreachable(f"{response.url.host} answered with no JSON; is it Guard's address?") from None


def _plain(value: Any) -> Any:
    """What JSON is made of, from Guard's own models: rulesets, rules."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json", exclude_none=True)
    raise TypeError(f"a {type(value).__name__} is no JSON")


def _named(error: Exception) -> str:
    return str(error) or type(error).__name__
