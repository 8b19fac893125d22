"""The tables of a store of events, for SQLite and Postgres."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from guard.store.event import Event
from guard.store.filter import COLUMNS, Filter, column
from guard.store.ids import first_id

#: Rises with every change of the tables that an older Guard could not read.
SCHEMA = 1

#: Compared byte by byte everywhere: ids sort by time, and a beginning is a range.
_BYTES = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
TABLES = sa.MetaData()
schema = sa.Table(
    "guard_schema",
    TABLES,
    sa.Column("one", sa.Integer, primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
events = sa.Table(
    "guard_events",
    TABLES,
    # The order of arrival. Never used twice, so that nobody who reads on from a place misses an event.
    sa.Column("place", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True),
    sa.Column("id", _BYTES, nullable=False, unique=True),
    sa.Column("request", _BYTES, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    *(sa.Column(name, sa.Text) for name in COLUMNS),
    sa.Column("document", sa.Text, nullable=False),
    sa.Index("guard_events_request", "request"),
    sa.Index("guard_events_status", "status", "id"),
    sqlite_autoincrement=True,
    implicit_returning=False,
)


def where(wanted: Filter) -> sa.ColumnElement[bool]:
    """The condition that a filter is."""
    conditions = [events.c[name] == value for name, value in wanted.equal().items()]
    if wanted.since is not None:
        conditions.append(events.c.id >= first_id(wanted.since))
    if wanted.until is not None:
        conditions.append(events.c.id < first_id(wanted.until))
    return sa.and_(sa.true(), *conditions)


def row(event: Event) -> dict[str, Any]:
    """An event as a row: the columns to filter by, and all of it as JSON."""
    cells: dict[str, Any] = {name: column(event, name) for name in COLUMNS}
    cells |= {"id": event.id, "request": event.request, "at": event.at, "document": event.to_json().decode()}
    return cells
