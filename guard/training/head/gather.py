"""The first look at the rows: what they say, and which of them belong together. It keeps no text."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from guard.errors import SettingsError, nearest
from guard.evaluate.rows import Row
from guard.metrics.metric import Kind
from guard.metrics.normalise import normalise
from guard.training.head.rows import field, read
from guard.training.head.truth import Told, Truth, check_enough, told, truth


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the rows are, which of their fields say what, and what the head should give.

    `positive` names the labels that count as yes; `gives: labels` asks for a yes or no of each class; `separator`
    stands between the labels of a row that is no JSON. `false_positives` is the share that thresholds are proposed for.
    """

    data: Path
    text: str = "text"
    label: str = "label"
    group: str | None = None
    positive: tuple[str, ...] = ()
    gives: Kind | None = None
    separator: str | None = None
    false_positives: float = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """N rows that have a label: their `truth`, and the number of the `units` (N) that cross-validation keeps together.

    `left_out` rows have no label, `repeated` ones the text of an earlier row, of which `contradicted` have another
    label. `sha256` is that of the file.
    """

    truth: Truth
    units: NDArray[np.int64]
    left_out: int
    repeated: int
    contradicted: int
    sha256: str


def gather(wanted: Wanted) -> Gathered:
    """Reads all rows. Raises SettingsError where they cannot teach a head, with the place of what is to blame."""
    labels: list[Told] = []
    texts: list[bytes] = []
    groups: list[str | int] = []
    empty: list[str] = []
    fields: dict[str, None] = {}
    left_out = 0
    for row in read(wanted.data):
        fields |= dict.fromkeys(row.fields)
        label, text = field(row, wanted.label), text_of(row, wanted)
        if label is None:
            left_out += 1
        elif text is None:
            empty.append(row.place)
        else:
            labels.append(told(label, row, wanted.separator))
            texts.append(_key(text))
            if wanted.group is not None:
                group = field(row, wanted.group)
                groups.append(len(groups) if group is None else str(group))
    _check_fields(wanted, fields, bool(labels or empty), bool(labels), any(isinstance(one, str) for one in groups))
    if empty:
        more = f" and {len(empty) - 1:,} more rows have" if len(empty) > 1 else " has"
        raise SettingsError(f"{empty[0]}{more} a label and no text; leave them out")
    asked = truth(labels, wanted.positive, wanted.gives)
    units = together(texts, groups)
    check_enough(asked, units)
    first: dict[bytes, int] = {}
    earlier = np.array([first.setdefault(key, number) for number, key in enumerate(texts)])
    repeated = earlier != np.arange(len(texts))
    contradicted = (asked.table != asked.table[earlier]).any(axis=1)
    with wanted.data.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    return Gathered(asked, units, left_out, int(repeated.sum()), int(contradicted.sum()), sha256)


def _check_fields(wanted: Wanted, known: Collection[str], labelled: bool, with_text: bool, grouped: bool) -> None:
    """Raises SettingsError where no row has one of the fields."""
    if not known:
        raise SettingsError(f"{wanted.data} has no rows; write a text and a label in each")
    fields = [("label", wanted.label, labelled), ("text", wanted.text, with_text)]
    fields += [("group", wanted.group, grouped)] if wanted.group is not None else []
    for option, name, found in fields:
        if not found:
            fix = f"{nearest(name, known)} (--{option})" if name not in known else "write it into the rows"
            raise SettingsError(f"{wanted.data}: no row has a '{name}'; {fix}")


def _key(text: str) -> bytes:
    """The same for texts that differ in case and white space only."""
    same = " ".join(normalise(text).casefold().split())
    return hashlib.blake2b(same.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def text_of(row: Row, wanted: Wanted) -> str | None:
    """The row's text, None where it has none. Raises SettingsError where that is no text."""
    value = field(row, wanted.text)
    if value is not None and not isinstance(value, str):
        raise row.refused(f"'{wanted.text}' is a text, not {type(value).__name__}; name the text with --text")
    return value


def together(texts: Sequence[bytes], groups: Sequence[str | int]) -> NDArray[np.int64]:
    """The number of the unit that each row is in: rows of one text, or of one group, are in one.

    A group is a name, or where a row has none, a number that no other has.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(len(texts))
    units = np.unique(np.array(texts, dtype=object), return_inverse=True)[1]
    if groups:
        # A graph of the texts and, behind them, the groups: each row ties its text to its group.
        named = np.unique([f"{type(group).__name__}{group}" for group in groups], return_inverse=True)[1] + len(rows)
        size = int(named.max()) + 1
        ties = coo_array((np.ones(len(rows)), (units, named)), shape=(size, size))
        units = connected_components(ties, directed=False)[1][units]
    return units.astype(np.int64)
