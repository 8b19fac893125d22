"""Everything a run learns from and is judged by, read and made ready to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from guard.errors import SettingsError
from guard.training import pii
from guard.training.compose import Composer
from guard.training.rows import KEPT, Mark, Row, rows, units
from guard.training.spec import Spec
from guard.training.stream import Deck, Drawer
from guard.training.swap import Swapper
from guard.training.twins import told_apart


@dataclass(frozen=True, slots=True)
class Data:
    """All rows by source, and what training draws from: name → (drawer, share)."""

    by_source: dict[str, list[Row]]
    drawers: dict[str, tuple[Drawer, float]]


def read(spec: Spec, folder: Path, without: frozenset[str], step: Callable[[], None]) -> Data:
    """Reads the sources from `folder`; those of `without` only validate. A text stands in one fold only.

    Raises SettingsError where a file is missing or another one.
    """
    by_source: dict[str, list[Row]] = {}
    for name, source in spec.sources.items():
        by_source[name] = rows(name, source, spec, folder)
        step()
    by_source |= _personal(spec, folder)
    _keep_apart(by_source)
    if without:
        by_source = {
            name: [row for row in found if row.fold in KEPT or name not in without] for name, found in by_source.items()
        }
    drawers: dict[str, tuple[Drawer, float]] = {}
    for name, found in by_source.items():
        deck = [told_apart(unit) for unit in units([row for row in found if row.fold == "train"])]
        share = spec.sources[name].share if name in spec.sources else spec.personal[name]
        if deck and share:
            # A share is of rows; units may hold several.
            drawers[name] = (Deck(deck, spec.seed), share * len(deck) / sum(map(len, deck)))
    if spec.composed.share:
        drawers["composed"] = (Composer(spec.composed, by_source), spec.composed.share / 2)
    if spec.swapped.share:
        drawers["swapped"] = (Swapper(spec.swapped, by_source), spec.swapped.share / 2)
    return Data(by_source, drawers)


#: What we wrote about personal data is harmless: keys, numbers and names are no attack.
_OURS = ("pii_templates", "names")
_HARMLESS = {"prompt_injection": 0.0, "harmful_request": 0.0}


def _personal(spec: Spec, folder: Path) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {name: [] for name in spec.personal}
    for row in (*pii.filled(spec.filled_rows, spec.seed), *pii.public(folder), *pii.names()):
        if row.source not in found:
            continue
        marks = tuple(Mark(span.start, span.end, span.label) for span in row.spans)
        fold = "valid" if row.split == "valid" else "train"
        unit = f"{row.source} {row.group or len(found[row.source])}"
        truth = _HARMLESS if row.source in _OURS else {}
        found[row.source].append(Row(row.text, truth, row.source, "", fold, unit, marks=marks, entities=row.known))
    missing = [name for name, rows_of in found.items() if not rows_of]
    if missing:
        raise SettingsError(f"there is no personal data of the name '{missing[0]}'; take it out of the spec's personal")
    return found


def _keep_apart(by_source: dict[str, list[Row]]) -> None:
    """What stands in a later fold (a text, a context) is in no earlier one, nor is what belongs together with it."""
    later: set[str] = set()
    for fold in ("valid", "threshold", "held", "train"):
        for name, found in by_source.items():
            gone = {row.unit for row in found if row.fold == fold and row.text in later}
            by_source[name] = [row for row in found if row.fold != fold or row.unit not in gone]
        later |= {row.text for found in by_source.values() for row in found if row.fold == fold}
