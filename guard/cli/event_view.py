"""Events on a terminal: a table of many, one in full."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table
from rich.text import Text

from guard.store import Event
from guard.store.recorded import Asked, Measured, probe_of

#: Texts come from users: what a terminal would obey is shown as a replacement character.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
#: As much of an id as tells events apart: its time, to a quarter of a microsecond.
SHORT_ID = 18
_STYLE = {"triggered": "yellow", "failed": "red", "timeout": "red", "error": "red", "not_triggered": "green"}


def show_events(console: Console, events: Sequence[Event], *, header: bool = True) -> None:
    """A table: when and which, whose, where, how it came out, by what, and why."""
    if not events:
        if header:
            console.print("no events", style="dim")
        return
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim", show_header=header, expand=True)
    table.add_column("time, id", width=19)
    # Fixed, so that the rows that `tail -f` adds stand under those before.
    for name, width in (("app", 11), ("stage", 11), ("status", 13), ("ruleset", 15)):
        table.add_column(name, width=width, overflow="fold")
    table.add_column("why", ratio=1, overflow="fold")
    for event in events:
        when = Text(_when(event.at)).append("\n" + event.id[:SHORT_ID], style="dim")
        why = event.explanation.removeprefix(f"Stage {event.stage} ").replace(f" by ruleset '{event.ruleset}':", ":")
        status, ruleset = _status(event.status), plain(event.ruleset or "")
        table.add_row(when, plain(event.app), plain(event.stage), status, ruleset, plain(why))
    console.print(table)


def show_event(console: Console, event: Event) -> None:
    """One event: what was decided and why, every ruleset and measurement, and the text as it is stored."""
    console.print(plain(event.explanation), style="bold")
    console.print(_facts(event))
    if event.outcomes:
        console.print(_rulesets(event))
    if event.measured:
        console.print(_measurements(event))
    for side, passages in event.text.items():
        for number, passage in enumerate(passages, 1):
            title = f"text of {side}" + (f" {number} of {len(passages)}" if len(passages) > 1 else "")
            console.print(Text(title, style="dim"))
            console.print(plain(passage))
    console.print()


def plain(text: str) -> Text:
    """The text as it is, without markup, and without anything that a terminal would obey."""
    return Text(_CONTROL.sub("\ufffd", text))


def _facts(event: Event) -> Table:
    table = Table.grid(padding=(0, 2, 0, 0))
    coverage = "; ".join(f"{how} {', '.join(names)}" for how, names in event.coverage.items() if names)
    characters = ", ".join(f"{count} of {side}" for side, count in event.characters.items())
    labels = ", ".join(f"{name} {value}" for name, value in event.labels.items())
    facts = {
        "event": event.id,
        "request": event.request,
        "time": f"{_when(event.at)}, took {event.millis:.1f} ms",
        "project, app": f"{event.project}, {event.app}" if event.app else event.project,
        "policy": f"{event.policy}@{event.revision}",
        "stage": event.stage if event.stage == event.kind else f"{event.stage} ({event.kind})",
        "status": event.status,
        "action": event.action + (f" by ruleset {event.ruleset}" if event.ruleset else ""),
        "metrics": coverage,
        "characters": characters,
        "not read": ", ".join(f"{count} {kind}" for kind, count in event.unread.items()),
        "labels": labels,
    }
    for name, value in facts.items():
        if value:
            table.add_row(Text(name, style="dim"), _status(value) if name == "status" else plain(value))
    return table


def _rulesets(event: Event) -> Table:
    table = Table("ruleset", "mode", "status", "rules", box=None, header_style="dim", pad_edge=False)
    for outcome in event.outcomes:
        rules = "\n".join(
            f"{_probe(rule, event)} {rule['operator']} {_target(rule['target_value'])}".rstrip() + f": {rule['status']}"
            for rule in outcome["rules"]
        )
        table.add_row(plain(outcome["name"]), outcome["mode"], _status(outcome["status"]), plain(rules))
    return table


def _measurements(event: Event) -> Table:
    table = Table("metric", "value", "found", "ms", box=None, header_style="dim", pad_edge=False)
    for entry in event.measured:
        value, found = _value(entry)
        table.add_row(plain(_probe(entry, event)), value, plain(found), f"{entry['millis']:.1f}")
    return table


def _value(entry: Measured) -> tuple[Text, str]:
    if "value" not in entry:
        return Text("late" if entry.get("timed_out") else "failed", style="red"), entry.get("error", "")
    value = entry["value"]
    shown = f"{value:.4g}" if isinstance(value, (int, float)) else value if isinstance(value, str) else ""
    found = ", ".join(entry.get("labels") or ())
    return plain(shown), "; ".join(part for part in (found, entry.get("reason", "")) if part)


def _probe(entry: Asked, event: Event) -> str:
    metric, of, only = probe_of(entry)
    return f"{metric}{'' if of == event.kind else f' of {of}'}{f' ({only})' if only else ''}"


def _target(target: object) -> str:
    if isinstance(target, list):
        return f"[{', '.join(map(str, target))}]"
    return "" if target is None else str(target)


def _status(status: str) -> Text:
    return Text(status, style=_STYLE.get(status, ""))


def _when(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
