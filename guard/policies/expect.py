"""What a case expects, held against what came."""

from __future__ import annotations

from typing import Protocol

from guard.policies.case import Case
from guard.stages import Decision, Override, Status, explain
from guard.stages.decision import UNRESOLVED


class Outcome(Protocol):
    """What a check came to: guard.guard.Verdict."""

    @property
    def decision(self) -> Decision: ...  # noqa: D102
    @property
    def reply(self) -> str | None: ...  # noqa: D102
    @property
    def text(self) -> str: ...  # noqa: D102


def compare(case: Case, outcome: Outcome, text: str) -> list[str]:
    """Each expectation of a case that does not hold, with what came instead; `text` is what was checked."""
    decision, why = outcome.decision, explain(outcome.decision)
    wrong = [_not_triggered(name, decision) for name in case.triggers]
    if case.passes:
        others = [ruleset.name for ruleset in decision.triggered if ruleset.name not in case.triggers]
        if outcome.text != text or decision.status in UNRESOLVED:
            wrong.append(f"expected it to pass unchanged. {why}")
        elif others:
            wrong.append(f"expected nothing to trigger; '{others[0]}' did. {why}")
    if case.status and decision.status != case.status:
        wrong.append(f"expected status {case.status}, got {decision.status}. {why}")
    if case.becomes is not None and outcome.text != case.becomes:
        wrong.append(f"expected it to become {case.becomes!r}; it became {outcome.text!r}. {why}")
    if case.answers_one_of:
        possible = decision.action.choices if isinstance(decision.action, Override) else [outcome.reply]
        other = [answer for answer in possible if answer not in case.answers_one_of]
        if other:
            expected = "an answer" if other[0] is None else f"another answer than {other[0]!r}"
            wrong.append(f"expected {expected}. {why}")
    return [text for text in wrong if text]


def _not_triggered(name: str, decision: Decision) -> str:
    """What is wrong where a ruleset should have triggered, and acted unless it is only observed."""
    outcome = next((outcome for outcome in decision.outcomes if outcome.ruleset.name == name), None)
    acting = {decision.ruleset.name} if decision.ruleset else set()
    acting |= {redaction.ruleset.name for redaction in decision.redactions}
    if outcome and outcome.status == Status.TRIGGERED and (outcome.ruleset.mode == "observe" or name in acting):
        return ""
    if decision.ruleset and decision.ruleset.name != name:
        return f"expected '{name}' to trigger and decide; '{decision.ruleset.name}' did. {explain(decision)}"
    return f"expected '{name}' to trigger. {explain(decision)}"


def came_to(outcome: Outcome) -> str:
    """What became of a text, in a few words."""
    decision = outcome.decision
    if decision.status in (Status.SKIPPED, Status.PAUSED):
        return "not checked"
    name = f"'{decision.ruleset.name}'" if decision.ruleset else ""
    if decision.blocked:
        return f"answered by {name}" if decision.status == Status.TRIGGERED else f"refused: {name} could not be checked"
    if decision.redactions:
        names = ", ".join(f"'{redaction.ruleset.name}'" for redaction in decision.redactions)
        return f"redacted by {names}" if outcome.reply is None else f"refused: what {names} found has no place"
    observed = ", ".join(f"'{ruleset.name}'" for ruleset in decision.triggered if ruleset.mode == "observe")
    passed = f"passed on by {name}" if decision.ruleset else "passed"
    return f"{passed}, observed by {observed}" if observed else passed
