"""One policy built on another: what is added, what may be taken away, and what may not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any

from guard.errors import nearest
from guard.policies.plain import Place
from guard.policies.policy import Policy
from guard.stages import Override, Ruleset, Stage
from guard.stages.stage import MOST_LOOKBACK

#: Settings of a stage that can hollow out a floor in it: their values from the firmest on, and what each does.
HOLLOW: dict[str, dict[object, str]] = {
    "paused": {False: "", True: "pausing it"},
    "on_failure": {"block": "", "allow": "letting failed checks pass"},
    "stream": {
        "whole": "",
        "window": "releasing a streamed answer before all of it is read",
        "observe": "releasing a streamed answer unread",
    },
    "lookback": dict.fromkeys(range(MOST_LOOKBACK, -1, -1), "reading messages together with fewer of the earlier ones"),
    "check": {"before": "", "alongside": "asking the provider before the check is over"},
}


def extend(base: Policy, child: Policy) -> Policy:
    """The child with all of the base that it does not replace or take away. Call `violations` first.

    A ruleset of the same name replaces the base's. In each stage the base's rulesets down to its last floor come
    first, so that nothing of the child's pre-empts a floor, then the child's, then the rest of the base's. Overrides at
    the top of the child's list come before the base's redactions: what is not passed on needs no redaction, and what
    was redacted would otherwise be passed on.
    """
    stages = {name: _stage(base, child, name) for name in {**base.stages, **child.stages}}
    return child.model_copy(
        update={
            "stages": stages,
            "metrics": {**base.metrics, **child.metrics},
            "floors": tuple(dict.fromkeys((*base.floors, *child.floors))),
        }
    )


def violations(base: Policy, child: Policy) -> Iterator[tuple[Place, str]]:
    """What the child may not do to the base: (path in the child's file, what is wrong and the fix)."""
    for number, name in enumerate(child.without):
        if name not in base.ruleset_names:
            yield ("without", number), f"no ruleset '{name}' in {base.policy}; {nearest(name, base.ruleset_names)}"
        elif name in base.floors:
            yield ("without", number), f"'{name}' is a floor of {base.policy} and cannot be taken away"
    for stage in child.stages.values():
        yield from ((("stages", stage.name, *path), text) for path, text in _in_stage(base, stage))
    for name in child.metrics:
        if name in base.metrics:
            yield ("metrics", name), f"{base.policy} has a metric '{name}' already; give yours another name"


def _in_stage(base: Policy, stage: Stage) -> Iterator[tuple[Place, str]]:
    # Two stages of one kind would leave one of them, and its floors, without effect.
    below = next((one for one in base.stages.values() if one.kind == stage.kind), None)
    if below is None:
        if stage.name in base.stages:
            yield (), f"'{stage.name}' is a stage of another kind in {base.policy}; give yours another name"
        return
    if below.name != stage.name:
        yield (), f"{base.policy} calls its {stage.kind} stage '{below.name}'; call it that here too"
    floors = [ruleset.name for ruleset in below.rulesets if ruleset.name in base.floors]
    for number, ruleset in enumerate(stage.rulesets):
        if ruleset.name in floors:
            fix = "give yours another name; both then apply"
            yield ("rulesets", number, "name"), f"'{ruleset.name}' is a floor of {base.policy}; {fix}"
    for field, values in HOLLOW.items():
        value, firm = getattr(stage, field), list(values)
        if floors and field in stage.model_fields_set and firm.index(value) > firm.index(getattr(below, field)):
            yield (field,), f"{values[value]} would hollow out the floor '{floors[0]}' of {base.policy}; remove it"


def _stage(base: Policy, child: Policy, name: str) -> Stage:
    below: Stage | None = base.stages.get(name)
    above: Stage | None = child.stages.get(name)
    if below is None:
        assert above is not None
        return above
    own = above.rulesets if above else ()
    written = {field: getattr(above, field) for field in above.model_fields_set} if above else {}
    gone = {ruleset.name for ruleset in own} | set(child.without)
    kept = [ruleset for ruleset in below.rulesets if ruleset.name not in gone]
    return _with(below, written, _ordered(kept, own, base.floors))


def _ordered(kept: Sequence[Ruleset], own: Sequence[Ruleset], floors: Sequence[str]) -> list[Ruleset]:
    end = max((place for place, ruleset in enumerate(kept, 1) if ruleset.name in floors), default=0)
    first = next((place for place, ruleset in enumerate(kept[:end]) if not _keeps_back(ruleset)), end)
    leading = list(takewhile(_keeps_back, own))
    return [*kept[:first], *leading, *kept[first:end], *own[len(leading) :], *kept[end:]]


def _keeps_back(ruleset: Ruleset) -> bool:
    """Whether no text goes on past the rulesets behind this: an override stops it, and what is observed never acts."""
    return isinstance(ruleset.action, Override) or ruleset.mode == "observe"


def _with(stage: Stage, written: Mapping[str, Any], rulesets: list[Ruleset]) -> Stage:
    # A new model rather than a copy: a copy would carry the old one's compiled rules along.
    fields = {field: getattr(stage, field) for field in stage.model_fields_set}
    if "reads" in written:
        # Added to the base's: who reads less than a floor was written for would hollow it out.
        written = {**written, "reads": tuple(dict.fromkeys((*stage.reads, *written["reads"])))}
    return Stage.model_validate({**fields, **written, "rulesets": tuple(rulesets)})
