"""Firewall instances as RIME's clients are shown them."""

from __future__ import annotations

from typing import Any

from pydantic.alias_generators import to_camel

from guard.central.compat.rime.config import PREFIX, Config, Injection, Languages, Pii, Tokens, Toxicity, Urls
from guard.central.compat.rime.instances import Instance
from guard.central.compat.rime.rules import DEFAULT


def shown(instance: Instance) -> dict[str, Any]:
    """To 2.10, with the configuration as it was given."""
    return {
        "firewallInstanceId": {"uuid": instance.row.id},
        "config": _camel(instance.given),
        "deploymentStatus": _status(instance),
        "description": instance.description,
    }


def shown_later(instance: Instance) -> dict[str, Any]:
    """To 2.13, which takes the name for the id."""
    return {
        "firewallInstanceName": instance.row.id,
        "deploymentStatus": _status(instance),
        "description": instance.description,
    }


def effective(config: Config) -> dict[str, Any]:
    """What is really asked, with all that was left out filled in."""
    told: dict[str, Any] = {}
    for place in config.places:
        rule, side = place
        given = config.told(place)
        match rule:
            case "TOXICITY":
                sensitivity = _sensitivity(given or Toxicity())
                told[f"toxicityRuleConfig{side.title()}"] = {"toxicityRuleSensitivity": sensitivity}
            case "PROMPT_INJECTION" | "INDIRECT_PROMPT_INJECTION":
                told["promptInjection"] = {"promptInjectionRuleSensitivity": _sensitivity(given or Injection())}
            case "PII_DETECTION":
                told[f"piiDetection{side.title()}"] = _pii(given or Pii())
            case _ if isinstance(given, Urls):
                told["unknownExternalSource"] = given.model_dump(by_alias=True)
            case _ if isinstance(given, Languages):
                codes = [f"LANGUAGE_{code}" for code in given.whitelisted_languages]
                told["languageDetection"] = {"whitelistedLanguages": codes}
            case _ if isinstance(given, Tokens):
                tokens = {"firewallTokenizer": "FIREWALL_TOKENIZER_CL100K_BASE", "maxTokens": str(given.max_tokens)}
                told[f"tokenCounter{side.title()}"] = tokens
    rules = dict.fromkeys(PREFIX + rule for rule, _ in config.places)
    return {"language": config.language, "selectedRules": list(rules), "individualRulesConfig": told}


def _sensitivity(told: Toxicity | Injection) -> str:
    return f"RULE_SENSITIVITY_{DEFAULT if told.sensitivity == 'UNSPECIFIED' else told.sensitivity}"


def _pii(told: Pii) -> dict[str, Any]:
    custom = [{"name": one.name, "patterns": one.patterns} for one in told.custom_entities]
    return {"entityTypes": [f"PII_ENTITY_TYPE_{name}" for name in told.entities], "customEntities": custom}


def _status(instance: Instance) -> str:
    return f"FIREWALL_INSTANCE_STATUS_{'UNRESPONSIVE' if instance.row.paused else 'READY'}"


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {to_camel(key): _camel(one) for key, one in value.items()}
    return [_camel(one) for one in value] if isinstance(value, list) else value
