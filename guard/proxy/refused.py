"""Turns that were refused before: neither held against the conversation again, nor shown to the model.

An app keeps what its user said, and the policy's reply to it, and sends both along with the next question. Measured
again, the old attack would block every further turn. Left unmeasured but passed on, anyone could smuggle text past
Guard by writing a reply behind it. So such a turn is taken out: the model was never to see it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from guard.metrics.turn import TRUSTED_ROLES, read_message, side_of


def without_refused(messages: list[dict[str, Any]], replies: Collection[str]) -> list[dict[str, Any]]:
    """The messages without the turns that end with one of `replies`; the same list where there are none.

    A turn begins with what a user says and goes on to the assistant's reply; what the app itself says in it stays.
    """
    kept: list[dict[str, Any]] = []
    start: int | None = None
    for number, message in enumerate(messages):
        if side_of(message["role"]) == "input" and (not number or side_of(messages[number - 1]["role"]) != "input"):
            start = len(kept)
        kept.append(message)
        if start is not None and message["role"] == "assistant" and "\n".join(read_message(message).parts) in replies:
            kept[start:] = [one for one in kept[start:] if one["role"] in TRUSTED_ROLES]
            start = None
    # With nothing left to ask, the conversation is measured as it is.
    asks = any(side_of(message["role"]) == "input" for message in kept)
    return kept if asks and len(kept) < len(messages) else messages
