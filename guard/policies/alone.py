"""What policies that come over a network may not: run code, or reach files and keys of the machine they arrive at."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from guard.errors import PolicyError
from guard.policies.document import Document

_CODE = "may not run code; register the function here with @guard.metric, or keep the policy in a file"
#: The field of a metric that holds the settings of another one.
_WITHIN = "token_classifier"
#: How a variable begins that the machine's keeper made for policies that others write.
FOR_POLICIES = "GUARD_POLICY_"


def refuse_code_and_secrets(document: Document) -> None:
    """Whoever can change what comes must not be able to run functions on this machine, nor to have its keys sent to an
    address of their own. Raises PolicyError.
    """
    for name, declared in _declared(document):
        if declared.get("kind") == "code":
            raise PolicyError(document.problem(("metrics", name, "kind"), f"a policy from a URL {_CODE}"))
        key = declared.get("api_key_env")
        if key is not None and not str(key).startswith(FOR_POLICIES):
            told = f"a policy from a URL may only name a variable that is meant for it, as {FOR_POLICIES}KEY"
            raise PolicyError(document.problem(("metrics", name, "api_key_env"), told))


def refuse_files(document: Document) -> None:
    """Nor to read any file beside it or elsewhere. Raises PolicyError."""
    base = document.data.get("extends")
    if isinstance(base, str) and not base.startswith("builtin/"):
        fix = "build on builtin/NAME, or write all of it here"
        raise PolicyError(document.problem(("extends",), f"a bundle holds no other file to build on; {fix}"))
    refuse_outside(document)


def refuse_outside(document: Document) -> None:
    """Nor to read a file that is not beside it or below. Raises PolicyError."""
    told = "leads out of the policy's own folder, which a policy from elsewhere may not read"
    base = document.data.get("extends")
    if isinstance(base, str) and _leads_out(base):
        raise PolicyError(document.problem(("extends",), told))
    for name, declared in _declared(document):
        within = declared.get(_WITHIN)
        for field, value in [*declared.items(), *(within.items() if isinstance(within, dict) else ())]:
            if isinstance(value, str) and _leads_out(value):
                raise PolicyError(document.problem(("metrics", name, str(field)), told))


def _declared(document: Document) -> Iterator[tuple[str, dict]]:
    metrics = document.data.get("metrics")
    for name, declared in metrics.items() if isinstance(metrics, dict) else ():
        if isinstance(declared, dict):
            yield name, declared


def _leads_out(value: str) -> bool:
    """Whether a value, read as a path, could lead out of the folder that the policy is in."""
    if len(value) > 1000 or "\n" in value:
        return False
    path = Path(value)
    return path.is_absolute() or value.startswith("~") or ".." in path.parts
