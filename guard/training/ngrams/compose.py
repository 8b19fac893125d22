"""Documents with an attack inside, composed: too few are collected, and they all look alike."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from guard.training.ngrams.rows import Row
from guard.training.ngrams.spec import Composed, HeadSpec

#: What stands between the document and what was put into it.
_JOINTS = (" ", "\n", "\n\n")
_SENTENCE_END = re.compile(r"[.!?]\s+")


def compose(told: Composed, head: HeadSpec, rows: Sequence[Row], seed: int) -> Iterator[Row]:
    """Documents, each three times: clean, with an attack in it, and with something harmless that looks like one in it.

    So neither the document nor the break in it is the cue. Only training rows are used, so only training rows come out.
    """
    chance = random.Random(seed)
    train = [row for row in rows if row.fold == "train"]
    short = [row for row in train if len(row.text) <= told.longest_payload]
    hosts = [row.text for row in train if row.source in told.hosts and len(row.text) >= told.shortest_host]
    attacks = [row.text for row in short if row.source in told.attacks and row.truth[head.name] == 1]
    harmless = [row.text for row in short if row.source in told.harmless and row.truth[head.name] == 0]
    for _ in range(told.number if hosts and attacks and harmless else 0):
        host = chance.choice(hosts)[: chance.randint(told.shortest_host, told.longest_host)]
        at = chance.choice((0, len(host), chance.choice([0, *(match.end() for match in _SENTENCE_END.finditer(host))])))
        joint = chance.choice(_JOINTS)
        for payload, truth in (("", 0), (chance.choice(attacks), 1), (chance.choice(harmless), 0)):
            text = joint.join(part for part in (host[:at].rstrip(), payload, host[at:].lstrip()) if part)
            yield Row(text, {head.name: truth}, "composed", "composed", "train", told.weight, ordinary=False)
