"""What every response says of the checks behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from urllib.parse import quote

from guard.guard import Exchange
from guard.metrics import Probe, Side
from guard.stages import Status
from guard.verdict import Verdict

#: Outcomes that decided nothing, in the order in which they tell more.
_QUIET = (Status.SKIPPED, Status.PAUSED, Status.NOT_TRIGGERED)
_NONE: Mapping[str, int] = MappingProxyType({})


def guard_headers(exchange: Exchange) -> dict[str, str]:
    """The `x-guard-…` headers for what has been checked so far."""
    verdicts = exchange.verdicts
    headers = {
        "x-guard-status": str(status(verdicts)),
        "x-guard-policy": exchange.policy.label,
        "x-guard-coverage": coverage(verdicts, exchange.unread, exchange.unread_output),
        "x-guard-read": characters(verdicts),
        "x-guard-ms": f"{sum(verdict.millis for verdict in verdicts):.2f}",
    }
    if verdicts:
        headers["x-guard-event"] = deciding(verdicts).event
    return headers


def summary(exchange: Exchange) -> str:
    """The same as one line, for the end of a stream, whose headers left before its output was read."""
    return " ".join(f"{name}={value}" for name, value in guard_headers(exchange).items())


def status(verdicts: Sequence[Verdict]) -> Status:
    """How the whole exchange came out: as its deciding stage did."""
    return deciding(verdicts).decision.status if verdicts else Status.SKIPPED


def deciding(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict that stopped or changed the turn, else the first that triggered or failed, else the last one."""
    for verdict in verdicts:
        if not verdict.allowed:
            return verdict
    for verdict in verdicts:
        if verdict.decision.status not in _QUIET:
            return verdict
    return max(reversed(verdicts), key=lambda verdict: _QUIET.index(verdict.decision.status))


def coverage(verdicts: Sequence[Verdict], unread: Mapping[str, int], unread_output: Mapping[str, int] = _NONE) -> str:
    """`stage=run/failed/skipped` for each stage, the metrics by name and joined by +, `-` where there are none.

    `:only` behind a name says that a rule chose what the metric read, `:late` that it failed by being late, `:observed`
    behind a stage that a stream was released unread. Names may hold any character, and a header may not: those others
    than letters, digits and `_.-~` are %-encoded. `unread` comes last: how many parts of the request are no text, by
    kind; then `unread:output`, those of the answer.
    """
    stages: dict[str, tuple[dict[str, None], dict[str, None], dict[str, None]]] = {}
    for verdict in verdicts:
        stage, covered = verdict.decision.stage, verdict.decision.coverage
        # One stage reads several texts of a streamed answer, each on its own.
        known = stages.setdefault(f"{stage.kind}:observed" if stage.watched else stage.kind, ({}, {}, {}))
        known[0].update(dict.fromkeys(map(_name, covered.run)))
        known[1].update(dict.fromkeys((*map(_name, covered.failed), *(f"{_name(one)}:late" for one in covered.late))))
        known[2].update(dict.fromkeys(map(_name, covered.skipped)))
    said = [f"{stage}={'/'.join('+'.join(names) or '-' for names in parts)}" for stage, parts in stages.items()]
    for name, counted in (("unread", unread), ("unread:output", unread_output)):
        if counted:
            said.append(f"{name}=" + "+".join(f"{quote(kind, safe='')}:{number}" for kind, number in counted.items()))
    return ", ".join(said) or "none"


def characters(verdicts: Sequence[Verdict]) -> str:
    """`side=number` for each side of which a metric read so many characters."""
    read: dict[Side, int] = {}
    for verdict in verdicts:
        own = verdict.decision.stage.kind
        for side, number in verdict.read.items():
            # Its own side's texts a stage reads one after the other; another side's it only looks at again.
            read[side] = read.get(side, 0) + number if side == own else max(read.get(side, 0), number)
    return ", ".join(f"{side}={number}" for side, number in read.items()) or "none"


def _name(probe: Probe) -> str:
    return quote(probe.metric, safe="") + (":only" if probe.only else "")
