"""Every provider that litellm speaks to, behind OpenAI's chat API. The only file that imports litellm."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from guard.errors import UpstreamError, UpstreamTimeout

#: litellm fetches price lists and headers from the network, and reads the folder's `.env`, unless told not to.
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
}
#: Statuses that the caller can mend, so they are passed on; the others are between Guard and the provider.
CALLERS_OWN = frozenset({400, 404, 413, 422, 429})


@dataclass(frozen=True, slots=True)
class Provider:
    """A model of some provider: `model` is litellm's `provider/model`.

    Without `api_key` the provider's own environment variable is used. `timeout` is in seconds; nothing is retried.
    `drop_params` leaves out fields that the provider does not support, which are otherwise an error.
    """

    model: str
    api_base: str | None = None
    api_key: str | None = field(default=None, repr=False)
    timeout: float = 600.0
    drop_params: bool = False

    def check(self) -> None:
        """Load litellm (seconds). Raises UpstreamError where it is missing or knows no provider for the model."""
        with self._errors():
            _litellm().get_llm_provider(self.model, api_base=self.api_base)

    async def completion(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """The whole answer to a chat request's body, as OpenAI's `chat.completion` object.

        `timeout` bounds all of it. Raises UpstreamTimeout and UpstreamError.
        """
        with self._errors():
            async with asyncio.timeout(self.timeout):
                answer = await _litellm().acompletion(**self._arguments(body))
            return answer.model_dump()

    async def stream(self, body: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any], None]:
        """The answer as OpenAI's `chat.completion.chunk` objects; `timeout` bounds the wait for each of them.

        Close it (`aclose`) to hang up on the provider before the end. Raises UpstreamTimeout and UpstreamError.
        """
        with self._errors():
            async with asyncio.timeout(self.timeout):
                chunks = await _litellm().acompletion(**self._arguments(body), stream=True)
        try:
            while True:
                with self._errors():
                    async with asyncio.timeout(self.timeout):
                        chunk = await anext(chunks, None)
                if chunk is None:
                    return
                yield chunk.model_dump(exclude_none=True)
        finally:
            await chunks.aclose()

    def _arguments(self, body: Mapping[str, Any]) -> dict[str, Any]:
        # litellm takes `api_base`, `mock_response` and much else as arguments, which a body must not set: only fields
        # of OpenAI's API become arguments, all others travel as they are.
        fields = {key: value for key, value in body.items() if key in _openai_fields()}
        others = {key: value for key, value in body.items() if key not in fields and key not in ("model", "stream")}
        own = {
            "model": self.model,
            "api_base": self.api_base,
            "api_key": self.api_key,
            "timeout": self.timeout,
            "drop_params": self.drop_params,
            "max_retries": 0,
        }
        return {**fields, **own, **({"extra_body": others} if others else {})}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever litellm raises, as ours, with the fix where it is known."""
        litellm = _litellm()
        try:
            yield
        except (TimeoutError, litellm.Timeout) as error:
            late = f"{self.model} did not answer within {self.timeout:g} s; raise its timeout or take a faster model"
            raise UpstreamTimeout(late, cause="timeout") from error
        except Exception as error:
            status = getattr(error, "status_code", None)
            # What a provider says of a key that it refuses shows parts of it.
            said = "the key was refused" if status in (401, 403) else _first_line(error)
            refused = status in (401, 403)
            raised = UpstreamError(
                f"{self.model} gave no answer; {self._missing_key()}{said}",
                cause="key" if refused else "" if status else "disconnect",
                said=status if isinstance(status, int) and not refused else None,
            )
            if status in CALLERS_OWN:
                raised.status = status
            raise raised from error

    def _missing_key(self) -> str:
        if self.api_key is not None:
            return ""
        missing = _litellm().validate_environment(self.model, api_base=self.api_base)["missing_keys"]
        return f"set {' and '.join(missing)} in the environment: " if missing else ""


def _first_line(error: Exception) -> str:
    # litellm puts whole tracebacks into some of its messages.
    return str(getattr(error, "message", error)).strip().partition("\n")[0][:500]


def load() -> None:
    """Import litellm now, which takes seconds, rather than with the first request. Raises UpstreamError without it."""
    _litellm()


@cache
def _litellm() -> Any:
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    try:
        import litellm
    except ImportError as error:
        raise UpstreamError(f"litellm cannot be imported ({error}); pip install 'stageguard[providers]'") from error
    litellm.suppress_debug_info = True
    return litellm


@cache
def _openai_fields() -> frozenset[str]:
    from openai.types.chat.completion_create_params import CompletionCreateParamsBase

    return frozenset(CompletionCreateParamsBase.__annotations__) - {"model"}
