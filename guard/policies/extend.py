"""One policy built on another: what is added, what may be taken away, and what may not."""

from __future__ import annotations

from collections.abc import Mapping

from guard.errors import nearest
from guard.policies.policy import Policy
from guard.stages import Ruleset, Stage

#: Settings of a stage that would hollow out a floor in it: the value that does so, and why.
HOLLOW = {"paused": (True, "pausing it"), "on_failure": ("allow", "letting failed checks pass")}


def extend(base: Policy, child: Policy) -> Policy:
    """The child with all of the base that it does not replace or take away.

    A ruleset of the same name replaces the base's. In each stage the base's floors come first, so that nothing of the
    child's pre-empts them, then the child's rulesets, then the rest of the base's. Call `violations` first.
    """
    stages = {name: _stage(base, child, name) for name in {**base.stages, **child.stages}}
    return child.model_copy(
        update={
            "stages": stages,
            "metrics": {**base.metrics, **child.metrics},
            "floors": tuple(dict.fromkeys((*base.floors, *child.floors))),
        }
    )


def violations(base: Policy, child: Policy) -> list[tuple[tuple[str, ...], str]]:
    """What the child may not do to the base: (path in the child's file, what is wrong and the fix)."""
    wrong: list[tuple[tuple[str, ...], str]] = []
    for name in child.without:
        if name not in base.ruleset_names:
            wrong.append((("without",), f"no ruleset '{name}' in {base.policy}; {nearest(name, base.ruleset_names)}"))
        elif name in base.floors:
            wrong.append((("without",), f"'{name}' is a floor of {base.policy} and cannot be taken away"))
    for stage in child.stages.values():
        floors = _floors(base, stage.name)
        for ruleset in stage.rulesets:
            if ruleset.name in floors:
                fix = "give yours another name; both then apply"
                path = ("stages", stage.name, "rulesets")
                wrong.append((path, f"'{ruleset.name}' is a floor of {base.policy}; {fix}"))
        for field, (value, doing) in HOLLOW.items():
            if floors and getattr(stage, field) == value != getattr(base.stages[stage.name], field):
                path = ("stages", stage.name, field)
                wrong.append((path, f"{doing} would hollow out the floor '{floors[0]}' of {base.policy}; remove it"))
    for name in child.metrics:
        if name in base.metrics:
            wrong.append((("metrics", name), f"{base.policy} has a metric '{name}' already; give yours another name"))
    return wrong


def _floors(base: Policy, stage: str) -> list[str]:
    if stage not in base.stages:
        return []
    return [ruleset.name for ruleset in base.stages[stage].rulesets if ruleset.name in base.floors]


def _stage(base: Policy, child: Policy, name: str) -> Stage:
    below: Stage | None = base.stages.get(name)
    above: Stage | None = child.stages.get(name)
    if below is None or above is None:
        kept = below or above
        assert kept is not None
        return _with(kept, {}, [ruleset for ruleset in kept.rulesets if above or ruleset.name not in child.without])
    replaced = {ruleset.name for ruleset in above.rulesets} | set(child.without)
    kept_rulesets = [ruleset for ruleset in below.rulesets if ruleset.name not in replaced]
    floors = [ruleset for ruleset in kept_rulesets if ruleset.name in base.floors]
    rest = [ruleset for ruleset in kept_rulesets if ruleset.name not in base.floors]
    written = {field: getattr(above, field) for field in above.model_fields_set}
    return _with(below, written, [*floors, *above.rulesets, *rest])


def _with(stage: Stage, written: Mapping[str, object], rulesets: list[Ruleset]) -> Stage:
    # A new model rather than a copy: a copy would carry the old one's compiled rules along.
    fields = {field: getattr(stage, field) for field in stage.model_fields_set}
    return Stage.model_validate({**fields, **written, "rulesets": tuple(rulesets)})
