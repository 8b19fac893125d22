"""RIME's rules as rulesets of Guard's: what each measures, and from where on it flags."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import cast

from pydantic import ValidationError

from guard.central.compat.rime.config import Config, Injection, Languages, Pii, Place, Tokens, Toxicity, Urls
from guard.central.compat.rime.entities import ENTITIES
from guard.errors import Invalid, MetricError
from guard.metrics import Metric, Side
from guard.metrics.metric import Maker
from guard.metrics.regex import Regex
from guard.metrics.urls import Urls as Hosts
from guard.stages import Redact, Rule, Ruleset

#: A sensitivity is a threshold: from this score on, something is flagged. docs/metrics/model.md says what each finds.
THRESHOLDS = {"VERY_LOW": 0.97, "LOW": 0.93, "MEDIUM": 0.85, "HIGH": 0.5, "VERY_HIGH": 0.33}
#: What counts where a client says nothing.
DEFAULT = "MEDIUM"
#: Below this an answer says what its contexts do not.
ADHERES = 0.5


@dataclass(frozen=True, slots=True)
class Check:
    """A rule of RIME's on one side: what is asked, and the metrics that only it has.

    Several checks of one rule are an OR.
    """

    rule: str
    side: Side
    asks: tuple[Rule, ...]
    own: Mapping[str, Metric] = field(default_factory=dict)
    #: The kinds of personal data that are looked for.
    entities: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What its ruleset is called."""
        return " ".join((self.rule, self.side, *self.own))

    @property
    def kind(self) -> Side:
        """The side whose stage it is in: what is said of contexts is said of the input."""
        return "output" if self.side == "output" else "input"

    @property
    def ruleset(self) -> Ruleset:
        """It only flags: what is to be done the caller decides."""
        return Ruleset(name=self.name, rules=self.asks, mode="observe")

    @property
    def redaction(self) -> Ruleset:
        """The same, but what it finds is replaced."""
        return Ruleset(name=self.name, rules=self.asks, action=Redact(type="redact"))


def checks(config: Config) -> tuple[Check, ...]:
    """What a configuration asks for. Raises Invalid for a pattern or host that cannot be used."""
    try:
        return tuple(check for place in config.places for check in _checks(place, config))
    except ValidationError as error:
        raise Invalid(error.errors()[0]["msg"].removeprefix("Value error, "), param="config") from None
    except MetricError as error:
        raise Invalid(str(error), param="config") from None


def toxicity(rule: str, side: Side, sensitivity: str) -> Check:
    """Whether a side is toxic."""
    return Check(rule, side, (_at_least("toxicity", side, sensitivity),))


def injection(rule: str, side: Side, sensitivity: str) -> Check:
    """Whether a side holds an attack."""
    return Check(rule, side, (_at_least("prompt_injection", side, sensitivity),))


def pii(rule: str, side: Side, wanted: tuple[str, ...]) -> Check:
    """Whether a side holds personal data of the wanted kinds."""
    labels = list(dict.fromkeys(ENTITIES[name] for name in wanted))
    return Check(rule, side, (Rule(metric="pii", of=side, operator="any", target_value=labels),), entities=wanted)


def threshold(sensitivity: str) -> float:
    """From which score on a rule of this sensitivity flags."""
    return THRESHOLDS[DEFAULT if sensitivity == "UNSPECIFIED" else sensitivity]


def _at_least(metric: str, side: Side, sensitivity: str) -> Rule:
    return Rule(metric=metric, of=side, operator="gte", target_value=threshold(sensitivity))


def _checks(place: Place, config: Config) -> Iterator[Check]:
    rule, side = place
    told = config.told(place)
    match rule:
        case "TOXICITY":
            yield toxicity(rule, side, cast("Toxicity", told or Toxicity()).sensitivity)
        case "PROMPT_INJECTION" | "INDIRECT_PROMPT_INJECTION":
            yield injection(rule, side, cast("Injection", told or Injection()).sensitivity)
        case "PII_DETECTION":
            yield from _pii(rule, side, cast("Pii", told or Pii()))
        case "FACTUAL_INCONSISTENCY":
            adheres = Rule(metric="context_adherence", of=side, operator="lt", target_value=ADHERES)
            yield Check(rule, side, (adheres,))
        case "UNKNOWN_EXTERNAL_SOURCE":
            metric = _made("rime_hosts", Hosts(allow=tuple(cast("Urls", told).whitelisted_urls)))
            asks = Rule(metric=metric.name, of=side, operator="not_empty")
            yield Check(rule, side, (asks,), {metric.name: metric})
        case "LANGUAGE_DETECTION":
            # What is too short to tell passes.
            codes = [code.lower() for code in cast("Languages", told).whitelisted_languages]
            others = (
                Rule(metric="language", of=side, operator="neq", target_value=code) for code in (*codes, "unknown")
            )
            yield Check(rule, side, tuple(others))
        case "TOKEN_COUNTER":
            most = cast("Tokens", told).max_tokens
            yield Check(rule, side, (Rule(metric="token_count", of=side, operator="gt", target_value=most),))


def _pii(rule: str, side: Side, told: Pii) -> Iterator[Check]:
    if told.entities:
        yield pii(rule, side, tuple(told.entities))
    if told.custom_entities:
        patterns = {one.name: "|".join(f"(?:{pattern})" for pattern in one.patterns) for one in told.custom_entities}
        name = f"rime_entities_{side}"
        metric = _made(name, Regex(patterns=patterns))
        yield Check(rule, side, (Rule(metric=name, of=side, operator="not_empty"),), {name: metric})


def _made(name: str, what: Maker) -> Metric:
    """The same metric for what says the same, so that stages made of it can be kept."""
    return _read(name, type(what), what.model_dump_json())


@lru_cache(maxsize=1_000)
def _read(name: str, kind: type[Maker], written: str) -> Metric:
    return kind.model_validate_json(written).make(name, Path())
