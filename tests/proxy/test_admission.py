"""A worker takes on so much at once, lets some wait for a while, and refuses the rest before anything is asked."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from guard.errors import Overloaded
from guard.guard import Guard
from guard.metrics import measure as measuring
from guard.proxy.admission import Admission
from guard.proxy.app import create_app
from guard.proxy.files import OTHERS
from guard.proxy.watched import look_at
from guard.settings import Settings
from guard.telemetry import Meters
from tests.fakes import ScriptedUpstream, fixed, override, policy_of, rule, until
from tests.telemetry.scrape import figures_of

CHAT, MESSAGES = "/v1/chat/completions", "/v1/messages"
BODY = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


class HeldUpstream(ScriptedUpstream):
    """A provider that does not answer, nor go on with a stream behind its first event, before it may."""

    def __init__(self):
        super().__init__("fine")
        self.may_answer = asyncio.Event()

    async def complete(self, path, body, headers):
        self.bodies.append(body)
        await self.may_answer.wait()
        return await ScriptedUpstream().complete(path, body, headers)

    async def stream(self, path, body, headers):
        async for number, event in numbered(super().stream(path, body, headers)):
            if number == 1:
                await self.may_answer.wait()
            yield event


async def numbered(events):
    number = 0
    async for event in events:
        yield number, event
        number += 1


class Serving:
    """A proxy in this loop, its provider and its admission."""

    def __init__(self, app, upstream, http):
        self.app, self.upstream, self.http = app, upstream, http
        self.admission = app.state.proxy.admission

    def ask(self, path=CHAT, **more):
        return asyncio.create_task(self.http.post(path, json={**BODY, **more}))

    async def until(self, **load):
        await until(lambda: load.items() <= self.admission.load.items())


@pytest.fixture
def serving(settings):
    @asynccontextmanager
    async def serve(**more):
        upstream = HeldUpstream()
        app = create_app(settings(**{"queue_timeout": 60, **more}), upstream=upstream)
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://g") as http,
        ):
            yield Serving(app, upstream, http)

    return serve


async def test_beyond_those_under_way_some_wait_and_the_rest_is_refused_before_the_provider_is_asked(serving):
    async with serving(max_requests=2, queue=1) as it:
        let_in = [it.ask(), it.ask()]
        await it.until(requests=2)
        waits = it.ask()
        await it.until(waiting=1)
        refused = await it.ask()
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "overloaded"
        assert len(it.upstream.bodies) <= 2
        it.upstream.may_answer.set()
        assert [answer.status_code for answer in await asyncio.gather(*let_in, waits)] == [200] * 3
        assert it.admission.load == {"requests": 0, "streams": 0, "waiting": 0, "uploads": 0, "measurements": 0}


async def test_who_waits_too_long_is_refused_and_leaves_no_trace(serving):
    async with serving(max_requests=1, queue=5, queue_timeout=0.01) as it:
        let_in = it.ask()
        await it.until(requests=1)
        assert (await it.ask()).status_code == 503
        assert it.admission.load["waiting"] == 0
        it.upstream.may_answer.set()
        assert (await let_in).status_code == 200
        assert (await it.ask()).status_code == 200


@pytest.mark.parametrize(
    ("path", "error"),
    [
        (CHAT, lambda told: told["error"]["code"] == "overloaded"),
        (MESSAGES, lambda told: told["type"] == "error" and told["error"]["type"] == "overloaded_error"),
        ("/v1/mcp/files", lambda told: told["jsonrpc"] == "2.0" and told["error"]["data"]["code"] == "overloaded"),
        ("/v1/guard/check", lambda told: told["error"]["code"] == "overloaded"),
    ],
)
async def test_a_refusal_has_the_shape_of_its_protocol(serving, path, error):
    async with serving(max_requests=1, queue=0) as it:
        it.ask()
        await it.until(requests=1)
        refused = await it.ask(path, max_tokens=5)
        assert refused.status_code == 503
        assert error(refused.json())
        assert refused.headers["retry-after"] == "1"


async def test_questions_after_its_health_and_its_figures_are_always_answered(serving):
    async with serving(max_requests=1, queue=0) as it:
        it.ask()
        await it.until(requests=1)
        assert (await it.ask()).status_code == 503
        assert [(await it.http.get(path)).status_code for path in ("/healthz", "/readyz", "/metrics")] == [200] * 3
        ready = (await it.http.get("/readyz")).json()
        assert ready["load"] == {"requests": 1, "streams": 0, "waiting": 0, "uploads": 0, "measurements": 0}
        assert ready["refused"] == {"requests": 1}


async def test_what_is_under_way_and_what_was_refused_are_figures(serving):
    async with serving(max_requests=1, queue=0) as it:
        it.ask()
        await it.until(requests=1)
        await asyncio.gather(it.ask(), it.ask())
        meters, proxy = Meters(), it.app.state.proxy
        look_at(proxy.policies, None, proxy.admission)(meters)
        figures = figures_of(meters)
        assert figures.of("guard_load", of="requests") == 1
        assert figures.of("guard_refused_total", over="requests") == 2


async def test_a_stream_gives_its_place_to_the_next_request_once_it_has_begun(serving):
    async with serving(max_requests=1, queue=10, max_streams=3) as it:
        streams = [it.ask(stream=True) for _ in range(3)]
        await it.until(requests=0, streams=3)
        refused = await it.ask(stream=True)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert (it.admission.refused, len(it.upstream.bodies)) == ({"streams": 1}, 3)
        whole = it.ask()
        await it.until(requests=1)
        it.upstream.may_answer.set()
        answers = await asyncio.gather(*streams, whole)
        assert all("[DONE]" in answer.text for answer in answers[:3])
        assert it.admission.load == {"requests": 0, "streams": 0, "waiting": 0, "uploads": 0, "measurements": 0}


@pytest.mark.parametrize("stream", [False, True])
async def test_who_hangs_up_frees_every_place(serving, stream):
    async with serving(max_requests=1, queue=1) as it:
        asked = it.ask(stream=stream)
        await it.until(**({"streams": 1, "requests": 0} if stream else {"requests": 1}))
        asked.cancel()
        await it.until(requests=0, streams=0)


async def test_what_is_refused_for_another_reason_frees_its_place(serving):
    async with serving(max_requests=1, queue=0) as it:
        for body in ({"messages": 1}, {"stream": True, "messages": []}):
            assert (await it.ask(**body)).status_code == 400
        assert it.admission.load == {"requests": 0, "streams": 0, "waiting": 0, "uploads": 0, "measurements": 0}


async def test_those_that_wait_are_let_in_in_their_order():
    admission = Admission(Settings(max_requests=1, queue=5, queue_timeout=60))
    place, order = await admission.enter(), []

    async def enter(number):
        mine = await admission.enter()
        order.append(number)
        mine.leave()

    tasks = [asyncio.create_task(enter(number)) for number in range(5)]
    await until(lambda: admission.waiting == 5)
    with pytest.raises(Overloaded):
        await admission.enter()
    place.leave()
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3, 4]
    assert admission.load["requests"] == 0


async def test_a_stream_for_which_no_file_is_left_is_refused_and_not_closed_unheard():
    admission = Admission(Settings(max_streams=10_000), allowed=OTHERS + 6)
    await admission.enter()
    for _ in range(3):
        admission.add_stream()
    with pytest.raises(Overloaded):
        admission.add_stream()
    assert admission.streams == 3


class Crowd:
    """Threads none of which is ever free."""

    waiting = 3

    async def run(self, function, seconds=None, line=None):
        raise measuring.Crowded


def measured_by(it, on_failure="block", mode="enforce", stage="input"):
    """The proxy under a policy with a metric that needs a thread."""
    rulesets = {stage: [override(rule("model", "gt", 0.5), mode=mode)]}
    policy = policy_of(fixed("model", 0.0), settings={"on_failure": on_failure}, **rulesets)
    it.app.state.proxy = replace(it.app.state.proxy, guard=Guard(policy, line=0))
    it.upstream.may_answer.set()


@pytest.mark.parametrize("stream", [False, True])
async def test_a_check_that_no_thread_is_free_for_is_refused_as_overload_and_not_as_the_policys_doing(
    serving, monkeypatch, stream
):
    monkeypatch.setattr(measuring, "threads", Crowd)
    async with serving() as it:
        measured_by(it)
        refused = await it.ask(stream=stream)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["error"]["code"] == "overloaded"
        assert refused.headers["x-guard-coverage"] == "input=-/model:late/-"
        assert (it.upstream.bodies, it.admission.refused) == ([], {"measurements": 1})


@pytest.mark.parametrize("lets", [{"on_failure": "allow"}, {"mode": "observe"}])
async def test_a_check_that_may_be_missing_refuses_nobody(serving, monkeypatch, lets):
    monkeypatch.setattr(measuring, "threads", Crowd)
    async with serving() as it:
        measured_by(it, **lets)
        assert (await it.ask()).status_code == 200


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_no_thread_is_free_for_never_leaves_unread(serving, monkeypatch, stream):
    async with serving() as it:
        measured_by(it, stage="output")
        monkeypatch.setattr(measuring, "threads", Crowd)
        answer = await it.ask(stream=stream)
        assert answer.status_code == (200 if stream else 503)
        assert "overloaded" in answer.text
        assert "fine" not in answer.text


async def test_moderations_that_no_thread_is_free_for_are_refused_as_overload(serving, monkeypatch):
    monkeypatch.setattr(measuring, "threads", Crowd)
    async with serving() as it:
        refused = await it.http.post("/v1/moderations", json={"input": "hello"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "overloaded")
