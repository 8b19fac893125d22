"""Jobs in the records, on SQLite and on Postgres: who works on what, and what is kept for how long."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator

import pytest

from guard.central.central import open_database
from guard.central.change import changing
from guard.central.migrations import migrate
from guard.central.principal import OPERATOR
from guard.central.records import datasets, jobs, projects
from guard.central.tables import SCHEMA, dataset_blocks, job_results, schema
from guard.central.tables import blocks as block_table
from guard.central.tables import datasets as dataset_table
from guard.central.tables import jobs as job_table
from guard.errors import TooLarge
from guard.store.database import Database
from tests.central.conftest import At

LINES = b'{"text": "a"}\n{"text": "b"}\n'
DIGEST = hashlib.sha256(LINES).hexdigest()
NOW = time.time()


@pytest.fixture
async def records(central_url: str) -> AsyncIterator[tuple[Database, str]]:
    """Records with one dataset and one job: the database, and the job's id."""
    database = await open_database(central_url)
    async with changing(database, OPERATOR) as change:
        project = await projects.create(change, "shop")
        await datasets.keep_block(change.connection, project, DIGEST, LINES, 2, now=NOW, most=1000)
        made = await datasets.create(change, project, "q", description="", digest=DIGEST, of=[DIGEST], most=1000)
        dataset = await datasets.find(change.connection, project, made)
        job = await jobs.create(change, project, dataset, {"kind": "score", "metrics": ["word_count"]})
    yield database, job
    await database.close()


async def test_a_job_is_one_processs_until_that_is_silent_and_goes_on_where_it_was(records):
    database, job = records
    async with database.writing() as connection:
        assert (await jobs.claim(connection, "one", NOW)).id == job
        assert await jobs.claim(connection, "two", NOW + jobs.SILENT - 1) is None
        assert await jobs.keep(connection, job, "one", [(0, "{}")])
        assert await jobs.hear(connection, job, "one", NOW + 10)
        assert await jobs.claim(connection, "two", NOW + jobs.SILENT + 5) is None
        assert (await jobs.claim(connection, "two", NOW + jobs.SILENT + 11)).done == 1
        assert not await jobs.hear(connection, job, "one", NOW + 99)
        assert not await jobs.keep(connection, job, "one", [(1, "{}")])
        await jobs.end(connection, job, "one", "done", NOW)
        assert [one.state for one in await jobs.page(connection, await _project(connection), before=None, limit=9)] == [
            "running"
        ]


async def test_a_job_that_ends_its_process_three_times_is_given_up_with_the_reason(records):
    database, job = records
    async with database.writing() as connection:
        for attempt in range(jobs.TRIES):
            assert (await jobs.claim(connection, "r", NOW + attempt * 100)).tries == attempt + 1
        assert await jobs.claim(connection, "r", NOW + 1000) is None
        found = await jobs.find(connection, await _project(connection), job)
    assert (found.state, found.problem[:21]) == ("failed", "central ended 3 times")


async def test_a_job_that_is_put_back_was_not_begun_in_vain(records):
    database, job = records
    async with database.writing() as connection:
        for _ in range(2 * jobs.TRIES):
            assert (await jobs.claim(connection, "r", NOW)).id == job
            await jobs.put_back(connection, job, "r")
        assert await jobs.waits(connection, NOW)


async def test_ended_jobs_go_with_their_results_when_they_are_old(records):
    database, job = records
    async with database.writing() as connection:
        await jobs.claim(connection, "r", NOW)
        await jobs.keep(connection, job, "r", [(0, "{}"), (1, "{}")])
        await jobs.end(connection, job, "r", "done", NOW)
        await jobs.prune(connection, NOW - 1)
        assert len(await jobs.result_page(connection, job, after=-1, limit=9)) == 2
        await jobs.prune(connection, NOW + 1)
        assert await jobs.result_page(connection, job, after=-1, limit=9) == []
        assert await jobs.page(connection, await _project(connection), before=None, limit=9) == []


async def test_rows_are_read_from_any_of_them_on(records):
    database, _ = records
    async with database.reading() as connection:
        dataset = (await datasets.find(connection, await _project(connection), "q")).id
    assert [one async for one in datasets.lines(database, dataset, 1)] == [[(1, b'{"text": "b"}')]]


async def test_blocks_without_a_dataset_are_bounded_and_go_after_a_day(records):
    database, _ = records
    async with database.writing() as connection:
        project = await _project(connection)
        for content in (b"1" * 1000, b"2" * 1000):
            digest = hashlib.sha256(content).hexdigest()
            await datasets.keep_block(connection, project, digest, content, 1, now=NOW, most=1000)
        with pytest.raises(TooLarge):
            await datasets.keep_block(connection, project, "0" * 64, b"3", 1, now=NOW + 60, most=1000)
        later = NOW + datasets.WAITING + 60
        await datasets.keep_block(connection, project, "0" * 64, b"3", 1, now=later, most=1000)
        kept = (await connection.execute(block_table.select())).all()
    assert {row.digest for row in kept} == {DIGEST, "0" * 64}


async def test_a_database_of_the_schema_before_datasets_is_brought_up(central_url: str):
    database = await open_database(central_url)
    async with database.writing() as connection:
        for table in (block_table, dataset_table, dataset_blocks, job_table, job_results):
            await connection.run_sync(table.drop)
        await connection.execute(schema.update().values(version=2))
    async with database.writing() as connection:
        await migrate(connection, "database")
        assert (await connection.execute(job_table.select())).all() == []
        assert await connection.scalar(schema.select().with_only_columns(schema.c.version)) == SCHEMA
    await database.close()


@pytest.mark.parametrize(
    ("digest", "blocks", "status"),
    [("0" * 64, [DIGEST], 422), (DIGEST, ["0" * 64], 404), (DIGEST, [DIGEST, DIGEST], 422)],
)
async def test_a_dataset_that_is_not_what_its_hash_says_is_refused(admin: At, digest: str, blocks: list, status: int):
    await admin.project()
    upload = f"/projects/shop/blocks/{DIGEST}"
    await admin("PUT", upload.replace(DIGEST, "1" * 64), 422, content=LINES)
    response = await admin.http.put(
        f"http://central/api/v1{upload}", content=LINES, headers={"authorization": f"Bearer {admin.key}"}
    )
    assert response.status_code == 204
    await admin.post("/projects/shop/datasets", status, name="q", digest=digest, blocks=blocks)
    assert (await admin.get("/projects/shop/datasets"))["items"] == []


async def _project(connection) -> str:
    return (await projects.find(connection, "shop")).id
