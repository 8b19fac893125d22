"""The rows we wrote: filled templates, and texts with the names marked by hand."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guard.errors import SettingsError
from guard.metrics.pii.head import head_labels
from guard.metrics.score import Span
from guard.training.pii.fill import Template, fill, slots
from guard.training.pii.made.document import Document, Fakers
from guard.training.pii.row import Row

if TYPE_CHECKING:
    from faker import Faker

_CORPUS = Path(__file__).parents[1] / "corpus"
#: How often a template without slots, whose text is always the same but for slips, may come.
_MOST = 4
#: What the authors of the names marked.
_NAMES = frozenset({"PERSON", "LOCATION", "ORGANIZATION", "DATE", "USERNAME", "PASSWORD"})


def filled(rows: int, seed: int) -> Iterator[Row]:
    """So many filled templates, no text twice; all templates come before one comes again.

    A template stays in one split: those whose id ends in 0 are for validation. The same seed, Faker and templates give
    the same rows.
    """
    templates = [Template.of(line) for line in _lines("pii_templates")]
    chance, fakers = random.Random(seed), _fakers(seed)
    made: set[str] = set()
    times: Counter[str] = Counter()
    while len(made) < rows:
        before = len(made)
        for template in chance.sample(templates, len(templates)):
            for _ in range(_turns(template)):
                if len(made) == rows or (not template.slots and times[template.id] == _MOST):
                    break
                text, spans, unknown = fill(template, Document(chance, fakers, template.locale))
                if text not in made:
                    made.add(text)
                    times[template.id] += 1
                    known = frozenset(head_labels()) - unknown
                    yield Row(text, spans, known, "pii_templates", template.id, _split(template.id))
        if len(made) == before:
            raise SettingsError(f"the templates give only {before} different texts; ask for no more rows")


def names() -> Iterator[Row]:
    """The texts with persons, places, organisations, dates, user names and passwords marked by their authors."""
    for line in _lines("names"):
        spans = tuple(Span(span["start"], span["end"], span["label"]) for span in line["spans"])
        yield Row(line["text"], spans, _NAMES, "names", line["id"], _split(line["id"]))


def _lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in gzip.decompress((_CORPUS / f"{name}.jsonl.gz").read_bytes()).splitlines()]


def _split(name: str) -> Any:
    return "valid" if name.endswith("0") else "train"


def _turns(template: Template) -> int:
    """A template whose slots hold no personal data comes twice a round: few are like it."""
    return 2 if template.slots and not any(slots()[slot.kind] for slot in template.slots) else 1


def _fakers(seed: int) -> Fakers:
    """Faker for each locale, seeded."""

    @cache
    def faker(locale: str) -> Faker:
        from faker import Faker

        made = Faker(locale)
        made.seed_instance(f"{seed}-{locale}")
        return made

    return faker
