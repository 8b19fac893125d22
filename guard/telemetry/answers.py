"""What a provider's answer tells of itself, whatever its protocol: tokens used, why it ended, whether it has begun."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

#: The events of streams that carry pieces of the answer, in the protocols that name their events.
_PIECES = ("content_block_delta",)


class Usage(NamedTuple):
    """Tokens as the provider counts them; None where it did not say."""

    input: int | None = None
    output: int | None = None

    def then(self, later: Usage) -> Usage:
        """What is known once more was heard: a stream's later counts stand for the earlier ones."""
        return Usage(*(old if new is None else new for old, new in zip(self, later, strict=True)))


def usage_of(body: Mapping[str, Any]) -> Usage:
    """The usage in an answer or a stream's event: its own, or that of the response or message inside it."""
    for holder in (body, body.get("response"), body.get("message")):
        if isinstance(holder, Mapping) and isinstance(holder.get("usage"), Mapping):
            usage = holder["usage"]
            return Usage(
                _count(usage.get("prompt_tokens", usage.get("input_tokens"))),
                _count(usage.get("completion_tokens", usage.get("output_tokens"))),
            )
    return Usage()


def finishes_of(body: Mapping[str, Any]) -> tuple[str, ...]:
    """Why an answer, or each of its choices, ended."""
    found = [choice.get("finish_reason") for choice in _choices(body)]
    for holder in (body, body.get("delta")):
        if isinstance(holder, Mapping):
            found.append(holder.get("stop_reason"))
    return tuple(reason for reason in found if isinstance(reason, str))


def begins(event: Mapping[str, Any]) -> bool:
    """Whether a stream's event carries a piece of the answer rather than its frame."""
    kind = event.get("type")
    if isinstance(kind, str):
        return kind.endswith(".delta") or kind in _PIECES
    for choice in _choices(event):
        delta = choice.get("delta")
        pieces = [value for key, value in delta.items() if key != "role"] if isinstance(delta, Mapping) else []
        if choice.get("text") or any(pieces):
            return True
    return False


def _choices(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    choices = body.get("choices")
    return [choice for choice in choices if isinstance(choice, Mapping)] if isinstance(choices, list) else []


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
