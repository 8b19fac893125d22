"""The sentence that a person reads about a decision."""

from __future__ import annotations

import pytest

from guard.metrics import Failure, Measurement, Probe, Score
from guard.stages import Stage, decide, explain

RULES = {
    "toxicity": {"metric": "toxicity", "operator": "gte", "target_value": 0.7},
    "pii": {"metric": "pii", "operator": "any", "target_value": ["ssn", "email"]},
    "language": {"metric": "language", "operator": "neq", "target_value": "en"},
}
ACTIONS = {
    "override": {"type": "override", "choices": ["no"]},
    "redact": {"type": "redact"},
    "passthrough": {"type": "passthrough"},
}


def said(*rulesets: str, scores: dict[str, Measurement] | None = None, **fields: object) -> str:
    """`rulesets` are written "metric+metric action mode"."""
    written = []
    for text in rulesets:
        rules, action, *mode = text.split()
        written.append({"name": text, "rules": [RULES[rule] for rule in rules.split("+")], "action": ACTIONS[action],
                        "mode": (mode or ["enforce"])[0]})  # fmt: skip
    stage = Stage.model_validate({"name": "input", "kind": "input", "rulesets": written, **fields})
    return explain(decide(stage, {Probe(name, "input"): score for name, score in (scores or {}).items()}))


def test_an_override_names_its_ruleset_and_the_scores_that_made_it() -> None:
    assert said("toxicity override", scores={"toxicity": Score(0.931, reason="insult")}) == (
        "Stage input answered with an override by ruleset 'toxicity override': toxicity gte 0.7 (was 0.931, insult)."
    )


def test_a_redaction_names_every_ruleset_that_redacts() -> None:
    scores: dict[str, Measurement] = {"pii": Score(("ssn",)), "language": Score("fr")}
    assert said("pii redact", "pii+language redact", scores=scores) == (
        "Stage input redacted the text by rulesets 'pii redact': pii any [ssn, email] (found ssn); "
        "'pii+language redact': pii any [ssn, email] (found ssn) and language neq en (was fr)."
    )


def test_a_passthrough_says_that_the_text_was_passed_through() -> None:
    assert "triggered and passed the text through" in said("toxicity passthrough", scores={"toxicity": Score(1.0)})


@pytest.mark.parametrize(
    ("failure", "words"), [(Failure("no key"), "(failed: no key)"), (Failure("slow", timed_out=True), "(late: slow)")]
)
def test_a_block_on_failure_says_what_could_not_be_checked(failure: Failure, words: str) -> None:
    text = said("toxicity override", scores={"toxicity": failure})
    assert text == (
        f"Stage input blocked because ruleset 'toxicity override' could not be checked: toxicity gte 0.7 {words}."
    )


def test_what_was_not_measured_is_named() -> None:
    assert "toxicity gte 0.7 (was not measured)" in said("toxicity override")


def test_a_pass_says_so() -> None:
    assert said("toxicity override", scores={"toxicity": Score(0.1)}) == "Stage input passed: no ruleset triggered."


def test_a_pass_names_what_was_only_observed_and_what_failed_all_the_same() -> None:
    text = said(
        "toxicity override observe", "pii redact", "language override observe",
        scores={"toxicity": Score(1.0), "pii": Failure("broken"), "language": Failure("broken")}, on_failure="allow",
    )  # fmt: skip
    assert text == (
        "Stage input passed: triggered, but only observed: toxicity override observe"
        "; could not be checked, and on_failure is allow: pii redact"
        "; could not be checked, only observed: language override observe."
    )


def test_paused_and_empty_stages_say_that_nothing_was_checked() -> None:
    assert said("toxicity override", paused=True) == "Stage input is paused, so nothing was checked."
    assert said() == "Stage input has no rulesets, so nothing was checked."
