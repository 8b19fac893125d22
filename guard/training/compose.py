"""Documents with an instruction inside, made from train rows only; each comes with its clean twin."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping, Sequence

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
        self._hosts = [_texts(by_source[name], 0.0, spec.shortest_host) for name in spec.hosts]
        self._attacks = [_texts(by_source[name], 1.0, 8, spec.longest_payload) for name in spec.attacks]
        self._harmless = [_texts(by_source[name], 0.0, 8, spec.longest_payload) for name in spec.harmless]
        self._tasks = [_texts(by_source[name], 0.0, 12, spec.longest_payload) for name in spec.tasks]

    def draw(self, chance: random.Random) -> Unit:
        """One unit: two rows with one host."""
        spec = self._spec
        before, after = self._host(chance)
        opening, closing = chance.choices(
            [wrapper[:2] for wrapper in _WRAPPERS], [wrapper[2] for wrapper in _WRAPPERS]
        )[0]
        pool = self._tasks if chance.random() < spec.tasks_share else self._attacks
        attack = chance.choice(chance.choice(pool))
        place = (before, opening, closing, after)
        unit = chance.getrandbits(64)
        clean = Row(f"{before} {after}".strip(), _CLEAN, "composed", "clean", "train", f"composed {unit}", marks=())
        if chance.random() < 0.5:
            harmless = chance.choice(chance.choice(self._harmless))
            clean = _placed(*place, harmless, unit, attacked=False)
        return (_placed(*place, attack, unit, attacked=True), clean)

    def _host(self, chance: random.Random) -> tuple[str, str]:
        host = chance.choice(chance.choice(self._hosts))
        ends = [0, *(match.end() for match in _SENTENCE_END.finditer(host)), len(host)]
        start = chance.choice(ends[: max(1, len(ends) // 2)])
        longest = int(chance.triangular(self._spec.shortest_host, self._spec.longest_host))
        host = host[start : start + longest]
        inner = [end - start for end in ends if 0 < end - start < len(host)]
        at = chance.choices([0, len(host), chance.choice(inner) if inner else len(host)], [2, 3, 5])[0]
        return host[:at].rstrip(), host[at:].lstrip()


_CLEAN = {"prompt_injection": 0.0}


def _placed(before: str, opening: str, closing: str, after: str, payload: str, unit: int, *, attacked: bool) -> Row:
    head = f"{before}{opening}" if before else opening.lstrip()
    text = f"{head}{payload}{closing}{after}".rstrip()
    marks = (Mark(len(head), len(head) + len(payload), "prompt_injection"),) if attacked else ()
    truth = {"prompt_injection": float(attacked)}
    return Row(text, truth, "composed", "attacked" if attacked else "clean", "train", f"composed {unit}", marks=marks)


def _texts(found: Sequence[Row], label: float, shortest: int, longest: int | None = None) -> list[str]:
    wanted: Callable[[str], bool] = lambda text: shortest <= len(text) <= (longest or len(text))  # noqa: E731
    return [
        row.text
        for row in found
        if row.fold == "train" and row.truth.get("prompt_injection", label) == label and wanted(row.text)
    ]
