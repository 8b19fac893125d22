"""`{kind: code, function: checks.py:length}`: a function of the policy's author, from a file beside it or a package."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Literal

from pydantic import Field

from guard.errors import MetricError, nearest
from guard.metrics.fingerprint import fingerprint
from guard.metrics.function import of_function, source
from guard.metrics.metric import Cost, Kind, Maker, Metric
from guard.metrics.turn import SIDES, Side

#: Policies are loaded in several threads: nobody is to find a module that another one is still running. A module may
#: load policies of its own.
_LOADING = threading.RLock()


class Code(Maker):
    """`function` is `path/to/file.py:name`, relative to the policy, or `package.module:name`.

    It takes and gives what `of_function` says. `gives` is the kind of its score, `labels` the closed set of labels
    where there is one, `sides` those that it can measure; `cost` (free: microseconds, local: a millisecond, model,
    remote) says when it runs; `decoded` whether a function of a text also reads what is decoded of it.
    """

    kind: ClassVar[str] = "code"
    function: str = Field(pattern=r"^.+:[A-Za-z_][A-Za-z_0-9.]*$")
    gives: Kind = "number"
    labels: frozenset[str] | None = None
    sides: tuple[Side, ...] = Field(default=SIDES, min_length=1)
    cost: Literal["free", "local", "model", "remote"] | None = None
    decoded: bool = False

    def make(self, name: str, folder: Path) -> Metric:
        """The metric. A file that was changed is loaded anew; a package's module only when the process starts again.

        Raises MetricError where the file or function is missing, does not load, or takes other arguments.
        """
        place, _, attribute = self.function.rpartition(":")
        module = _from_file(name, folder / place) if place.endswith(".py") else _from_package(name, place)
        function = _found(name, module, attribute, place)
        return of_function(
            function,
            name,
            kind=self.gives,
            sides=self.sides,
            labels=self.labels,
            cost=None if self.cost is None else Cost[self.cost.upper()],
            decoded=self.decoded,
            version=fingerprint(source(function), self.model_dump_json(exclude={"labels"}), *sorted(self.labels or ())),
        )


def _from_file(name: str, file: Path) -> ModuleType:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise MetricError(
            f"metric '{name}': {file} cannot be read: {error}; give a path relative to the policy"
        ) from None
    module = ModuleType(f"guard_code_{fingerprint(str(file.resolve()), content)}")
    with _LOADING:
        return sys.modules.get(module.__name__) or _run(name, module, file, content)


def _run(name: str, module: ModuleType, file: Path, content: bytes) -> ModuleType:
    module.__file__ = str(file)
    # What the file defines may look itself up, as dataclasses do.
    sys.modules[module.__name__] = module
    try:
        code = SourceFileLoader(module.__name__, str(file)).source_to_code(content, str(file))
        exec(code, module.__dict__)  # noqa: S102 - to run it is what the policy's author asks for
    except (Exception, SystemExit) as error:  # foreign code: whatever it raises, it cannot be used
        del sys.modules[module.__name__]
        raise MetricError(f"metric '{name}': {file} does not load: {type(error).__name__}: {error}") from error
    return module


def _from_package(name: str, module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (Exception, SystemExit) as error:
        fix = "install its package, or give the path of a .py file"
        raise MetricError(f"metric '{name}': no module '{module}': {type(error).__name__}: {error}; {fix}") from error


def _found(name: str, module: ModuleType, attribute: str, place: str) -> Callable[..., Any]:
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
    if callable(found):
        return found
    defined = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
    fix = nearest(attribute, defined) if defined else "it defines none"
    raise MetricError(f"metric '{name}': no function '{attribute}' in {place}; {fix}")
