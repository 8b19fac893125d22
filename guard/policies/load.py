"""From files to policies ready to work: read, extended, checked. Every error names file, line and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path

from pydantic import BaseModel, ValidationError

from guard.errors import MetricError, PolicyError
from guard.metrics.metric import Metric
from guard.metrics.registry import REGISTRY, Registry, field_names, make, maker
from guard.metrics.selector import Selector
from guard.policies.check import complaints, floor_complaints, unread
from guard.policies.document import Document, read
from guard.policies.extend import extend, violations
from guard.policies.files import find, policy_files
from guard.policies.loaded import LoadedPolicy
from guard.policies.plain import Place
from guard.policies.policy import Policy
from guard.policies.scope import AppliesTo
from guard.policies.set import PolicySet
from guard.stages import Override, Passthrough, Redact, Rule, Ruleset, Stage, Subscription

MAX_EXTENDS = 8
#: The key under which a model is written, or pydantic's name of the union member → the model.
_WRITTEN: dict[str, type[BaseModel]] = {
    "applies_to": AppliesTo, "rulesets": Ruleset, "rules": Rule, "only": Selector, "subscriptions": Subscription,
    "passthrough": Passthrough, "override": Override, "redact": Redact,
}  # fmt: skip


def load_policy(source: str | Path, *, metrics: Registry = REGISTRY) -> LoadedPolicy:
    """The policy in a file, or a built-in one (`builtin/baseline`). Raises PolicyError with every problem found."""
    file = find(source)
    return load_document(read(file), file, metrics=metrics)


def load_document(document: Document, file: Path, *, metrics: Registry = REGISTRY) -> LoadedPolicy:
    """The policy that a document holds; what it refers to is relative to `file`. Raises PolicyError."""
    policy, own = _resolve(document, file, metrics, ())
    return LoadedPolicy(policy, own, metrics.child(own), file)


def load_policies(source: str | Path, *, metrics: Registry = REGISTRY) -> PolicySet:
    """The policies in a file, or in all `*.yaml` of a folder (cases aside). Raises PolicyError with every problem."""
    folder = Path(source)
    files: Iterable[str | Path] = policy_files(folder) if folder.is_dir() else [source]
    loaded: dict[str, LoadedPolicy] = {}
    problems: list[str] = []
    for file in files:
        try:
            policy = load_policy(file, metrics=metrics)
        except PolicyError as error:
            problems.extend(error.problems)
            continue
        first = loaded.setdefault(policy.name, policy)
        if first is not policy:
            problems.append(f"{policy.file}:1: {first.file} holds a policy '{policy.name}' too; give one another name")
    if not loaded and not problems:
        problems.append(f"{source}:1: holds no policy; add one (*.yaml that begins with 'policy: NAME')")
    if problems:
        raise PolicyError(*dict.fromkeys(problems))  # a base that is broken is met once for each policy built on it
    return PolicySet(tuple(loaded.values()))


def _resolve(
    document: Document, file: Path, metrics: Registry, below: tuple[Path, ...]
) -> tuple[Policy, dict[str, Metric]]:
    """The policy with what it extends folded in, and the metrics that the policies on the way declare."""
    written = _written(document)
    policy, own = written, {}
    if written.extends is not None:
        base, own = _base(written.extends, document, file, metrics, below)
        _refuse(document, violations(base, written))
        policy = extend(base, written)
    own = {**own, **_make_metrics(written, document, file.parent, metrics)}
    wrong = [*complaints(written, metrics.child(own)), *floor_complaints(written, policy), *unread(written, policy)]
    _refuse(document, wrong)
    return policy, own


def _base(
    extends: str, document: Document, file: Path, metrics: Registry, below: tuple[Path, ...]
) -> tuple[Policy, dict[str, Metric]]:
    below = (*below, file.resolve())
    try:
        base = find(extends, file.parent)
    except PolicyError as error:
        raise PolicyError(document.problem(("extends",), f"'{extends}': {str(error).split(':1: ', 1)[-1]}")) from None
    if base.resolve() in below:
        raise PolicyError(
            document.problem(("extends",), f"'{extends}' comes back to a policy on the way; break the circle")
        )
    if len(below) > MAX_EXTENDS:
        raise PolicyError(
            document.problem(("extends",), f"builds on more than {MAX_EXTENDS} policies in a row; join some")
        )
    return _resolve(read(base), base, metrics, below)


def _refuse(document: Document, wrong: Iterable[tuple[Place, str]]) -> None:
    problems = [document.problem(path, text) for path, text in wrong]
    if problems:
        raise PolicyError(*problems)


def _written(document: Document) -> Policy:
    try:
        return Policy.model_validate(document.data)
    except ValidationError as error:
        raise document.explain(error, known=_fields) from None


def _fields(place: Place) -> Iterable[str]:
    """The fields that exist where an unknown one was written."""
    names = [step for step in place if isinstance(step, str)]
    if not names:
        return Policy.model_fields
    return _WRITTEN.get(names[-1], Stage).model_fields


def _always(fields: Iterable[str], place: Place) -> Iterable[str]:
    return fields


def _make_metrics(
    written: Policy, document: Document, folder: Path, metrics: Mapping[str, Metric]
) -> dict[str, Metric]:
    made: dict[str, Metric] = {}
    problems: list[str] = []
    for name, declared in written.metrics.items():
        path = ("metrics", name)
        if name in metrics:
            problems.append(document.problem(path, f"there is a built-in metric '{name}'; give yours another name"))
            continue
        try:
            made[name] = make(name, declared, folder)
        except MetricError as error:
            problems.append(document.problem((*path, "kind") if "kind" in str(error) else path, str(error)))
        except ValidationError as error:
            fields = field_names(maker(str(declared["kind"])))
            problems.extend(document.explain(error, path, known=partial(_always, fields)).problems)
        except Exception as error:  # noqa: BLE001 - a kind of metric is foreign code: whatever it raises is no stack trace
            problems.append(document.problem(path, f"metric '{name}' cannot be made: {type(error).__name__}: {error}"))
    if problems:
        raise PolicyError(*problems)
    return made
