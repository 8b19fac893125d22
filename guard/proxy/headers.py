"""What every response says of the checks behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from guard.guard import Exchange, Verdict
from guard.stages import Status

#: Nothing was left unread.
NONE: Mapping[str, int] = {}
#: Outcomes that decided nothing, in the order in which they tell more.
_QUIET = (Status.SKIPPED, Status.PAUSED, Status.NOT_TRIGGERED)


def guard_headers(exchange: Exchange, *, unread: Mapping[str, int] = NONE) -> dict[str, str]:
    """The `x-guard-…` headers for what has been checked so far."""
    verdicts = exchange.verdicts
    headers = {
        "x-guard-status": str(status(verdicts)),
        "x-guard-policy": exchange.policy.label,
        "x-guard-coverage": coverage(verdicts, unread),
        "x-guard-ms": f"{sum(verdict.millis for verdict in verdicts):.2f}",
    }
    if verdicts:
        headers["x-guard-event"] = deciding(verdicts).event
    return headers


def summary(exchange: Exchange, *, unread: Mapping[str, int] = NONE) -> str:
    """The same as one line, for the end of a stream, whose headers left before its output was read."""
    return " ".join(f"{name}={value}" for name, value in guard_headers(exchange, unread=unread).items())


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


def coverage(verdicts: Sequence[Verdict], unread: Mapping[str, int]) -> str:
    """`stage=run/failed/skipped` for each stage, the metrics by name and joined by +, `-` where there are none.

    Names may hold any character, and a header may not: those others than letters, digits and `_.-~` are %-encoded.
    `unread` comes last: how many parts of the request are no text, by kind.
    """
    # Where a stage was asked several times, as for the parts of a long list, it tells of them together.
    found: dict[str, tuple[dict[str, None], dict[str, None], dict[str, None]]] = {}
    for verdict in verdicts:
        covered = verdict.decision.coverage
        parts = found.setdefault(verdict.decision.stage.kind, ({}, {}, {}))
        for names, probes in zip(parts, (covered.run, (*covered.failed, *covered.late), covered.skipped), strict=True):
            names.update(dict.fromkeys(quote(probe.metric, safe="") for probe in probes))
    stages = [f"{kind}=" + "/".join("+".join(names) or "-" for names in parts) for kind, parts in found.items()]
    if unread:
        stages.append("unread=" + "+".join(f"{quote(kind, safe='')}:{number}" for kind, number in unread.items()))
    # A stream reads each of its texts by itself, all of them alike.
    return ", ".join(dict.fromkeys(stages)) or "none"
