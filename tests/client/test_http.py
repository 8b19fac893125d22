"""What the SDK does about servers that refuse, are busy, or break off."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from guard.client.http import Http, path_of
from guard.errors import (
    BadRequest,
    Busy,
    Conflict,
    Forbidden,
    GuardError,
    Invalid,
    NoPolicy,
    NotFound,
    PolicyError,
    RateLimited,
    ServerError,
    SettingsError,
    TooLarge,
    Unauthorised,
    Unreachable,
)

KEY = "gk-secret"


class Server:
    """Gives one answer after the other, the last one for ever, and keeps what it was asked."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[httpx.Request] = []
        self.slept: list[float] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def http(self, **given: Any) -> Http:
        return Http("http://central", KEY, transport=httpx.MockTransport(self), sleep=self.sleep, **given)


def answer(status: int, code: str = "x", message: str = "the server's words", param: str | None = None, **headers: str):
    error = {"error": {"message": message, "type": "t", "param": param, "code": code}}
    return httpx.Response(status, json=error, headers=headers)


GOOD = httpx.Response(200, json={"name": "shop"})


async def test_a_server_that_is_busy_is_asked_again_when_it_says():
    server = Server(answer(429, **{"retry-after": "7"}), answer(503), GOOD)
    assert await server.http().ask("GET", "/x") == {"name": "shop"}
    assert server.slept[0] == 7
    assert 0 < server.slept[1] <= 8


async def test_pauses_grow_and_are_bounded():
    server = Server(answer(503))
    with pytest.raises(Busy):
        await server.http(retries=8).ask("GET", "/x")
    assert len(server.asked) == 9
    assert server.slept[-1] > server.slept[0]
    assert max(server.slept) <= 8


async def test_a_server_that_asks_for_more_than_a_minute_is_not_waited_for():
    server = Server(httpx.Response(429, headers={"retry-after": "3600"}, json={"error": {"message": "tomorrow"}}))
    with pytest.raises(RateLimited, match="tomorrow") as raised:
        await server.http().ask("GET", "/x")
    assert (raised.value.retry_after, server.slept) == (3600, [])


@pytest.mark.parametrize(
    "broken", [httpx.ConnectError("no"), httpx.ReadTimeout("late"), httpx.RemoteProtocolError("x")]
)
async def test_a_connection_that_breaks_is_tried_again_and_told_in_the_end(broken: Exception):
    assert await Server(broken, GOOD).http().ask("POST", "/x", {}) == {"name": "shop"}
    server = Server(broken)
    with pytest.raises(Unreachable, match="http://central cannot be asked"):
        await server.http(retries=2).ask("POST", "/x", {})
    assert len(server.asked) == 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_change_is_tried_again_under_the_same_key_and_the_next_one_has_another(method: str):
    server = Server(httpx.ReadTimeout("late"), GOOD)
    http = server.http()
    await http.ask(method, "/x")
    await http.ask(method, "/x")
    first, again, other = [request.headers["idempotency-key"] for request in server.asked]
    assert first == again != other


async def test_what_changes_nothing_carries_no_such_key():
    server = Server(GOOD)
    await server.http().ask("GET", "/x")
    await server.http().ask("POST", "/x", {}, changes=False)
    assert ["idempotency-key" in request.headers for request in server.asked] == [False, False]


async def test_a_request_whose_first_try_is_still_under_way_is_asked_for_again():
    under_way = answer(409, "conflict", param="Idempotency-Key")
    assert await Server(under_way, GOOD).http().ask("POST", "/x", {}) == {"name": "shop"}


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "invalid_request", BadRequest),
        (401, "invalid_api_key", Unauthorised),
        (403, "forbidden", Forbidden),
        (403, "no_policy", NoPolicy),
        (404, "not_found", NotFound),
        (409, "conflict", Conflict),
        (413, "request_too_large", TooLarge),
        (422, "invalid", Invalid),
        (422, "invalid_policy", PolicyError),
        (429, "rate_limit_exceeded", RateLimited),
        (500, "guard_error", ServerError),
        (502, "upstream_error", ServerError),
        (503, "unavailable", Busy),
    ],
)
async def test_every_refusal_is_raised_as_what_it_is_in_the_servers_words(
    status: int, code: str, kind: type[GuardError]
):
    server = Server(answer(status, code, param="name"))
    with pytest.raises(kind, match="the server's words") as raised:
        await server.http(retries=0).ask("GET", "/x")
    assert type(raised.value) is kind
    assert getattr(raised.value, "param", "name") == "name"


async def test_a_refusal_that_would_come_again_is_not_tried_again():
    for status in (400, 401, 403, 404, 409, 413, 422, 500):
        server = Server(answer(status))
        with pytest.raises(GuardError):
            await server.http().ask("POST", "/x", {})
        assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (httpx.Response(404, html="<h1>nginx</h1>"), NotFound),
        (httpx.Response(500, json=["no", "error"]), ServerError),
        (httpx.Response(302, headers={"location": "/login"}), ServerError),
        (httpx.Response(200, html="<h1>hello</h1>"), Unreachable),
    ],
)
async def test_a_server_that_is_not_guard_is_told_as_that(page: httpx.Response, kind: type[GuardError]):
    with pytest.raises(kind, match="is it Guard's address"):
        await Server(page).http().ask("GET", "/x")


async def test_the_key_is_sent_as_a_header_and_stands_in_no_error():
    server = Server(httpx.ConnectError("no"))
    with pytest.raises(Unreachable) as raised:
        await server.http(retries=0).ask("GET", "/x")
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(raised.value)


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_leads_elsewhere_is_refused(name: str):
    with pytest.raises(Invalid):
        path_of("projects", name)


def test_names_stay_one_step_of_the_path():
    assert path_of("stages", "a/b?c d") == "/stages/a%2Fb%3Fc%20d"


@pytest.mark.parametrize("url", ["central", "ftp://central", "http://"])
def test_an_address_that_is_none_is_refused(url: str):
    with pytest.raises(SettingsError, match="is no address"):
        Http(url, KEY)


def test_a_password_in_the_address_is_not_shown():
    assert "secret" not in Http("http://me:secret@central", KEY).url
