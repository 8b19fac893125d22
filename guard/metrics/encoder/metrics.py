"""The built-in metrics that are numbers of the encoder."""

from __future__ import annotations

from guard.metrics.encoder.number import number
from guard.metrics.metric import Metric


def prompt_injection() -> Metric:
    """How much a text reads like an attempt to override, hijack or trick the model; the labels name the kinds of it."""
    return number("prompt_injection", "a text that tries to override, hijack or trick the model", across=True)


def toxicity() -> Metric:
    """How much a text attacks, threatens or degrades; the labels name the kinds of it."""
    return number("toxicity", "insults, threats, hate and other abuse")


def sexism() -> Metric:
    """How much a text degrades people for their sex."""
    return number("sexism", "contempt or prejudice for people's sex")


def harmful_request() -> Metric:
    """How much a text asks for help to do harm; asking plainly is no injection."""
    return number("harmful_request", "a text that asks for help to do harm", across=True)
