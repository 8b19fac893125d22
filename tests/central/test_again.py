"""A request that is sent again is done once; limits; and what a central that ends in the middle leaves."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from guard.central.limits import Limiter
from guard.central.settings import CentralSettings
from guard.errors import RateLimited
from tests.central.conftest import At, central, first_key

ONCE = {"idempotency-key": "a-1"}


async def test_a_request_sent_again_is_answered_as_before_and_done_once(admin: At) -> None:
    first = await admin.post("/projects", headers=ONCE, name="shop")
    assert await admin.post("/projects", headers=ONCE, name="shop") == first
    assert len((await admin.get("/projects"))["items"]) == 1
    assert len([one for one in (await admin.get("/audit"))["items"] if one["action"] == "create project"]) == 1


async def test_the_same_key_with_another_request_is_refused_and_of_another_caller_counts_apart(admin: At) -> None:
    await admin.post("/projects", headers=ONCE, name="shop")
    await admin.post("/projects", 422, headers=ONCE, name="bank")
    other = await admin.key_for("admin", None)
    await other.post("/projects", headers=ONCE, name="bank")
    await admin.post("/projects", 422, headers={"idempotency-key": "x" * 256}, name="third")


async def test_a_key_that_was_made_is_not_shown_again(admin: At) -> None:
    first = await admin.post("/keys", headers=ONCE, name="ci", role="viewer")
    again = await admin.post("/keys", headers=ONCE, name="ci", role="viewer")
    assert (again["id"], again["key"]) == (first["id"], "")
    await At(admin.http, first["key"]).get("/projects")


async def test_what_was_refused_for_want_of_a_key_may_be_tried_again_with_one(admin: At) -> None:
    await At(admin.http, "gk-wrong").post("/projects", 401, headers=ONCE, name="shop")
    await admin.post("/projects", headers=ONCE, name="shop")


async def test_two_at_once_are_done_once(admin: At) -> None:
    url, headers = "http://central/api/v1/projects", {"authorization": f"Bearer {admin.key}", **ONCE}
    posts = [admin.http.post(url, json={"name": "shop"}, headers=headers) for _ in range(4)]
    statuses = sorted([response.status_code for response in await asyncio.gather(*posts)])
    assert set(statuses) <= {201, 409} and 201 in statuses
    assert len((await admin.get("/projects"))["items"]) == 1


async def test_a_body_that_is_too_large_is_refused_unread(settings: CentralSettings) -> None:
    async with central(settings.model_copy(update={"max_body": 1_000})) as http:
        response = await http.post("http://central/api/v1/projects", content=b"x" * 1_001)
        assert (response.status_code, response.json()["error"]["code"]) == (413, "request_too_large")


async def test_a_key_that_asks_too_often_is_told_when_to_go_on(settings: CentralSettings) -> None:
    async with central(settings.model_copy(update={"rate": 0.001, "burst": 2})) as http:
        headers = {"authorization": f"Bearer {await first_key(settings)}"}
        answers: list[httpx.Response] = []
        for _ in range(3):
            answers.append(await http.get("http://central/api/v1/projects", headers=headers))
        assert [one.status_code for one in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) > 1


def test_a_bucket_fills_again_with_time() -> None:
    now = [0.0]
    limiter = Limiter(2.0, 3, clock=lambda: now[0])
    for _ in range(3):
        limiter.take("a")
    with pytest.raises(RateLimited):
        limiter.take("a")
    limiter.take("b")
    now[0] = 0.5
    limiter.take("a")
    with pytest.raises(RateLimited):
        limiter.take("a")
