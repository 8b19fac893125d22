"""From any schema of central's tables to the one that this Guard works with, one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from guard.central.tables import (
    GROWING,
    SCHEMA,
    TABLES,
    blocks,
    code_metrics,
    dataset_blocks,
    datasets,
    job_results,
    jobs,
    schema,
)
from guard.errors import StoreError


def _add_code_metrics(connection: sa.Connection) -> None:
    code_metrics.create(connection)
    for statement in _guards(connection.dialect.name, [code_metrics]):
        connection.exec_driver_sql(statement)


def _add_jobs(connection: sa.Connection) -> None:
    TABLES.create_all(connection, [blocks, datasets, dataset_blocks, jobs, job_results])


#: What a schema needs to become the next one: schema → the step. An empty database is made at the newest at once.
STEPS: Mapping[int, Callable[[sa.Connection], None]] = {1: _add_code_metrics, 2: _add_jobs}


async def migrate(connection: AsyncConnection, name: str) -> None:
    """Make the tables where there are none, and bring older ones up. Raises StoreError for tables of a newer Guard."""
    await connection.run_sync(_migrate, name, SCHEMA, STEPS)


def _migrate(
    connection: sa.Connection, name: str, wanted: int, steps: Mapping[int, Callable[[sa.Connection], None]]
) -> None:
    schema.create(connection, checkfirst=True)
    found = connection.execute(sa.select(schema.c.version)).scalar()
    if found is None:
        TABLES.create_all(connection)
        for statement in _guards(connection.dialect.name, GROWING):
            connection.exec_driver_sql(statement)
        connection.execute(sa.insert(schema).values(one=1, version=wanted))
        return
    if found > wanted:
        raise StoreError(
            f"central's {name} was written by a newer Guard (schema {found}, this one works with {wanted}); "
            "upgrade stageguard, or name another database"
        )
    for version in range(found, wanted):
        steps[version](connection)
    if found < wanted:
        connection.execute(sa.update(schema).values(version=wanted))


def _guards(dialect: str, growing: Iterable[sa.Table]) -> Iterator[str]:
    """What makes the database itself refuse to change what may only grow."""
    if dialect == "postgresql":
        yield (
            "CREATE OR REPLACE FUNCTION central_only_grows() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% only grows', TG_TABLE_NAME; END $$"
        )
    for table in growing:
        if dialect == "postgresql":
            yield (
                f"CREATE TRIGGER {table.name}_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON {table.name} "
                "FOR EACH STATEMENT EXECUTE FUNCTION central_only_grows()"
            )
        else:
            for event in ("UPDATE", "DELETE"):
                yield (
                    f"CREATE TRIGGER {table.name}_no_{event.lower()} BEFORE {event} ON {table.name} "
                    f"BEGIN SELECT RAISE(ABORT, '{table.name} only grows'); END"
                )
