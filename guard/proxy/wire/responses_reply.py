"""What Guard says in the model's place, in a shape that clients show like any other answer.

A response that ends `incomplete` makes some clients raise instead of showing what it says (docs/decisions/0011). So an
override is `completed`, and its `incomplete_details` tell what it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from time import time
from uuid import uuid4

import orjson

from guard.proxy.wire.leaves import Body

#: Begins the id of a response that the provider does not know. After a `-` comes the one before it, if any; between
#: a `.` and that, the calls of that one whose outputs were refused with this turn.
OURS = "resp_guard_"
#: What the model is told of those: a provider goes on with no response that has calls without an output.
WITHHELD = "This was withheld."
_WITHHELD: dict[str, Body] = {
    "function_call_output": {"output": WITHHELD},
    "custom_tool_call_output": {"output": WITHHELD},
    "apply_patch_call_output": {"status": "failed", "output": WITHHELD},
    "shell_call_output": {"output": [{"stdout": "", "stderr": WITHHELD, "outcome": {"type": "exit", "exit_code": 1}}]},
}
#: What a response tells of its request.
ECHOED = (
    "instructions", "max_output_tokens", "max_tool_calls", "metadata", "parallel_tool_calls", "previous_response_id",
    "prompt_cache_key", "reasoning", "safety_identifier", "service_tier", "store", "temperature", "text",
    "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
)  # fmt: skip
#: What is kept of the answer that the model gave: nothing of what it says.
KEPT = ("id", "created_at", "model", "usage")


def override(body: Body, text: str, answer: Body) -> Body:
    """A whole response that says `text` instead of the model's `answer`, which is empty where it gave none."""
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    usage |= {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    return {
        "id": own_id(body),
        "object": "response",
        "created_at": int(time()),
        "model": body["model"],
        "usage": usage,
        "metadata": {},
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **{key: body[key] for key in ECHOED if body.get(key) is not None},
        **{key: answer[key] for key in KEPT if key in answer},
        "status": "completed",
        "error": None,
        "incomplete_details": {"reason": "content_filter"},
        "output": [message(body, text)],
    }


def message(body: Body, text: str) -> Body:
    """A message that says `text`; to who asked for JSON it is a refusal, which no client tries to parse."""
    if wants_json(body):
        part = {"type": "refusal", "refusal": text}
    else:
        part = {"type": "output_text", "text": text, "annotations": [], "logprobs": []}
    own = f"msg_guard_{uuid4().hex[:24]}"
    return {"id": own, "type": "message", "role": "assistant", "status": "completed", "content": [part]}


def wants_json(body: Body) -> bool:
    """Whether the app is going to parse what it gets."""
    asked = (body.get("text") or {}).get("format")
    return isinstance(asked, dict) and asked.get("type") != "text"


def own_id(body: Body) -> str:
    """The id of a response that the provider did not give, or does not keep."""
    previous = body.get("previous_response_id")
    if not previous:
        return f"{OURS}{uuid4().hex[:24]}"
    given = body["input"] if isinstance(body.get("input"), list) else ()
    outputs = [one for one in given if one.get("type") in _WITHHELD and isinstance(one.get("call_id"), str)]
    calls = [[one["type"], one["call_id"]] for one in outputs]
    # A `-` ends it, so it is written without one.
    withheld = "." + orjson.dumps(calls).hex() if calls else ""
    return f"{OURS}{uuid4().hex[:24]}{withheld}-{previous}"


def continued(body: Body) -> Body:
    """The body, where it continues a response of Guard's, with the one before that: the refused turn has left.

    Calls of that one whose outputs left with the turn get an output that says so. The same object where it continues
    none.
    """
    previous = body.get("previous_response_id")
    if not previous or not previous.startswith(OURS):
        return body
    own, _, before = previous.partition("-")
    rest = {key: value for key, value in body.items() if key != "previous_response_id"}
    if not before:
        return rest
    given = body.get("input") or []
    items = [{"type": "message", "role": "user", "content": given}] if isinstance(given, str) else given
    answered = {one.get("call_id") for one in items}
    withheld = [
        {"type": kind, "call_id": call, **_WITHHELD[kind]} for kind, call in _calls(own) if call not in answered
    ]
    return {**rest, "previous_response_id": before, **({"input": [*withheld, *items]} if withheld else {})}


def _calls(own: str) -> Iterator[tuple[str, str]]:
    """The calls that an id of ours names, with the kinds of their outputs. Whoever made one up names none."""
    try:
        calls = orjson.loads(bytes.fromhex(own.partition(".")[2]))
    except ValueError:
        return
    for pair in calls if isinstance(calls, list) else ():
        match pair:
            case [str(kind), str(call)] if kind in _WITHHELD:
                yield kind, call
