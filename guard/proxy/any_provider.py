"""Every other provider as upstream, through litellm."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping
from typing import Any

from guard.errors import BadRequest
from guard.providers import Provider

#: litellm puts a model's name into the URL that it asks, or takes it for one: a caller could choose who gets it all.
_ADDRESS = re.compile(r":/|//|(?:^|/)\.+(?:/|$)|[?#%\\\s\x00-\x1f]")


class AnyProvider:
    """The upstream `litellm` (models are named `provider/model`) or `litellm/PROVIDER` (models are named without it).

    Keys come from the environment variables that litellm documents for each provider, or from `key`.
    """

    def __init__(self, provider: str = "", *, key: str = "", timeout: float = 120.0) -> None:
        self._prefix = f"{provider}/" if provider else ""
        self._key = key or None
        self._timeout = timeout

    async def complete(self, path: str, body: dict[str, Any], headers: Mapping[str, str]) -> dict[str, Any]:
        """The whole answer. Raises UpstreamError."""
        return await self._provider(path, body).completion(body)

    async def stream(
        self, path: str, body: dict[str, Any], headers: Mapping[str, str]
    ) -> AsyncGenerator[dict[str, Any]]:
        """The answer's chunks. Raises UpstreamError."""
        chunks = self._provider(path, body).stream(body)
        try:
            async for chunk in chunks:
                yield chunk
        finally:
            await chunks.aclose()

    async def get(self, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
        """Nothing: providers list their models each in their own way. Raises BadRequest."""
        raise BadRequest(f"/{path} is not answered for litellm's providers; name the model as provider/model")

    async def aclose(self) -> None:
        """Nothing is held open between calls."""

    def _provider(self, path: str, body: Mapping[str, Any]) -> Provider:
        if path != "chat/completions":
            raise BadRequest(
                f"litellm's providers are not asked at /{path}; use /v1/chat/completions, or for Anthropic's protocol "
                "set anthropic_upstream"
            )
        if _ADDRESS.search(body["model"]):
            raise BadRequest("'model' must be the name of a model, not an address", param="model")
        return Provider(f"{self._prefix}{body['model']}", api_key=self._key, timeout=self._timeout)
