"""What a proxy tells central of itself: what is in force, what is wrong, how checks came out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.compare import Comparer
from guard.guard import Guard
from guard.policies.bundle import seal
from guard.policies.central import CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.report import Report
from guard.policies.signature import Signer, Trust
from guard.proxy import fleet
from guard.proxy.fleet import Reporter
from tests.fakes import until
from tests.policies.test_central import bundle

SIGNER = Signer.new()


class Central:
    """Answers with a bundle, and keeps what it is told; `answers` is the status of that."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.keys: set[str] = set()
        self.answers: int | httpx.HTTPError = 204
        self.signer = SIGNER
        self.sequence = 1

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, content=seal(bundle(self.sequence), self.signer).model_dump_json())
        assert request.url.path == "/api/v1/projects/shop/environments/production/reports"
        self.keys.add(request.headers["authorization"])
        if isinstance(self.answers, httpx.HTTPError):
            raise self.answers
        self.told.append(Report.model_validate(json.loads(request.content)).model_dump())
        return httpx.Response(self.answers)


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
def live(central: Central, tmp_path: Path) -> LivePolicies:
    following = Following("http://central", "shop", "production", "gk-proxy", Trust([SIGNER.public]))
    return LivePolicies(CentralSource(following, cache=tmp_path, transport=httpx.MockTransport(central)))


@pytest.fixture
def reporting(central: Central, live: LivePolicies, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Reporter]:
    """A reporter that looks for news all the time, and otherwise reports after a second."""
    monkeypatch.setattr(fleet, "LOOK", 0.001)
    monkeypatch.setattr(fleet, "EVERY", 1.0)

    def make() -> Reporter:
        guard = Guard(live)
        return Reporter(live, guard, Comparer(lambda: live.current), None, transport=httpx.MockTransport(central))

    return make


async def test_nothing_is_told_before_anything_is_in_force_and_then_it_is_told_at_once(
    central: Central, live: LivePolicies, reporting: Callable[[], Reporter]
) -> None:
    reporter = reporting()
    assert reporter.report() is None
    async with reporter:
        await asyncio.sleep(0.05)
        assert central.told == []
        live.load()
        await until(lambda: bool(central.told))
    (told,) = central.told[:1]
    assert (told["sequence"], told["problem"], told["events_lost"]) == (1, None, 0)
    assert central.keys == {"Bearer gk-proxy"}


async def test_how_checks_came_out_is_told(
    central: Central, live: LivePolicies, reporting: Callable[[], Reporter]
) -> None:
    live.load()
    reporter = reporting()
    for text in ("one", "one", "one two three"):
        await reporter._guard.acheck(text)
    assert (told := reporter.report())
    assert told.statuses == {"not_triggered": 2, "triggered": 1}


async def test_a_bundle_that_is_refused_is_told_with_the_one_that_stays_in_force(
    central: Central, live: LivePolicies, reporting: Callable[[], Reporter]
) -> None:
    live.load()
    async with reporting():
        await until(lambda: bool(central.told))
        central.signer, central.sequence = Signer.new(), 2
        live.look()
        await until(lambda: central.told[-1]["problem"] is not None)
        assert central.told[-1]["sequence"] == 1
        assert "signature" in central.told[-1]["problem"]
        central.signer = SIGNER
        live.look()
        await until(lambda: central.told[-1]["problem"] is None)
        assert central.told[-1]["sequence"] == 2


@pytest.mark.parametrize("wrong", [503, 401, httpx.ConnectError("nobody there")])
async def test_a_central_that_does_not_take_reports_is_logged_once_and_told_again_later(
    wrong: int | httpx.HTTPError, central: Central, live: LivePolicies, reporting: Callable[[], Reporter],
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(fleet, "EVERY", 0.001)
    central.answers = wrong
    live.load()
    with caplog.at_level(logging.WARNING, "guard.proxy.fleet"):
        async with reporting() as reporter:
            await until(lambda: reporter._failing)
            await asyncio.sleep(0.05)
            central.answers = 204
            await until(lambda: bool(central.told) and not reporter._failing)
    assert caplog.text.count("central could not be told") == 1
    assert "gk-proxy" not in caplog.text
