"""The fields of a request beside its texts: tools, parameters, and those that nobody here knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.metrics import Turn
from guard.proxy.wire.leaves import Body

#: Fields that the model is not shown, or that the app's developer writes: parameters, tools, the shapes of answers.
PARAMETERS = frozenset(
    {
        # whose request it is, and how it is answered
        "model", "user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention",
        "prompt_cache_options", "service_tier", "store", "stream", "stream_options", "background", "include",
        "modalities", "audio", "inference_geo", "container", "betas",
        # how the next token is chosen
        "temperature", "top_p", "top_k", "min_p", "seed", "n", "best_of", "echo", "stop", "stop_sequences",
        "max_tokens", "max_completion_tokens", "max_output_tokens", "max_tool_calls", "frequency_penalty",
        "presence_penalty", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs",
        # what the model works with
        "tools", "tool_choice", "functions", "function_call", "parallel_tool_calls", "response_format",
        "output_config", "output_format", "text",
        "reasoning", "reasoning_effort", "thinking", "verbosity", "truncation", "context_management",
        "web_search_options",
        # of embeddings
        "encoding_format", "dimensions", "truncate",
    }
)  # fmt: skip
#: Where tools are offered: `functions` is the older form.
TOOLS = ("tools", "functions")


def unknown(body: Body, *read: str) -> Iterator[str]:
    """The kind `field` for each field that holds text and is neither read nor a parameter: the model may see it."""
    for name in body.keys() - PARAMETERS - set(read):
        if _has_text(body[name]):
            yield "field"


def tools_of(body: Body) -> tuple[Body, ...]:
    """The tools that a request offers to the model."""
    return tuple(tool for field in TOOLS for tool in _list(body, field) if isinstance(tool, dict))


def with_tools(body: Body, before: Turn, after: Turn) -> Body:
    """The body with the tools of `after`; the same object where they are those of `before`."""
    if after.tools == before.tools:
        return body
    new = iter(after.tools)
    offered = {
        field: [next(new) if isinstance(tool, dict) else tool for tool in _list(body, field)]
        for field in TOOLS
        if _list(body, field)
    }
    return {**body, **offered}


def _list(body: Body, field: str) -> list[Any]:
    value = body.get(field)
    return value if isinstance(value, list) else []


def _has_text(value: Any) -> bool:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str) and one:
            return True
        if isinstance(one, (dict, list)):
            waiting += one.values() if isinstance(one, dict) else one
    return False
