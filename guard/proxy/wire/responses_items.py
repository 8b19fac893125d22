"""The items of OpenAI's Responses: where their texts stand, and who wrote them.

The protocol grows a new kind of item every few months. So what is read is not a list of known fields but all that is
not known to be no text, and a kind that is not known counts as the user's in a request and as the model's in an answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from guard.errors import UpstreamError
from guard.proxy.wire import leaves
from guard.proxy.wire.leaves import Body, Path
from guard.proxy.wire.wire import Place

#: Fields that hold no text: kinds, names and ids, keys and data that only machines read.
STRUCTURE = leaves.STRUCTURE | {
    "approval_request_id", "b64_json", "call_id", "caller_id", "container_id", "detail", "file_data", "file_id",
    "fingerprint", "item_id", "obfuscation", "partial_image_b64", "phase", "server_label",
}  # fmt: skip
#: Fields below which whoever wrote the item chose the names too, so that nothing is structure there.
FREE = frozenset({"arguments", "attributes", "env"})
#: Fields below which nothing is read: the tokens of a text beside it, which leave with any change of the text.
UNREAD = frozenset({"logprobs"})
#: Fields of a response in which it tells the request again, or counts. Nothing in them is the model's.
TOLD_AGAIN = frozenset(
    {
        "background", "context_management", "conversation", "include", "incomplete_details", "instructions",
        "metadata", "model", "moderation", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "text", "tool_choice", "tools",
        "truncation", "usage", "user",
    }
)  # fmt: skip
#: A picture, a sound or a file in the place of an address.
_MEDIA = re.compile(r"data:(?:image|audio|video|application)/[A-Za-z0-9.+-]+;base64,[A-Za-z0-9+/=]*")
_ADDRESSES = ("url", "image_url", "file_url")

#: Kinds of items that the model writes, and kinds that bring what a tool said.
MODELS = frozenset(
    {
        "apply_patch_call", "code_interpreter_call", "compaction", "computer_call", "custom_tool_call",
        "file_search_call", "function_call", "image_generation_call", "local_shell_call", "mcp_approval_request",
        "mcp_call", "program", "reasoning", "shell_call", "tool_search_call", "web_search_call",
    }
)  # fmt: skip
TOOLS = frozenset(
    {
        "apply_patch_call_output", "computer_call_output", "custom_tool_call_output", "function_call_output",
        "local_shell_call_output", "mcp_list_tools", "program_output", "shell_call_output", "tool_search_output",
    }
)  # fmt: skip
#: Fields of the model's items in which the provider wrote down what a tool said.
RESULTS = frozenset({"error", "output", "outputs", "result", "results"})
#: Calls with one text that says what is wanted, and its field: JSON, or for `input` free text.
CALLS = {
    "function_call": "arguments",
    "mcp_call": "arguments",
    "mcp_approval_request": "arguments",
    "custom_tool_call": "input",
}
#: Fields that say it in the built-in tools' calls, some of them in several texts.
WANTED = frozenset({"action", "actions", "arguments", "code", "operation", "queries"})
#: Kinds that are nobody's call, whatever fields they have.
SAID = frozenset({"message", "reasoning"})


def kind_of(item: Body) -> str:
    """An item's kind. The protocol lets a message leave it out, and a reference too."""
    return item.get("type") or ("message" if "role" in item else "item_reference")


def texts(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Each text below an item, a part or an event: its path, and the object or array and the key that hold it.

    Raises UpstreamError for what is nested too deeply to be read.
    """
    if len(path) > leaves.MAX_DEPTH:
        raise UpstreamError(f"an item is nested more than {leaves.MAX_DEPTH} deep")
    if isinstance(node, (dict, list)):
        for key in node if isinstance(node, dict) else range(len(node)):
            yield from texts_at(node, key, path)


def texts_at(node: Any, key: str | int, path: Path = ()) -> Iterator[tuple[Path, Any, str | int]]:
    """Each text at or below one field of an object, or one place of an array."""
    value = node[key]
    if not isinstance(value, str):
        if key not in UNREAD:
            yield from texts(value, (*path, key))
    elif value and (key not in STRUCTURE or not FREE.isdisjoint(path)) and not _is_media(node, key, value):
        yield (*path, key), node, key


def _is_media(node: Any, key: str | int, value: str) -> bool:
    if key == "result":
        return node.get("type") == "image_generation_call"
    return key in _ADDRESSES and _MEDIA.fullmatch(value) is not None


def written(body: Body) -> Iterator[tuple[str, str, list[tuple[Any, str | int]]]]:
    """The texts of a request by who wrote them: a message's role, a tool's name, and what holds them with which key.

    The name is empty where it is no tool's result, or the request does not hold its call.
    """
    if isinstance(body.get("instructions"), str):
        yield "system", "", [(body, "instructions")]
    if variables := (body.get("prompt") or {}).get("variables"):
        yield "user", "", list(_values(variables))
    if isinstance(body.get("input"), str):
        yield "user", "", [(body, "input")]
        return
    called: dict[str, str] = {}
    for item in body.get("input") or ():
        if kind_of(item) in MODELS and isinstance(item.get("call_id"), str):
            # The nearest call before a result is its own.
            called[item["call_id"]] = named(item)
        # The model's own items may hold results too: those are read as what a tool said.
        by_role: dict[str, list[tuple[Any, str | int]]] = {}
        role = role_of(item)
        for path, holder, key in texts(item):
            result = kind_of(item) in MODELS and path[0] in RESULTS
            by_role.setdefault("tool" if result else role, []).append((holder, key))
        # What the provider's own tools gave stands in the call.
        tool = named(item) if kind_of(item) in MODELS else called.get(str(item.get("call_id")), "")
        for said_by, places in by_role.items():
            yield said_by, tool if said_by == "tool" else "", places


def named(item: Body) -> str:
    """The name of the tool that an item of the model's calls: a built-in one is called by the item's kind."""
    return str(item.get("name") or item.get("type"))


def role_of(item: Body) -> str:
    """Who wrote an item of a request, as the role of a message."""
    kind = kind_of(item)
    if kind == "message":
        return item["role"]
    if kind == "additional_tools":
        return "developer"
    return "assistant" if kind in MODELS else "tool" if kind in TOOLS else "user"


def answered(response: Body) -> Iterator[Place]:
    """The texts and calls of a response. Their `text` is their path in it. Raises UpstreamError for other shapes."""
    output = response.get("output", [])
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise UpstreamError("the provider's answer is no response: it has no output")
    for number, item in enumerate(output):
        yield from said(item, ("output", number))
    for field in response:
        if field != "output" and field not in TOLD_AGAIN:
            yield from (place(*one) for one in texts_at(response, field))


def said(item: Body, path: Path) -> Iterator[Place]:
    """The texts and calls of an item of an answer, which stands at `path`."""
    kind = str(item.get("type"))
    name = named(item)
    called = CALLS.get(kind)
    if called is not None:
        # Also without arguments: a call is one.
        yield Place((*path, called), item, called, "tool_call", name)
    for where, holder, key in texts(item, path):
        field = where[len(path)]
        if field == called:
            continue
        if field in WANTED and kind not in SAID:
            yield Place(where, holder, key, "tool_call", name)
        else:
            yield place(where, holder, key)


def place(path: Path, holder: Any, key: str | int) -> Place:
    """A text that the caller is to see. Its tokens' log probabilities stand beside it."""
    return Place(path, holder, key, owner=holder if isinstance(holder, dict) else None)


def _values(variables: Body) -> Iterator[tuple[Any, str | int]]:
    """What the variables of a stored prompt are: their names are the app's, so none of them is structure."""
    for name, value in variables.items():
        if isinstance(value, str):
            yield variables, name
        else:
            yield from ((holder, key) for _, holder, key in texts(value))
