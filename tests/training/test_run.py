"""A whole run on the smallest of networks: it may be stopped anywhere, and stops by itself when it gains no more."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import torch

from guard.errors import SettingsError
from guard.training import run as runs
from guard.training import stream as streams
from guard.training import validate
from guard.training.run import Run
from tests.training import tiny

pytestmark = pytest.mark.slow


class Stopped(Exception):
    pass


class Watched:
    """Keeps what was said and how much was done; stops the run once a piece of work has come so far."""

    def __init__(self, stop=None, after=0):
        self.said, self.done = [], {}
        self._stop, self._after = stop, after

    @contextmanager
    def task(self, what, total):
        self.done[what] = [0, total]

        def step(number):
            self.done[what][0] += number
            if what == self._stop and self.done[what][0] >= self._after:
                raise Stopped

        yield step

    def say(self, line):
        self.said.append(line)


@pytest.fixture(autouse=True, scope="module")
def small_pools():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "POOL", 24)
        patch.setattr(runs, "CHECKPOINT", 0.0)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder for a spec, data and an encoder to start from."""
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def made(place):
    """A function that starts a run in a folder."""
    file, data = tiny.prepare(place, start=True)

    def start(work, watch=None, without=frozenset(), spec=file):
        with pytest.MonkeyPatch.context() as patch:
            patch.syspath_prepend(place)
            return Run(spec, data, work, "cpu", without, watch or Watched())

    return start


@pytest.fixture(scope="module")
def whole(made, tmp_path_factory):
    """A run that was not stopped: its folder, and what it came to."""
    work = tmp_path_factory.mktemp("whole")
    return work, made(work)()


def told(work):
    return [json.loads(line) for line in (work / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_a_run_trains_its_rounds_and_judges_each(whole):
    work, trained = whole
    rounds = [line for line in told(work) if "overall" in line]
    assert [line["round"] for line in rounds] == [1, 2]
    assert set(trained.areas["prompt_injection"]) == {"attacks", "*"}
    assert set(trained.areas["context_adherence"]) == {"answers", "*"}
    assert trained.areas == max(rounds, key=lambda line: line["overall"])["areas"]


def test_between_rounds_the_model_is_mined_for_what_it_gets_wrong(whole):
    lines = (whole[0] / "mined-2-prompt_injection.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["source"] for line in lines] == ["plain"] * 5
    assert not (whole[0] / "mined-1-prompt_injection.jsonl").exists()


@pytest.mark.parametrize("stop", ["round 1 of 2", "mining for prompt_injection", "round 2 of 2"])
def test_a_run_that_is_stopped_and_goes_on_comes_to_the_very_same(made, whole, tmp_path, stop):
    with pytest.raises(Stopped):
        made(tmp_path, Watched(stop, 1 if "mining" in stop else 400))()
    watch = Watched()
    again = made(tmp_path, watch)()
    expected = whole[1].network.state_dict()
    assert watch.said[0] == f"going on in round {1 if '1' in stop else 2}" or stop == "round 1 of 2"
    assert all(torch.equal(value, expected[name]) for name, value in again.network.state_dict().items())
    assert again.areas == whole[1].areas


def test_a_run_that_is_finished_gives_its_result_again(made, whole):
    watch = Watched()
    again = made(whole[0], watch)()
    assert again.areas == whole[1].areas
    assert not any(what.startswith("round") for what in watch.done)


def test_a_run_stops_when_it_gains_no_more_and_keeps_its_best(made, tmp_path, monkeypatch):
    spec, _ = tiny.prepare(
        tmp_path, rounds=[{"tokens": 300, "rate": 0.001, "last_rate": 0.001}] * 5,
        encoder={"files": tiny.package(tmp_path)},
    )  # fmt: skip
    gains = iter([0.7, 0.9, 0.8, 0.85, 0.99])
    monkeypatch.setattr(validate, "overall", lambda table: next(gains))
    work, watch = tmp_path / "work", Watched()
    run = made(work, watch, spec=spec)
    kept = {}
    judge = run._told

    def noted(said):
        if "overall" in said:
            kept[said["round"]] = {name: value.clone() for name, value in run._trainer.mean.state_dict().items()}
        judge(said)

    run._told = noted
    trained = run()
    assert list(kept) == [1, 2, 3, 4]
    assert "no gain any more: stopped early" in watch.said
    assert all(torch.equal(value, kept[2][name]) for name, value in trained.network.state_dict().items())


def test_a_round_that_was_told_twice_counts_once(made, whole, tmp_path):
    lines = [
        {"round": 1, "overall": 0.9},
        {"round": 2, "overall": 0.8},
        {"round": 2, "overall": 0.85},
        {"step": 50},
    ]
    run = made(tmp_path)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    run._trainer.round = 2
    assert run._gains() == [0.9, 0.85]


def test_another_spec_in_the_same_folder_is_refused_with_the_fix(made, whole, place, tmp_path):
    other = tmp_path / "other.yaml"
    spec = (place / "spec.yaml").read_text(encoding="utf-8")
    other.write_text(spec.replace("name: tiny", "name: other"), encoding="utf-8")
    with pytest.raises(SettingsError, match="holds a run of another spec; give this one another folder with --work"):
        made(whole[0], spec=other)
    with pytest.raises(SettingsError, match="--work"):
        made(whole[0], without=frozenset({"abuse"}))


def test_a_spec_that_was_refused_can_be_put_right_in_the_same_folder(made, place, tmp_path):
    bad = tmp_path / "bad.yaml"
    spec = (place / "spec.yaml").read_text(encoding="utf-8")
    bad.write_text(spec.replace("file: abuse.jsonl.gz", "file: absent.jsonl.gz"), encoding="utf-8")
    with pytest.raises(SettingsError, match=r"absent\.jsonl\.gz is missing"):
        made(tmp_path / "work", spec=bad)
    bad.write_text(spec, encoding="utf-8")
    assert made(tmp_path / "work", spec=bad).spec.name == "tiny"


def test_only_a_source_that_there_is_can_be_left_out(made, tmp_path):
    with pytest.raises(SettingsError, match="no source 'absue' to leave out"):
        made(tmp_path, without=frozenset({"absue"}))
