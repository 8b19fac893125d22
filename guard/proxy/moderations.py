"""`POST /v1/moderations`: OpenAI's shape, answered by the local metrics."""

from __future__ import annotations

from functools import partial
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from guard.errors import BadRequest, GuardError, Overloaded
from guard.metrics import Failure, Probe, Score, Turn
from guard.metrics.measure import measure
from guard.metrics.registry import REGISTRY
from guard.proxy.body import Json, json_of
from guard.proxy.proxy import caller_of, proxy_of, unless_hung_up
from guard.proxy.wire.openai import labels

MODEL = "guard-moderation"
MAX_INPUTS = 128
#: At and above this a text is flagged: the scores are calibrated so that it means even odds.
FLAGGED = 0.5
SECONDS = 5.0

#: OpenAI's categories, and the label of `toxicity` that each stands for; None: no local metric knows it.
CATEGORIES: dict[str, str | None] = {
    "harassment": "insult",
    "harassment/threatening": "threat",
    "hate": "identity_hate",
    "hate/threatening": None,
    "illicit": None,
    "illicit/violent": None,
    "self-harm": "self_harm",
    "self-harm/instructions": None,
    "self-harm/intent": None,
    "sexual": "sexual",
    "sexual/minors": None,
    "violence": "violence",
    "violence/graphic": None,
}


class NotMeasured(GuardError):
    """A local metric failed, so nothing can be said of the text."""


async def moderations(request: Request) -> Response:
    """One result for each text. A text that could not be measured is an error, never "not flagged"."""
    proxy = proxy_of(request)
    body = json_of(request)
    texts = _texts(body)
    answer = partial(_judged, request, texts, proxy.settings.measure_queue)
    return await proxy.limits.around(caller_of(request), labels(body), lambda _: answer())


async def _judged(request: Request, texts: list[str], line: int) -> Response:
    results = [await unless_hung_up(request, _result(text, line)) for text in texts]
    return Json({"id": f"modr-{uuid4().hex[:24]}", "model": MODEL, "results": results})


def _texts(body: dict[str, Any]) -> list[str]:
    """The texts to judge: a string, an array of strings, or an array of parts, whose texts are one input together."""
    given = body.get("input")
    if isinstance(given, str):
        return [given]
    if not isinstance(given, list) or not given:
        raise BadRequest("'input' must be a string or an array of strings or parts", param="input")
    if len(given) > MAX_INPUTS:
        raise BadRequest(
            f"{len(given)} inputs are more than {MAX_INPUTS}; send them in several requests", param="input"
        )
    if all(isinstance(text, str) for text in given):
        return given
    if not all(
        isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str) for part in given
    ):
        raise BadRequest("'input' may hold strings, or parts of type text; images are not read", param="input")
    return ["\n".join(part["text"] for part in given)]


async def _result(text: str, line: int) -> dict[str, Any]:
    """One text's result. Categories that no local metric knows are null."""
    probe = Probe("toxicity", "input")
    measured = (await measure([probe], Turn.of(text), REGISTRY, timeout=SECONDS, line=line))[probe]
    if isinstance(measured, Failure):
        if measured.unstarted:
            raise Overloaded("more is to be measured than can be in time; try again", over="measurements")
        raise NotMeasured(f"the text could not be judged: {measured.error}")
    labels = set(measured.labels or ())
    scores = {category: _score(measured, label) for category, label in CATEGORIES.items()}
    return {
        "flagged": float(measured.value) >= FLAGGED,  # type: ignore[arg-type] - toxicity is a number
        "categories": {category: None if label is None else label in labels for category, label in CATEGORIES.items()},
        "category_scores": scores,
        "category_applied_input_types": {category: ["text"] if label else [] for category, label in CATEGORIES.items()},
    }


def _score(measured: Score, label: str | None) -> float | None:
    return measured.by_label.get(label) if label else None
