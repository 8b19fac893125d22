"""What an app sends along of earlier turns: it keeps what its user saw, which is not what the model saw.

It keeps what its user said, and the policy's reply to it. Measured again, an old attack would block every further turn.
Left unmeasured but passed on, anyone could smuggle text past Guard by writing a reply behind it. So a turn that was
refused is taken out: the model was never to see it.

And it keeps answers and calls in which the user's own data was put back. So it is taken out of them once more.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from copy import deepcopy
from operator import itemgetter
from typing import Any

from guard.metrics.turn import MODEL_ROLES, TOOL_ROLES, TRUSTED_ROLES, read_message, side_of
from guard.proxy.wire.leaves import arguments, texts
from guard.stages.placeholders import Placeholders


def without_refused(
    messages: list[dict[str, Any]],
    replies: Collection[str],
    *,
    role: Callable[[dict[str, Any]], str] = itemgetter("role"),
) -> list[dict[str, Any]]:
    """The messages without the turns that end with one of `replies`; the same list where there are none.

    A turn begins with what a user says and goes on to the assistant's reply; what the app itself says in it stays.
    `role` says who speaks in a message, where its own role does not.
    """
    kept: list[dict[str, Any]] = []
    start: int | None = None
    for number, message in enumerate(messages):
        if side_of(role(message)) == "input" and (not number or side_of(role(messages[number - 1])) != "input"):
            start = len(kept)
        kept.append(message)
        if start is not None and message["role"] == "assistant" and "\n".join(read_message(message).parts) in replies:
            kept[start:] = [one for one in kept[start:] if one["role"] in TRUSTED_ROLES]
            start = None
    # With nothing left to ask, the conversation is measured as it is.
    asks = any(side_of(role(message)) == "input" for message in kept)
    return kept if asks and len(kept) < len(messages) else messages


def without_restored(messages: list[dict[str, Any]], placeholders: Placeholders) -> list[dict[str, Any]]:
    """The messages with what was redacted of the user's taken out of the model's and the tools' too.

    Only what is put back can have come there. The same list where there is none.
    """
    if not placeholders.restorable:
        return messages
    return [_hidden(one, placeholders) if one["role"] in MODEL_ROLES | TOOL_ROLES else one for one in messages]


def _hidden(message: dict[str, Any], placeholders: Placeholders) -> dict[str, Any]:
    message = deepcopy(message)
    for _, holder, key in list(texts(message)):
        holder[key] = placeholders.hide(holder[key])
    for _, holder, key in arguments(message):
        if isinstance(holder.get(key), str):
            holder[key] = placeholders.hide(holder[key], in_json=True)
    return message
