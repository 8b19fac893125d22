"""Documents with an instruction inside, made from train rows only; each comes with its clean twin."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

from guard.errors import SettingsError
from guard.metrics.normalise import normalise
from guard.training.rows import Mark, Row, Unit
from guard.training.spec import Composed

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
#: How an instruction stands in its document, and how often: as a sentence, a paragraph, a comment, a cell, ….
_WRAPPERS: tuple[tuple[str, str, float], ...] = (
    (" ", " ", 4.0),
    ("\n", "\n", 2.0),
    ("\n\n", "\n\n", 2.0),
    ("\n- ", "\n", 0.5),
    ("\n> ", "\n", 0.3),
    ("\n# ", "\n", 0.4),
    ("\n// ", "\n", 0.2),
    ("\n<!-- ", " -->\n", 0.5),
    ("<p>", "</p>", 0.3),
    ('\n"note": "', '",\n', 0.3),
    ("\n| ", " |\n", 0.2),
    (" (", ") ", 0.2),
    ("\nP.S. ", "\n", 0.2),
)


class Composer:
    """Draws units of an attacked document and its clean twin.

    The twin is the same document, with a harmless passage in the same place or with nothing; half of the harmless
    passages are as imperative as the attack.
    """

    def __init__(self, spec: Composed, by_source: Mapping[str, Sequence[Row]]) -> None:
        self._spec = spec
        self._hosts = _texts("hosts", spec.hosts, by_source, 0.0, (spec.shortest_host, None))
        self._attacks = _texts("attacks", spec.attacks, by_source, 1.0, (8, spec.longest_payload))
        self._harmless = _texts("harmless", spec.harmless, by_source, 0.0, (8, spec.longest_payload))
        self._tasks = _texts("tasks", spec.tasks, by_source, 0.0, (12, spec.longest_payload))

    def draw(self, number: int, chance: random.Random) -> Unit:
        """One unit: two rows with one host."""
        spec = self._spec
        before, seam, after = self._host(chance)
        opening, closing = chance.choices(
            [wrapper[:2] for wrapper in _WRAPPERS], [wrapper[2] for wrapper in _WRAPPERS]
        )[0]
        pool = self._tasks if chance.random() < spec.tasks_share else self._attacks
        attack = chance.choice(chance.choice(pool))
        unit = f"composed {chance.getrandbits(64)}"
        attacked = _placed((before, opening, closing, after), attack, unit, attacked=True)
        if chance.random() < 0.5:
            harmless = chance.choice(chance.choice(self._harmless))
            return attacked, _placed((before, opening, closing, after), harmless, unit, attacked=False)
        text = f"{before}{seam}{after}"
        return attacked, Row(text, _CLEAN, "composed", "clean", "train", unit, marks=(), focus=len(before))

    def _host(self, chance: random.Random) -> tuple[str, str, str]:
        """A host in two parts, and the white space that stood between them."""
        host = chance.choice(chance.choice(self._hosts))
        ends = [0, *(match.end() for match in _SENTENCE_END.finditer(host)), len(host)]
        start = chance.choice(ends[: max(1, len(ends) // 2)])
        longest = int(chance.triangular(self._spec.shortest_host, self._spec.longest_host))
        host = normalise(host[start : start + longest].strip())
        inner = [match.end() for match in _SENTENCE_END.finditer(host)]
        at = chance.choices([0, len(host), chance.choice(inner) if inner else len(host)], [2, 3, 5])[0]
        before, after = host[:at].rstrip(), host[at:].lstrip()
        return before, host[len(before) : len(host) - len(after)], after


_CLEAN = {"prompt_injection": 0.0}


def _placed(place: tuple[str, str, str, str], passage: str, unit: str, *, attacked: bool) -> Row:
    before, opening, closing, after = place
    head = f"{before}{opening}" if before else opening.lstrip()
    passage = normalise(passage)
    text = f"{head}{passage}{closing}{after}".rstrip()
    marks = (Mark(len(head), len(head) + len(passage), "prompt_injection"),) if attacked else ()
    truth, kind = {"prompt_injection": float(attacked)}, "attacked" if attacked else "clean"
    return Row(text, truth, "composed", kind, "train", unit, marks=marks, focus=len(head))


def _texts(
    role: str,
    sources: Sequence[str],
    by_source: Mapping[str, Sequence[Row]],
    label: float,
    lengths: tuple[int, int | None],
) -> list[list[str]]:
    """The training texts with a label of each source that has some: one that is left out has none."""
    shortest, longest = lengths
    pools = [
        [
            row.text
            for row in by_source[name]
            if row.fold == "train"
            and row.truth.get("prompt_injection", label) == label
            and shortest <= len(row.text) <= (longest or len(row.text))
        ]
        for name in sources
    ]
    if not any(pools):
        raise SettingsError(f"no source of composed.{role} has texts to train on; name another in the spec")
    return [pool for pool in pools if pool]
