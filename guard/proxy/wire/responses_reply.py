"""What Guard says in the model's place, in a shape that clients show like any other answer.

A response that ends `incomplete` makes some clients raise instead of showing what it says (docs/decisions/0011). So an
override is `completed`, and its `incomplete_details` tell what it is.
"""

from __future__ import annotations

from time import time
from uuid import uuid4

from guard.proxy.wire.leaves import Body

#: Begins the id of a response that the provider does not know. After a `-` comes the one before it, if any.
OURS = "resp_guard_"
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
    return f"{OURS}{uuid4().hex[:24]}" + (f"-{previous}" if previous else "")


def continued(body: Body) -> Body:
    """The body, where it continues a response of Guard's, with the one before that: the refused turn has left.

    The same object where it continues none.
    """
    previous = body.get("previous_response_id")
    if not previous or not previous.startswith(OURS):
        return body
    _, _, before = previous.partition("-")
    rest = {key: value for key, value in body.items() if key != "previous_response_id"}
    return {**rest, "previous_response_id": before} if before else rest
