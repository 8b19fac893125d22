"""Where policies come from: files, a URL, a repository. Each tells cheaply whether something changed, and loads."""

from __future__ import annotations

import time
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Protocol

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.document import read
from guard.policies.files import SUFFIXES, find, policy_files
from guard.policies.git import PREFIX, GitSource
from guard.policies.http import HttpSource
from guard.policies.load import load_policies
from guard.policies.set import PolicySet

#: Seconds that files must be still before they are read: half a file may be valid YAML, with half of the rules.
STILL = 0.05


class Source(Protocol):
    """Where policies come from. Its methods may block; they are called one after the other, off the event loop."""

    def load(self) -> PolicySet:
        """The policies as they are now, checked completely. Raises PolicyError with every problem found."""
        ...

    def changed(self) -> bool:
        """Whether `load` could give something else than it last gave. Raises PolicyError where the source is away."""
        ...

    def close(self) -> None:
        """Give back what is held open."""
        ...


def source_of(policy: str | Path, *, metrics: Registry = REGISTRY) -> Source:
    """The source that a setting means: a URL, a git repository, a file, a folder, or a built-in policy."""
    if str(policy).startswith(("http://", "https://")):
        return HttpSource(str(policy), metrics=metrics)
    if str(policy).startswith(PREFIX):
        return GitSource(str(policy), metrics=metrics)
    return FileSource(policy, metrics=metrics)


class FileSource:
    """A policy file, a folder of them, or a built-in policy, with every file that they build on or refer to."""

    def __init__(self, policy: str | Path, *, metrics: Registry = REGISTRY) -> None:
        self.policy = policy
        self.metrics = metrics
        self._parts: frozenset[Path] = frozenset()
        self._mark: Hashable = None

    def load(self) -> PolicySet:
        """Reads all anew. What the files refer to is watched from here on, even where they cannot be used."""
        self._parts = frozenset(part for file in self._files() for part in parts(file))
        # Before reading: what changes while it is read is a change.
        self._mark = self._look()
        return load_policies(self.policy, metrics=self.metrics)

    def changed(self) -> bool:
        """By time, size and number of every file. True only once they are still: see STILL."""
        mark = self._look()
        if mark == self._mark:
            return False
        time.sleep(STILL)
        return self._look() == mark

    def close(self) -> None:
        """Nothing is held open."""

    def _look(self) -> Hashable:
        return frozenset((path, mark) for path in {*self._files(), *self._parts} for mark in _marks(path))

    def _files(self) -> list[Path]:
        folder = Path(self.policy)
        try:
            return policy_files(folder) if folder.is_dir() else [find(self.policy)]
        except (OSError, PolicyError):
            return [folder]  # watched until it comes


def parts(file: Path, seen: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """A policy file and all that it is made of: what it extends, and the files that its metrics name.

    A file that is named but missing is given too: the policy may work once it is there.
    """
    yield file
    try:
        data = read(file).data
    except PolicyError:
        return
    metrics = data.get("metrics")
    for declared in metrics.values() if isinstance(metrics, dict) else ():
        yield from (file.parent / name for name in _names(declared))
    base = data.get("extends")
    if isinstance(base, str) and file not in seen:
        try:
            yield from parts(find(base, file.parent), seen | {file})
        except PolicyError:
            yield from (file.parent / (base + suffix) for suffix in ("", *SUFFIXES))


def _names(declared: object) -> Iterator[str]:
    """What may name a file in a metric's declaration: its words that hold a dot or a slash, `checks.py:length` too."""
    for value in declared.values() if isinstance(declared, dict) else ():
        for word in value if isinstance(value, list) else [value]:
            if isinstance(word, str) and len(word) < 1000 and not {"\0", "\n"} & set(word) and {".", "/"} & set(word):
                yield from {word, word.rpartition(":")[0] or word}


def _marks(path: Path) -> Iterator[Hashable]:
    try:
        stat = path.stat()
        yield stat.st_mtime_ns, stat.st_size, stat.st_ino
        if path.is_dir():
            for child in path.iterdir():
                yield child.name, child.stat().st_mtime_ns, child.stat().st_size
    except OSError as error:
        yield error.errno
