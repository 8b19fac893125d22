"""Packages that another one is not to find while it is imported: it would load them, and Guard not use them.

spaCy, which Presidio imports, takes torch along wherever it is installed: a third of a second, and 300 MB in every
worker. A pipeline of spaCy's on torch needs one of TAKEN, and where that is installed nothing is hidden.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from threading import get_ident

#: What brings torch into spaCy's pipelines.
TAKEN = ("spacy_transformers", "spacy_curated_transformers")


class Hidden:
    """A finder of modules that finds none of these, for the thread that made it; others may be importing them."""

    def __init__(self, *names: str) -> None:
        self._names = frozenset(names)
        self._thread = get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """None: the next finder is asked. Raises ModuleNotFoundError for what is hidden."""
        if name in self._names and get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is hidden while another package is imported", name=name)


@contextmanager
def hidden(*names: str) -> Iterator[None]:
    """While entered, this thread cannot import these packages; what was imported before stays."""
    if any(find_spec(name) for name in TAKEN):
        yield
        return
    finder = Hidden(*names)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
