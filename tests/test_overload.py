"""`guard serve` asked for more than it takes on: some are served as ever, all others told when to come back."""

import asyncio
import json
from collections import Counter

import httpx
import pytest

from tests.fakes import ScriptedUpstream
from tests.proxy.conftest import running
from tests.test_serve import BODY, serving

pytestmark = pytest.mark.slow

MOST, QUEUE, CLIENTS, EACH = 4, 4, 60, 4


class Provider:
    """Answers after a moment, and counts: how many it answers at once, and how many it has begun to answer."""

    def __init__(self):
        self.now = self.most = self.begun = 0

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            return
        self.begun += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0.02)
        answer = json.dumps(await ScriptedUpstream().complete("", {}, {})).encode()
        self.now -= 1
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": answer})


async def test_every_answer_is_one_or_says_when_to_ask_again_and_no_more_are_let_in_than_may_be(tmp_path):
    provider = Provider()
    bounds = {"max_requests": MOST, "queue": QUEUE, "queue_timeout": 30, "store": "none"}
    answers, loads = [], []
    with running(provider) as upstream, serving(tmp_path, "--upstream", f"{upstream}/v1", **bounds) as (_, url):
        async with httpx.AsyncClient(base_url=url, timeout=60, limits=httpx.Limits(max_connections=CLIENTS)) as client:

            async def ask():
                for _ in range(EACH):
                    answers.append(await client.post("/v1/chat/completions", json=BODY))

            asking = asyncio.gather(*(ask() for _ in range(CLIENTS)))
            while not asking.done():
                loads.append((await client.get("/readyz")).json()["load"])
            await asking
            ready = (await client.get("/readyz")).json()
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) == {200, 503}
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status_code == 503)
    assert provider.most <= MOST
    assert provider.begun == statuses[200]
    # So whoever gets in has a bounded number of others before it, however many ask.
    assert max(load["requests"] for load in loads) <= MOST
    assert 0 < max(load["waiting"] for load in loads) <= QUEUE
    assert ready["refused"] == {"requests": statuses[503]}
    assert ready["load"] == {"requests": 0, "streams": 0, "waiting": 0, "uploads": 0, "measurements": 0}
