"""The house's own rules, held: sizes, where heavy libraries may stand, what a checkout and a distribution hold."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
GUARD = ROOT / "guard"
SOURCES = sorted(GUARD.rglob("*.py"))

#: Slow to import, large, or a driver that not everyone has: each stands behind one door.
HEAVY = {
    "asyncpg": ["store/database.py"],
    "cryptography": ["policies/signature.py", "tls.py"],
    "faker": ["training/pii/made/document.py", "training/pii/written.py"],
    "fastapi": [],
    "litellm": ["providers.py"],
    "matplotlib": ["evaluate/plot.py"],
    "onnx": [],
    "onnxruntime": ["metrics/onnx_model.py"],
    "opentelemetry": ["telemetry/traces.py"],
    "pandas": ["client/frames.py"],
    "presidio_analyzer": ["metrics/pii/presidio.py"],
    "prometheus_client": ["telemetry/exposition.py", "telemetry/meters.py"],
    "py3langid": ["metrics/language.py"],
    "redis": ["redis.py"],
    "sklearn": [],
    "spacy": ["metrics/pii/names.py"],
    "sqlalchemy": ["store/database.py", "store/sql.py", "store/tables.py"],
    "tokenizers": ["metrics/tokens.py"],
    "torch": ["metrics/transformers_model.py"],
    "transformers": ["metrics/transformers_model.py"],
}
#: What the control plane is made of, in the same way.
CENTRAL = {"fastapi", "sqlalchemy"}
#: What training is made of: any file of that room may import it, since no other room imports that one at the top.
TRAINING = {"onnx", "onnxruntime", "sklearn", "torch", "transformers"}
ROOMS = {"metrics": "guard/metrics", "stages": "guard/stages", "policies": "guard/policies"}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def imported(file: Path) -> Iterator[str]:
    """The packages that a file imports, wherever in it. What only a type checker reads counts too."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def tracked() -> list[Path]:
    """The files that git keeps; all that look like it where this is no checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("no git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_is_longer_than_300_lines():
    long = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in SOURCES}
    assert {name: lines for name, lines in long.items() if lines > 300} == {}


def test_no_function_is_longer_than_60_lines():
    functions = [
        (f"{file.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1)
        for file in SOURCES
        for node in ast.walk(tree(file))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
    assert {name: lines for name, lines in functions if lines > 60} == {}


@pytest.mark.parametrize("library", sorted(HEAVY))
def test_a_heavy_library_is_imported_in_one_place(library):
    allowed = GUARD / ("training" if library in TRAINING else "central" if library in CENTRAL else "nowhere")
    outside = [file for file in SOURCES if not file.is_relative_to(allowed)]
    assert [str(file.relative_to(GUARD)) for file in outside if library in imported(file)] == HEAVY[library]


@pytest.mark.parametrize(
    ("imports", "heavy"),
    [
        ("guard, guard.metrics", HEAVY.keys()),
        ("guard.cli", TRAINING | CENTRAL | {"cryptography", "faker", "matplotlib"}),
    ],
)
def test_importing_guard_loads_nothing_heavy(imports, heavy):
    program = f"import sys, {imports}; print(*(sys.modules.keys() & {set(heavy)}))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == []


def test_the_rooms_at_the_root_are_links_that_nothing_imports_through():
    assert {name: str((ROOT / name).readlink()) for name in ROOMS} == ROOMS
    files = [file for folder in ("guard", "tests", "examples", "benchmarks") for file in (ROOT / folder).rglob("*.py")]
    assert [str(file) for file in files if ROOMS.keys() & set(imported(file))] == []


def test_no_file_names_a_registry_or_a_place_on_somebodys_machine():
    bad = re.compile(rb"(?<![\w.)])/(work|root)/\w|pypi\.org/simple|pythonhosted|registry\.npm|index-url|/whl/cpu")
    found = []
    for file in tracked():
        for number, line in enumerate(file.read_bytes().splitlines(), start=1):
            if bad.search(line) and file != Path(__file__):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line[:100]!r}")
    assert found == []


def requirements() -> list[Requirement]:
    """All that `pyproject.toml` asks for: what everyone needs, extras, and what development needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    groups = [project["project"]["dependencies"], *extras, *project["dependency-groups"].values()]
    return [Requirement(line) for group in groups for line in group if isinstance(line, str)]


def test_what_guard_imports_is_declared_and_not_left_to_what_others_depend_on():
    declared = {canonicalize_name(requirement.name) for requirement in requirements()}
    names = {name for file in SOURCES for name in imported(file)} - sys.stdlib_module_names - {"guard"}
    of = packages_distributions()
    undeclared = {name for name in names if not declared & {canonicalize_name(dist) for dist in of.get(name, [name])}}
    assert undeclared == set()


@pytest.mark.parametrize("version", ["1.82.7", "1.82.8"])
def test_the_litellm_that_steals_credentials_cannot_be_installed(version):
    lock = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = [Requirement(line) for line in lock.splitlines() if line[:1].isalpha()]
    for asked in (requirements(), pinned):
        litellm = [requirement for requirement in asked if requirement.name == "litellm"]
        assert litellm
        assert not any(requirement.specifier.contains(version) for requirement in litellm)


@pytest.mark.slow
def test_a_wheel_holds_all_of_guard_once_and_nothing_else(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    kept = {str(file.relative_to(ROOT)) for file in tracked() if file.is_relative_to(GUARD)}
    assert len(names) == len(set(names))
    assert {name for name in names if not name.startswith("guard/")} == set()
    assert kept - set(names) == set()
