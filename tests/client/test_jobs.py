"""Datasets and jobs through the SDK: what is uploaded, what comes of it, and what happens when something goes wrong."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
import time
from contextlib import AsyncExitStack
from typing import Any

import pytest

from guard.central.jobs import runner
from guard.central.settings import CentralSettings
from guard.client import Client, datasets, frame
from guard.errors import Conflict, Forbidden, Invalid, JobFailed, NotFound, PolicyError, SettingsError
from guard.loop import run
from guard.metrics import Score, Turn
from guard.metrics.metric import Metric
from tests.client.conftest import URL, ruleset, running
from tests.client.test_client import POLICY

ROWS = [{"text": "word " * number, "label": int(number > 3)} for number in range(1, 7)]


class Gate:
    """A metric that lets so many texts through and holds the others back, until it is opened."""

    def __init__(self, through: int) -> None:
        self.through, self.asked = through, []
        self.open = asyncio.Event()
        self.metric = Metric("gate", self.measure)

    async def measure(self, turn: Turn, side: str) -> Score:
        self.asked.append(turn.passages("input")[0])
        if len(self.asked) > self.through:
            await self.open.wait()
        return Score(1.0)

    def at(self, transport: Any) -> None:
        engine = transport.app.state.central.engine
        engine.metrics = engine.metrics.child({"gate": self.metric})


@pytest.fixture(autouse=True)
def _at_once(monkeypatch) -> None:
    """Looks for jobs, and keeps what comes of them, without waiting."""
    monkeypatch.setattr(runner, "LOOK", 0.02)
    monkeypatch.setattr(runner, "EVERY", 0.0)
    monkeypatch.setattr(runner, "BEAT", 0.05)


def ended(job: Any) -> Any:
    return job.get_status(verbose=False, wait_until_finish=True, poll_rate_sec=0.02)


def until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.parametrize("how", ["list", "file", "gzip", "pandas"])
def test_the_same_rows_are_the_same_dataset_however_they_come(client: Client, tmp_path, how: str):
    lines = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in ROWS)
    (tmp_path / "rows.jsonl").write_bytes(lines)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines))
    given = {
        "list": ROWS,
        "file": str(tmp_path / "rows.jsonl"),
        "gzip": tmp_path / "rows.jsonl.gz",
        "pandas": frame(ROWS),
    }
    made = client.datasets.upload("questions", given[how])
    assert (made.digest, made.rows, made.size) == (hashlib.sha256(lines).hexdigest(), 6, len(lines))
    assert client.datasets.upload("questions", ROWS).id == made.id
    assert client.datasets.rows("questions", limit=None) == ROWS
    with pytest.raises(Conflict, match="datasets do not change"):
        client.datasets.upload("questions", ROWS[:2])


def test_a_large_dataset_goes_up_in_blocks_and_is_read_page_by_page(client: Client, monkeypatch):
    monkeypatch.setattr(datasets, "ROWS", 2)
    assert client.datasets.upload("questions", iter(ROWS)).rows == 6
    first = client.datasets.rows("questions", limit=3)
    assert first + client.datasets.rows("questions", limit=3, cursor=first.next) == ROWS
    assert client.datasets.get("questions") == client.datasets.list()[0]


@pytest.mark.parametrize("rows", [[], ["text"], "nowhere.jsonl"])
def test_what_holds_no_rows_is_refused_before_anything_is_sent(client: Client, rows: Any):
    with pytest.raises(SettingsError, match=r"^rows: "):
        client.datasets.upload("questions", rows)
    assert client.datasets.list() == []


def test_a_line_that_is_no_object_is_refused_with_its_number(client: Client, tmp_path):
    (tmp_path / "rows.jsonl").write_bytes(b'{"text": "a"}\n[1]\n')
    with pytest.raises(Invalid, match="line 2"):
        client.datasets.upload("questions", tmp_path / "rows.jsonl")


def test_a_job_scores_rows_and_sets_the_scores_against_labels(client: Client):
    client.datasets.upload("questions", ROWS)
    job = client.jobs.score("questions", ["word_count", "char_count"], label="label", threshold=3.5)
    status = ended(job)
    assert (status.state, status.done, status.total, status.problem) == ("done", 6, 6, "")
    assert list(frame(job.results())["word_count"]) == [1, 2, 3, 4, 5, 6]
    words = next(one for one in job.report()["figures"] if one["metric"] == "word_count")
    assert (words["figures"]["auroc"]["value"], words["figures"]["at"]["recall"]["value"]) == (1, 1)
    assert job.report()["failed"] == {}


def test_a_job_replays_rows_by_two_versions_of_a_policy(client: Client):
    client.datasets.upload("questions", ROWS)
    for words in (3, 5):
        client.policies.draft("support", POLICY.format(words=words))
        client.policies.publish("support")
    job = client.jobs.replay("questions", "support", against=1)
    assert ended(job).state == "done"
    assert [one["allowed"] for one in job.results()] == [True] * 5 + [False]
    assert [one["differs"] for one in job.results()] == [False] * 3 + [True] * 2 + [False]
    report = job.report()
    assert report["came_to"] == {"passthrough": 5, "input: override by long": 1}
    assert report["flipped"] == {"input: override by long → passthrough": 2}
    assert (report["policy"][:9], report["against"][:9]) == (
        "support@" + report["policy"][8],
        "support@" + report["against"][8],
    )


def test_a_row_that_cannot_be_scored_fails_the_job_and_is_named(client: Client):
    client.datasets.upload("questions", [*ROWS, {"txet": "a"}])
    job = client.jobs.score("questions", ["word_count"])
    status = ended(job)
    assert (status.state, status.done) == ("failed", 6)
    assert "row 6: there is no 'text'" in status.problem
    with pytest.raises(JobFailed, match="row 6"):
        job.report()


def test_what_cannot_be_done_is_refused_when_it_is_asked_for(client: Client):
    client.datasets.upload("questions", ROWS)
    with pytest.raises(PolicyError, match="did you mean 'word_count'"):
        client.jobs.score("questions", ["word_cuont"])
    with pytest.raises(NotFound, match="no such dataset"):
        client.jobs.score("answers", ["word_count"])
    client.policies.draft("support", POLICY.format(words=3))
    with pytest.raises(Conflict, match="nothing of policy 'support' is published"):
        client.jobs.replay("questions", "support")
    assert client.jobs.list() == []


def test_a_job_that_is_cancelled_stops_and_keeps_what_it_has(client: Client, central: Any):
    gate = Gate(through=2)
    gate.at(central[0])
    client.datasets.upload("questions", ROWS)
    job = client.jobs.score("questions", ["gate"])
    until(lambda: job.get_status(verbose=False).done == 2)
    assert job.cancel(why="wrong metric").state == "cancelled"
    other = client.jobs.score("questions", ["word_count"])
    assert ended(other).state == "done"
    assert [one["row"] for one in job.results()] == [0, 1]
    with pytest.raises(Conflict, match="cancelled already"):
        job.cancel()


def test_a_job_whose_dataset_is_taken_away_fails(client: Client, central: Any):
    gate = Gate(through=2)
    gate.at(central[0])
    client.datasets.upload("questions", ROWS)
    job = client.jobs.score("questions", ["gate"])
    until(lambda: job.get_status(verbose=False).done == 2)
    client.datasets.remove("questions", why="asked to be forgotten")
    run(set_open(gate))
    status = ended(job)
    assert (status.state, status.problem) == ("failed", "its dataset was taken away meanwhile")
    assert client.datasets.list() == []


async def set_open(gate: Gate) -> None:
    gate.open.set()


def test_a_job_goes_on_behind_the_last_row_after_central_was_restarted(settings: CentralSettings):
    first, second = Gate(through=2), Gate(through=100)
    with AsyncRun(settings, first) as client:
        client.projects.create("shop")
        client.datasets.upload("questions", ROWS)
        job = client.jobs.score("questions", ["gate"])
        until(lambda: job.get_status(verbose=False).done == 2)
        identifier = job.id
    with AsyncRun(settings, second) as client:
        job = client.jobs.get(identifier)
        status = ended(job)
        assert (status.state, status.done) == ("done", 6)
        assert second.asked == [row["text"] for row in ROWS[2:]]
        assert [one["row"] for one in job.results(limit=None)] == [0, 1, 2, 3, 4, 5]


class AsyncRun:
    """A client of a central that is started and ended."""

    def __init__(self, settings: CentralSettings, gate: Gate) -> None:
        self.settings, self.gate, self.stack = settings, gate, AsyncExitStack()

    def __enter__(self) -> Client:
        transport, key = run(self.stack.enter_async_context(running(self.settings)))
        self.gate.at(transport)
        return Client(URL, key, project="shop", transport=transport)

    def __exit__(self, *error: object) -> None:
        run(self.stack.aclose())


def test_jobs_are_listed_the_newest_first_by_state_kind_and_dataset(client: Client):
    client.datasets.upload("questions", ROWS)
    client.datasets.upload("answers", ROWS[:1])
    started = [client.jobs.score(name, ["word_count"]) for name in ("questions", "answers", "answers")]
    for job in started:
        ended(job)
    newest = client.jobs.list(limit=2)
    assert [one.id for one in newest] == [started[2].id, started[1].id]
    assert [one.id for one in client.jobs.list(cursor=newest.next)] == [started[0].id]
    assert len(client.jobs.list(dataset="answers", state="done", kind="score")) == 2
    assert client.jobs.list(state="failed") == client.jobs.list(kind="replay") == []


def test_waiting_verbosely_prints_each_step_once(client: Client, capsys):
    client.datasets.upload("questions", ROWS)
    job = client.jobs.score("questions", ["word_count"])
    job.get_status(verbose=True, wait_until_finish=True, poll_rate_sec=0.01)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == f"job {job.id} done, 6 of 6 rows (100%)"
    assert len(lines) == len(set(lines))


def test_a_viewer_may_look_and_not_start(client: Client, central: Any):
    client.datasets.upload("questions", ROWS)
    viewer = Client(URL, client.keys.create("ann", "viewer").key, project="shop", transport=central[0])
    assert len(viewer.datasets.rows("questions")) == 6
    with pytest.raises(Forbidden):
        viewer.jobs.score("questions", ["word_count"])
    with pytest.raises(Forbidden):
        viewer.datasets.upload("more", ROWS)


def test_events_of_a_projects_checks_become_a_table(client: Client):
    client.projects.create("other")
    for project in (client, client.project("other")):
        project.stages.create("front", rulesets=[ruleset(3)])
        project.stages.check("front", "one two three four", labels={"user": "ann", "app": "web"})
    client.stages.check("front", "hello", labels={"user": "bob"})
    until(lambda: len(client.events.list()) == 2)
    assert [one["status"] for one in client.events.list()] == ["not_triggered", "triggered"]
    (blocked,) = client.events.list(user="ann", status="triggered", stage="front", app="web")
    assert client.events.list(until=blocked["at"] - 1) == []
    table = frame(client.events.list())
    assert list(table["word_count@input"]) == [1, 4]
    assert str(table["at"].dtype).startswith("datetime64") and str(table["at"].dt.tz) == "UTC"
