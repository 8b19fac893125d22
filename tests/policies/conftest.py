"""A small registry of metrics, and policies written to a folder of the test's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from guard.errors import PolicyError
from guard.metrics.registry import Registry
from guard.policies import LoadedPolicy, load_policy
from tests.fakes import fixed, spotting

EMAIL, SSN = r"[\w.]+@[\w.]+", r"\d{3}-\d{2}-\d{4}"


@pytest.fixture
def metrics() -> Registry:
    """`pii` (email, ssn) and `rivals` spot; `toxicity` is 0.1, `language` is en; `injection` reads only input."""
    made = [
        spotting("pii", {"email": EMAIL, "ssn": SSN}, labels=frozenset({"email", "ssn", "name"})),
        spotting("rivals", "Acme"),
        fixed("toxicity", 0.1),
        fixed("word_count", 3.0),
        fixed("language", "en", labels=frozenset({"en", "fr"})),
        fixed("injection", 0.2, sides=frozenset({"input"})),
    ]
    return Registry({metric.name: lambda metric=metric: metric for metric in made})


Write = Callable[..., Path]
Load = Callable[..., LoadedPolicy]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a file (default `p.yaml`) into the test's folder."""

    def write(text: str | bytes, name: str = "p.yaml") -> Path:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        return file

    return write


@pytest.fixture
def load(write: Write, metrics: Registry) -> Load:
    """The policy that a text holds."""

    def load(text: str | bytes, name: str = "p.yaml") -> LoadedPolicy:
        return load_policy(write(text, name), metrics=metrics)

    return load


@pytest.fixture
def problems(load: Load, tmp_path: Path) -> Callable[..., list[str]]:
    """The lines that say what is wrong with a policy, without the folder; none where nothing is."""

    def problems(text: str | bytes, name: str = "p.yaml") -> list[str]:
        try:
            load(text, name)
        except PolicyError as error:
            return [line.replace(f"{tmp_path}/", "") for line in error.problems]
        return []

    return problems
