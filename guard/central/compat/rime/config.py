"""What RIME's clients configure: of a firewall instance (2.10), or for one validation (2.13)."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

from guard.central.compat.rime.entities import ENTITIES, UNMEASURED, default_entities
from guard.metrics import Side

Sensitivity: TypeAlias = Literal["UNSPECIFIED", "VERY_LOW", "LOW", "MEDIUM", "HIGH", "VERY_HIGH"]
#: A rule on a side: `TOXICITY` on `output`. The rules' names are those of 2.10 without what they all begin with.
Place: TypeAlias = tuple[str, Side]

PREFIX, PREFIX_LATER = "FIREWALL_RULE_TYPE_", "RULE_TYPE_"
#: The rules that Guard has metrics for, with the sides that they read.
RULES: dict[str, tuple[Side, ...]] = {
    "TOXICITY": ("input", "output"),
    "PII_DETECTION": ("input", "output"),
    "PROMPT_INJECTION": ("input",),
    "INDIRECT_PROMPT_INJECTION": ("retrieval",),
    "FACTUAL_INCONSISTENCY": ("output",),
    "UNKNOWN_EXTERNAL_SOURCE": ("input", "retrieval"),
    "LANGUAGE_DETECTION": ("input",),
    "TOKEN_COUNTER": ("input", "output"),
}
#: Those that say nothing before they are told what to look for; "all rules" does not mean them then.
TOLD = {"UNKNOWN_EXTERNAL_SOURCE", "LANGUAGE_DETECTION", "TOKEN_COUNTER"}
MISSING = {
    "OFF_TOPIC": "Guard has no metric yet for the rule OFF_TOPIC; leave it out",
    "CODE_DETECTION": "Guard has no metric yet for the rule CODE_DETECTION; leave it out",
}


def _short(prefix: str) -> BeforeValidator:
    return BeforeValidator(lambda given: given.removeprefix(prefix) if isinstance(given, str) else given)


def refused(why: str) -> BeforeValidator:
    """For a field that Guard can do nothing with: whoever sets it is told."""

    def check(given: Any) -> None:
        if given is not None:
            raise ValueError(why)

    return BeforeValidator(check)


class Wire(BaseModel):
    """Written in camelCase or in snake_case; what is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)


class Toxicity(Wire):
    """How soon something is toxic."""

    sensitivity: Annotated[Sensitivity, _short("RULE_SENSITIVITY_")] = "UNSPECIFIED"
    toxicity_rule_mode: Annotated[None, refused("Guard has one mode; leave it out")] = None

    @model_validator(mode="before")
    @classmethod
    def _older(cls, data: Any) -> Any:
        return _renamed(data, "toxicity_rule_sensitivity")


class Injection(Wire):
    """How soon something is an injection, and whether contexts are read for it too."""

    sensitivity: Annotated[Sensitivity, _short("RULE_SENSITIVITY_")] = "UNSPECIFIED"
    scan_contexts: bool = False

    @model_validator(mode="before")
    @classmethod
    def _older(cls, data: Any) -> Any:
        return _renamed(data, "prompt_injection_rule_sensitivity")


class CustomEntity(Wire):
    """Personal data of a kind of one's own, by patterns."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    patterns: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=100)]
    context_words: Annotated[
        list[str] | None, refused("Guard's patterns match whatever stands around them; leave it out")
    ] = None


class Pii(Wire):
    """Which kinds of personal data are flagged."""

    entity_types: list[Annotated[str, _short("PII_ENTITY_TYPE_")]] = []
    custom_entities: Annotated[list[CustomEntity], Field(max_length=100)] = []

    @field_validator("entity_types")
    @classmethod
    def _measured(cls, given: list[str]) -> list[str]:
        for name in given:
            if name in UNMEASURED:
                raise ValueError(f"Guard has no metric yet for the entity type {name}; leave it out")
            if name not in ENTITIES and name != "CUSTOM":
                raise ValueError(f"no entity type '{name}'; known: {', '.join(ENTITIES)}")
        return given

    @property
    def entities(self) -> list[str]:
        """The kinds that are flagged, those of one's own aside; where none is named, RIME's default ones."""
        named = [name for name in self.entity_types if name != "CUSTOM"]
        return named if self.entity_types else default_entities()


class Tokens(Wire):
    """How long a text may be."""

    firewall_tokenizer: Annotated[Literal["UNSPECIFIED", "CL100K_BASE"], _short("FIREWALL_TOKENIZER_")] = "UNSPECIFIED"
    max_tokens: Annotated[int, Field(gt=0)]


class Urls(Wire):
    """Which hosts may be linked to."""

    whitelisted_urls: Annotated[list[str], Field(max_length=1_000)] = []
    ignore_contexts: bool = False


class Languages(Wire):
    """Which languages may be written in."""

    whitelisted_languages: Annotated[list[Annotated[str, _short("LANGUAGE_")]], Field(min_length=1)]


class Individual(Wire):
    """What each rule is told."""

    toxicity_rule_config_input: Toxicity | None = None
    toxicity_rule_config_output: Toxicity | None = None
    pii_detection_input: Pii | None = None
    pii_detection_output: Pii | None = None
    prompt_injection: Injection | None = None
    unknown_external_source: Urls | None = None
    language_detection: Languages | None = None
    token_counter_input: Tokens | None = None
    token_counter_output: Tokens | None = None
    off_topic: Annotated[None, refused(MISSING["OFF_TOPIC"])] = None
    code_detection: Annotated[None, refused(MISSING["CODE_DETECTION"])] = None


class Config(Wire):
    """The rules, and what each is told. No `selected_rules` are all rules that Guard has, so far as they are told."""

    language: Literal["LANGUAGE_EN", "LANGUAGE_JA"] = "LANGUAGE_EN"
    selected_rules: Annotated[list[str], Field(max_length=50)] = []
    individual_rules_config: Individual = Individual()

    @model_validator(mode="before")
    @classmethod
    def _later(cls, data: Any) -> Any:
        """2.13 says `customConfig`, and calls some of its fields otherwise."""
        data = _renamed(data, "custom_config", "individual_rules_config")
        told = (
            data.get("individual_rules_config", data.get("individualRulesConfig")) if isinstance(data, dict) else None
        )
        for later, name in _LATER.items():
            told = _renamed(told, later, name)
        if told is not None:
            data = {
                **{key: data[key] for key in data if key != "individualRulesConfig"},
                "individual_rules_config": told,
            }
        return data

    @model_validator(mode="after")
    def _measured(self) -> Config:
        for place in self.places:
            if place[0] in TOLD and self.told(place) is None:
                raise ValueError(f"the rule {place[0]} needs to be told what to look for: give it a config")
        return self

    @property
    def places(self) -> tuple[Place, ...]:
        """The rules that run, on which sides."""
        if self.selected_rules:
            places = [place for name in self.selected_rules for place in _selected(name)]
        else:
            every: list[Place] = [(rule, side) for rule, sides in RULES.items() for side in sides]
            places = [place for place in every if place[0] not in TOLD or self.told(place) is not None]
        told = self.individual_rules_config
        if told.prompt_injection and told.prompt_injection.scan_contexts and ("PROMPT_INJECTION", "input") in places:
            places.append(("INDIRECT_PROMPT_INJECTION", "retrieval"))
        if told.unknown_external_source and told.unknown_external_source.ignore_contexts:
            places = [place for place in places if place != ("UNKNOWN_EXTERNAL_SOURCE", "retrieval")]
        return tuple(dict.fromkeys(places))

    def told(self, place: Place) -> Any:
        """What a rule on a side was told; None where nothing was."""
        field = _TOLD.get(place)
        return getattr(self.individual_rules_config, field) if field else None


_LATER = {
    "toxicity_input": "toxicity_rule_config_input",
    "toxicity_output": "toxicity_rule_config_output",
    "prompt_injection_input": "prompt_injection",
}
_TOLD: dict[Place, str] = {
    ("TOXICITY", "input"): "toxicity_rule_config_input",
    ("TOXICITY", "output"): "toxicity_rule_config_output",
    ("PII_DETECTION", "input"): "pii_detection_input",
    ("PII_DETECTION", "output"): "pii_detection_output",
    ("PROMPT_INJECTION", "input"): "prompt_injection",
    ("INDIRECT_PROMPT_INJECTION", "retrieval"): "prompt_injection",
    ("UNKNOWN_EXTERNAL_SOURCE", "input"): "unknown_external_source",
    ("UNKNOWN_EXTERNAL_SOURCE", "retrieval"): "unknown_external_source",
    ("LANGUAGE_DETECTION", "input"): "language_detection",
    ("TOKEN_COUNTER", "input"): "token_counter_input",
    ("TOKEN_COUNTER", "output"): "token_counter_output",
}


def _selected(name: str) -> list[Place]:
    """The places of a rule's name, in the words of either version. Raises ValueError."""
    rule = name.removeprefix(PREFIX)
    if rule == name and name.startswith(PREFIX_LATER):
        rule, _, side = name.removeprefix(PREFIX_LATER).rpartition("_")
        if rule in RULES and side.lower() in RULES[rule]:
            return [(rule, side.lower())]  # type: ignore[list-item] - it is one of the sides
    elif rule in RULES:
        return [(rule, side) for side in RULES[rule]]
    raise ValueError(MISSING.get(rule, f"no rule '{name}'; known: {', '.join(PREFIX + rule for rule in RULES)}"))


def _renamed(data: Any, name: str, new: str = "sensitivity") -> Any:
    """The same with a field under its newer name."""
    if not isinstance(data, dict):
        return data
    return {new if key in (name, to_camel(name)) else key: value for key, value in data.items()}
