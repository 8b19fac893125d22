"""Which of the spans found are those that should be: exactly, or by overlap."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """Where something stands: characters `start` to `end` (exclusive) of a passage."""

    label: str
    passage: int
    start: int
    end: int


def place_of(span: object) -> Place | None:
    """The place that `{start, end, label}` means, and `passage` where it is not 0; None where it means none."""
    match span:
        case {"start": int(start), "end": int(end), "label": str(label), **more} if 0 <= start < end:
            passage = more.get("passage", 0)
            return Place(label, passage, start, end) if isinstance(passage, int) else None
    return None


class Count(NamedTuple):
    """How many there should be, how many were found, and how many of those are right."""

    truths: int
    found: int
    right: int


def exact(truths: Iterable[Place], found: Iterable[Place]) -> Mapping[str, Count]:
    """By label: a span found is right where one of the same label has the same bounds."""
    wanted, given = Counter(truths), Counter(found)
    return _by_label(wanted, given, Counter(place.label for place in (wanted & given).elements()))


def overlapping(truths: Iterable[Place], found: Iterable[Place]) -> Mapping[str, Count]:
    """By label: a span found is right where it shares a character with one of the same label.

    Each is paired with one at most, so that neither a span over the whole text nor many pieces of one count as all
    right. Pairing from left to right finds the most pairs where the spans of a side do not overlap each other.
    """
    wanted, given = Counter(truths), Counter(found)
    pairs: Counter[str] = Counter()
    theirs = _sorted(given)
    for group, places in _sorted(wanted).items():
        others = iter(theirs.get(group, ()))
        other = next(others, None)
        for place in places:
            while other is not None and other.end <= place.start:
                other = next(others, None)
            if other is not None and other.start < place.end:
                pairs[group[0]] += 1
                other = next(others, None)
    return _by_label(wanted, given, pairs)


def _sorted(places: Counter[Place]) -> dict[tuple[str, int], list[Place]]:
    """By label and passage, from left to right."""
    groups: dict[tuple[str, int], list[Place]] = defaultdict(list)
    for place in sorted(places.elements(), key=lambda place: (place.end, place.start)):
        groups[place.label, place.passage].append(place)
    return groups


def _by_label(wanted: Counter[Place], given: Counter[Place], right: Counter[str]) -> dict[str, Count]:
    truths, found = (Counter(place.label for place in places.elements()) for places in (wanted, given))
    return {label: Count(truths[label], found[label], right[label]) for label in truths | found}
