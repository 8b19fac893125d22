"""From files to policies ready to work: read, extended, checked. Every error names file, line and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from guard.errors import MetricError, NoPolicy, PolicyError, nearest
from guard.metrics.metric import Metric
from guard.metrics.registry import REGISTRY, Registry, make, maker
from guard.policies.check import complaints, unknown_floors
from guard.policies.document import Document, read
from guard.policies.extend import extend, violations
from guard.policies.policy import LoadedPolicy, Policy
from guard.policies.scope import AppliesTo
from guard.stages import Override, Passthrough, Redact, Rule, Ruleset, Stage, Subscription

BUILT_IN = Path(__file__).parent / "builtin"
MAX_EXTENDS = 8
_FIELDS = sorted(
    {field for model in (Policy, Stage, Ruleset, Rule, Override, Passthrough, Redact, Subscription, AppliesTo)
     for field in model.model_fields}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PolicySet:
    """The policies in force together."""

    policies: tuple[LoadedPolicy, ...]

    def select(self, app: str = "", model: str = "", route: str = "") -> LoadedPolicy:
        """The policy whose `applies_to` names the turn most closely. Raises NoPolicy where none applies."""
        found = [(near, policy) for policy in self.policies if (near := policy.policy.applies_to.nearness(app, model, route))]
        if not found:
            raise NoPolicy(
                f"no policy applies to app '{app}', model '{model}', route '{route}', so it is refused; "
                "add one whose applies_to names them, or '*'"
            )
        # Equally near ones are told apart by name, so that every worker chooses the same.
        return min(found, key=lambda pair: (tuple(-part for part in pair[0]), pair[1].name))[1]


def load_policy(source: str | Path, *, metrics: Registry = REGISTRY) -> LoadedPolicy:
    """The policy in a file, or a built-in one (`builtin/baseline`). Raises PolicyError with every problem found."""
    file = find(source)
    policy, own = _resolve(file, metrics, ())
    return LoadedPolicy(policy, own, metrics.child(own), file)


def load_policies(source: str | Path, *, metrics: Registry = REGISTRY) -> PolicySet:
    """The policies in a file or in all `*.yaml` of a folder (cases aside). Raises PolicyError with every problem found."""
    folder = Path(source)
    files: Iterable[str | Path] = policy_files(folder) if folder.is_dir() else [source]
    loaded, problems = [], []
    for file in files:
        try:
            loaded.append(load_policy(file, metrics=metrics))
        except PolicyError as error:
            problems.extend(error.problems)
    names = [policy.name for policy in loaded]
    problems += [
        f"{policy.file}:1: another file holds a policy '{policy.name}' too; names are unique"
        for place, policy in enumerate(loaded)
        if policy.name in names[:place]
    ]
    if not loaded and not problems:
        problems.append(f"{source}:1: holds no policy; add one (*.yaml that begins with 'policy: NAME')")
    if problems:
        raise PolicyError(*problems)
    return PolicySet(tuple(loaded))


def policy_files(folder: Path) -> list[Path]:
    """The policy files of a folder, by name: `*.yaml` and `*.yml`, without cases."""
    found = [file for file in folder.iterdir() if file.suffix in (".yaml", ".yml") and not is_cases(file)]
    return sorted(file for file in found if file.is_file() and not file.name.startswith("."))


def is_cases(file: Path) -> bool:
    """Whether a file holds a policy's test cases."""
    return file.name.endswith((".cases.yaml", ".cases.yml"))


def find(source: str | Path, folder: Path | None = None) -> Path:
    """The file that a name means: `builtin/NAME`, or a path (relative to `folder`), with or without `.yaml`."""
    text = str(source)
    if text.startswith("builtin/"):
        file = BUILT_IN / f"{text.removeprefix('builtin/').removesuffix('.yaml')}.yaml"
        if not file.is_file():
            known = [f"builtin/{path.stem}" for path in policy_files(BUILT_IN)]
            raise PolicyError(f"{text}:1: no such built-in policy; {nearest(text, known)}")
        return file
    file = (folder or Path()) / source
    named = file.with_name(file.name + ".yaml")
    if not file.is_file() and named.is_file():
        return named
    if not file.is_file():
        raise PolicyError(f"{file}:1: no such file; give a policy file, a folder of them, or builtin/baseline")
    return file


def _resolve(file: Path, metrics: Registry, below: tuple[Path, ...]) -> tuple[Policy, dict[str, Metric]]:
    """The policy with what it extends folded in, and the metrics that the policies on the way declare."""
    document = read(file)
    written = _written(document)
    own: dict[str, Metric] = {}
    policy = written
    if written.extends:
        if file.resolve() in below or len(below) >= MAX_EXTENDS:
            raise PolicyError(document.problem(("extends",), "extends goes round in a circle, or too deep; break it"))
        try:
            base_file = find(written.extends, file.parent)
        except PolicyError as error:
            raise PolicyError(document.problem(("extends",), str(error).split(":1: ", 1)[-1])) from None
        base, own = _resolve(base_file, metrics, (*below, file.resolve()))
        wrong = violations(base, written)
        if wrong:
            raise PolicyError(*(document.problem(path, text) for path, text in wrong))
        policy = extend(base, written)
    own = {**own, **_make_metrics(written, document, file.parent, metrics)}
    wrong = [*complaints(written, metrics.child(own)), *unknown_floors(written, policy.ruleset_names)]
    if wrong:
        raise PolicyError(*(document.problem(path, text) for path, text in wrong))
    return policy, own


def _written(document: Document) -> Policy:
    try:
        return Policy.model_validate(document.data)
    except ValidationError as error:
        raise document.explain(error, known=_FIELDS) from None


def _make_metrics(written: Policy, document: Document, folder: Path, metrics: Mapping[str, Metric]) -> dict[str, Metric]:
    made, problems = {}, []
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
            known = sorted(maker(str(declared["kind"])).model_fields)
            problems.extend(document.explain(error, path, known=known).problems)
    if problems:
        raise PolicyError(*problems)
    return made
