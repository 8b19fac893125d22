"""What a policy does, in sentences for people who do not read YAML."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from guard.metrics import Metric, Side
from guard.policies.loaded import LoadedPolicy
from guard.policies.scope import AppliesTo
from guard.stages import Action, Override, Redact, Rule, Ruleset, Stage

SIDE: dict[Side, str] = {
    "input": "the input",
    "output": "the output",
    "tool_call": "the tool call",
    "tool_result": "the tool result",
    "retrieval": "the retrieved text",
}
COMPARES = {
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "eq": "is",
    "neq": "is not",
}
STREAM = {
    "window": "",
    "whole": "a streamed answer is held back until its end",
    "observe": "a streamed answer goes out unread, and what is then found in it is only recorded",
}
MASKS = {
    "label": "a placeholder",
    "fake": "a made-up value of the same form",
    "hash": "its label and a hash",
    "last4": "stars and its last four characters",
    "stars": "as many stars",
}


def rule(written: Rule, stage: Stage, metrics: Mapping[str, Metric]) -> str:
    """`prompt_injection of the input is at least 0.9`."""
    chosen = f" ({written.only})" if written.only else ""
    subject = f"{written.metric} of {SIDE[written.of or stage.kind]}{chosen}"
    target, operator = written.target_value, written.operator
    if operator in COMPARES:
        return f"{subject} {COMPARES[operator]} {target}"
    if operator == "empty":
        return f"{subject} finds nothing"
    if operator == "not_empty":
        return f"{subject} finds anything"
    labels = [str(label) for label in target] if isinstance(target, list) else [str(target)]
    verb = "is" if metrics[written.metric].kind == "label" else "finds"
    return f"{subject} {verb} {listed(labels, 'and' if operator == 'all' else 'or')}"


def action(written: Action, label: str = "") -> str:
    """What happens, as the end of a sentence. `label` is an example of what a redaction finds."""
    if isinstance(written, Override):
        count = len(written.choices)
        text = (
            f"one of {count} fixed answers is given instead" if count > 1 else f"the answer is “{written.choices[0]}”"
        )
    elif isinstance(written, Redact):
        what = listed(written.labels, "and") + " in it" if written.labels else "what was found"
        example = (written.labels[0] if written.labels else label).upper()
        such = f" such as [{example}_1]" if example and written.mask == "label" else ""
        text = f"{what} is replaced by {MASKS[written.mask]}{such}"
        text += ", and put back where the answer repeats it" if written.restore else ""
    else:
        text = "the text goes on as it is, and the app is told"
    return f"{text}; tells {told(written)}" if written.subscriptions else text


def told(written: Action) -> str:
    """Whom an action tells, and when."""
    return " and ".join(f"{hook.url} when {listed(hook.statuses, 'or')}" for hook in written.subscriptions)


def ruleset(written: Ruleset, stage: Stage, metrics: Mapping[str, Metric]) -> str:
    """One sentence: when which rules hold, what follows."""
    when = " and ".join(rule(one, stage, metrics) for one in written.rules)
    follows = action(written.action, _example(written, stage, metrics))
    if written.mode == "observe":
        return f"When {when}, it is recorded and nothing else happens (if enforced: {follows})."
    return f"When {when}, {follows}."


def _example(written: Ruleset, stage: Stage, metrics: Mapping[str, Metric]) -> str:
    """A label that a ruleset's rules may find on the stage's own side; empty where none is known."""
    for one in written.rules:
        if (one.of or stage.kind) == stage.kind:
            asked = one.target_value if isinstance(one.target_value, list) else [one.target_value]
            known = [label for label in asked if isinstance(label, str)] or sorted(metrics[one.metric].labels or ())
            if known:
                return known[0]
    return ""


def stage(written: Stage) -> str:
    """What holds for all rulesets of a stage."""
    if written.paused:
        return f"{SIDE[written.kind].capitalize()} is not checked: the stage is paused."
    if not written.rulesets:
        return f"{SIDE[written.kind].capitalize()} is not checked: the stage has no rulesets."
    late = f"what cannot be checked within {seconds(written.timeout)}"
    failing = f"{late} is refused" if written.on_failure == "block" else f"{late} goes on unchecked"
    rest = "".join(f"; {said}" for said in (STREAM[written.stream], _check(written)) if said)
    return f"{SIDE[written.kind].capitalize()} is checked: the first ruleset that triggers acts; {failing}{rest}."


def _check(written: Stage) -> str:
    if written.check == "before":
        return ""
    if not written.alongside:
        return "the provider is asked after it all the same, since something may be redacted first"
    return "the provider is asked meanwhile, and nothing of its answer is released before"


def scope(applies_to: AppliesTo) -> str:
    """Which turns a policy applies to."""
    narrowed = [(name, patterns) for name, patterns in applies_to if patterns != ("*",)]
    if not narrowed:
        return "every app, model and route"
    return " with ".join(f"{name} {listed(patterns, 'or')}" for name, patterns in narrowed)


def policy(loaded: LoadedPolicy) -> Iterator[str]:
    """What holds for a whole policy, a sentence each."""
    written = loaded.policy
    if written.description:
        yield " ".join(written.description.split())
    yield f"It applies to {scope(written.applies_to)}."
    if written.extends:
        without = f", without {listed(written.without, 'and')}" if written.without else ""
        yield f"It builds on {written.extends}{without}."
    if written.floors:
        yield f"Policies built on it cannot take away {listed(written.floors, 'and')}."
    if written.metrics:
        kinds = [f"{name} ({declared['kind']})" for name, declared in written.metrics.items()]
        yield f"It has metrics of its own: {listed(kinds, 'and')}."


def listed(words: Sequence[str], last: str) -> str:
    """`a, b or c`."""
    return f"{', '.join(words[:-1])} {last} {words[-1]}" if len(words) > 1 else "".join(words)


def seconds(duration: float) -> str:
    """`300 ms` or `2 s`."""
    return f"{duration * 1000:g} ms" if duration < 1 else f"{duration:g} s"
