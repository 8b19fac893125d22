"""What `import guard` gives, and what it does not do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import guard

ROOT = Path(guard.__file__).parents[1]
HEAVY = {"torch", "transformers", "spacy", "litellm", "onnxruntime", "sqlalchemy", "presidio_analyzer", "numpy"}


def after_import(expression: str) -> object:
    """What an expression is worth in a fresh process that has imported guard and nothing else of note."""
    program = f"import json, sys, threading, guard, guard.metrics; print(json.dumps({expression}))"
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(result.stdout)


def test_the_public_names_are_sorted_and_there():
    # As ruff sorts them: classes before functions.
    assert guard.__all__ == sorted(guard.__all__, key=lambda name: (name.islower(), name))
    assert all(getattr(guard, name).__module__.startswith("guard.") for name in guard.__all__)


def test_every_public_name_says_what_it_is():
    assert [name for name in guard.__all__ if not getattr(guard, name).__doc__] == []


def test_importing_guard_loads_no_heavy_library():
    loaded = after_import("[name for name in sys.modules if '.' not in name]")
    assert isinstance(loaded, list)
    assert "guard" in loaded
    assert HEAVY & set(loaded) == set()


def test_importing_guard_starts_nothing():
    assert after_import("threading.active_count()") == 1


def test_guard_is_typed_for_its_users():
    assert (ROOT / "guard/py.typed").is_file()
