"""The texts of an answer that stand around what its protocol foresees: beside a message, and spelt out in its tokens.

Providers put search results and citations beside the choices, raw answers beside the message, and errors into a stream;
and the tokens of log probabilities may say more than the texts do, such as reasoning that was left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from guard.proxy.wire.leaves import STRUCTURE, Body, Path, texts

#: Fields of an answer or chunk that hold no text of the model's or the web's, or tell the request again.
OF_ANSWER = frozenset(
    {
        "choices", "created", "id", "metadata", "model", "nonce", "obfuscation", "object", "prompt_filter_results",
        "prompt_logprobs", "prompt_token_ids", "provider", "request_id", "service_tier", "system_fingerprint", "usage",
    }
)  # fmt: skip
#: Those of a choice; its tokens are read apart.
OF_CHOICE = frozenset(
    {
        "content_filter_offsets", "content_filter_results", "delta", "finish_reason", "index", "logprobs",
        "matched_stop", "message", "native_finish_reason", "prompt_logprobs", "prompt_token_ids", "stop_reason",
        "token_ids",
    }
)  # fmt: skip


def around(node: Body, known: frozenset[str]) -> Iterator[tuple[Path, Any, str | int]]:
    """Each text below an answer's or a choice's fields that are not known: its path, and what holds it."""
    for key in node if node.keys() - known else ():
        value = node[key]
        if isinstance(value, (dict, list)) and key not in known:
            yield from texts(value, ("around", key))
        elif isinstance(value, str) and value and key not in known | STRUCTURE:
            yield ("around", key), node, key


def spelt(choice: Body) -> str:
    """What the tokens of a choice's log probabilities say, those of chats or of completions."""
    logprobs = choice.get("logprobs")
    lists = logprobs.values() if isinstance(logprobs, dict) else [logprobs]
    tokens = (token for one in lists if isinstance(one, list) for token in one)
    said = (token.get("token") if isinstance(token, dict) else token for token in tokens)
    return "".join(token for token in said if isinstance(token, str))


class Spelt:
    """Holds what a choice's tokens say; they leave where another text is put there."""

    def __init__(self, choice: Body) -> None:
        self._choice = choice

    def __getitem__(self, key: object) -> str:
        return spelt(self._choice)

    def __setitem__(self, key: object, text: str) -> None:
        if text != spelt(self._choice):
            self._choice.pop("logprobs", None)
