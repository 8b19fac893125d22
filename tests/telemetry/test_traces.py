"""The spans of a request, as OpenTelemetry's own exporter in memory gets them."""

import json
from typing import ClassVar

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind, StatusCode

from guard.errors import UpstreamTimeout
from guard.guard import Guard
from guard.metrics import Cost, Message, Metric, Span, Turn
from guard.metrics.score import found
from guard.telemetry import running
from guard.telemetry.traces import Traces
from tests.fakes import ScriptedUpstream, broken, fixed, override, policy_of, rule
from tests.proxy.conftest import ask

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
CALLER = {"traceparent": PARENT, "tracestate": "shop=1"}
USAGE = {"usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


class Told(ScriptedUpstream):
    """Keeps the headers that it was called with."""

    headers: ClassVar[dict[str, str]] = {}

    async def complete(self, path, body, headers):
        self.headers = dict(headers)
        return await super().complete(path, body, headers)


@pytest.fixture
def exported():
    """Where spans end up."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exported):
    """A provider of traces that hands spans on at once."""
    provider = TracerProvider(sampler=None)
    provider.add_span_processor(SimpleSpanProcessor(exported))
    return provider


@pytest.fixture
def traced(client, provider, monkeypatch):
    """A client of the proxy, whose traces go to the exporter in memory."""

    def make(upstream=None, text="none", **more):
        monkeypatch.setattr(running, "_traces", lambda settings: Traces(provider, text=text))
        return client(upstream, traces="otlp", **more)

    return make


def by_name(exported):
    return {span.name: span for span in exported.get_finished_spans()}


@pytest.mark.parametrize("stream", [False, True])
def test_a_request_has_a_span_and_below_it_its_stages_their_metrics_and_the_call_of_the_provider(
    traced, exported, stream
):
    ask(traced(ScriptedUpstream("fine", extra=USAGE)), "hello", stream=stream)
    spans = by_name(exported)
    request = spans["POST /v1/chat/completions"]
    assert request.kind == SpanKind.SERVER
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["guard.app"] == "default"
    below = {name for name, span in spans.items() if span.parent and span.parent.span_id == request.context.span_id}
    assert below == {"guard input", "guard output", "chat m"}
    metric = next(span for span in exported.get_finished_spans() if span.name == "guard.metric order")
    assert metric.parent.span_id == spans["guard input"].context.span_id
    assert spans["guard input"].start_time <= metric.start_time <= metric.end_time <= spans["guard input"].end_time
    assert [event.name for event in request.events] == (["guard.first_token"] if stream else [])


def test_a_call_of_the_provider_is_told_in_the_names_of_the_conventions(traced, exported):
    ask(traced(ScriptedUpstream(extra=USAGE)), "hello", temperature=0.5, max_tokens=10, prompt_cache_key="c-1")
    span = by_name(exported)["chat m"]
    assert span.kind == SpanKind.CLIENT
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 10,
        "gen_ai.conversation.id": "c-1",
        "server.address": "demo",
        "gen_ai.response.model": "m",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 7,
        "gen_ai.usage.output_tokens": 5,
    }


def test_a_stages_span_says_what_it_decided(traced, exported):
    ask(traced(), "Acme")
    attributes = by_name(exported)["guard input"].attributes
    assert (attributes["guard.status"], attributes["guard.action"]) == ("triggered", "override")
    assert (attributes["guard.ruleset"], attributes["guard.policy"]) == ("no rivals", "test")
    assert attributes["guard.allowed"] is False


def test_the_callers_trace_is_taken_up_and_passed_on(traced, exported):
    upstream = Told()
    traced(upstream).post(
        "/v1/chat/completions", json={"model": "m", "messages": [{"role": "user", "content": "x"}]}, headers=CALLER
    )
    spans = by_name(exported)
    request, call = spans["POST /v1/chat/completions"], spans["chat m"]
    assert format(request.context.trace_id, "032x") == PARENT.split("-")[1]
    assert format(request.parent.span_id, "016x") == PARENT.split("-")[2]
    version, trace, parent, _ = upstream.headers["traceparent"].split("-")
    assert (version, trace) == ("00", PARENT.split("-")[1])
    assert parent == format(call.context.span_id, "016x")
    assert upstream.headers["tracestate"] == "shop=1"


def test_no_text_stands_in_any_span_by_default(traced, exported):
    ask(traced(ScriptedUpstream("zanzibar KEY-1")), "zanzibar ORD-12345678", user="zanzibar")
    assert "zanzibar" not in "".join(span.to_json() for span in exported.get_finished_spans())


@pytest.mark.parametrize(("text", "mail"), [("masked", "[EMAIL]"), ("full", "jo@example.org")])
def test_text_stands_in_the_spans_as_it_went_on_where_a_setting_says_so(traced, exported, text, mail):
    ask(traced(ScriptedUpstream("KEY-1 it is"), text=text), "ORD-12345678 of jo@example.org")
    spans = by_name(exported)
    said = json.loads(spans["chat m"].attributes["gen_ai.input.messages"])
    assert said == [{"role": "user", "parts": [{"type": "text", "content": f"[ORDER_NUMBER_1] of {mail}"}]}]
    answered = json.loads(spans["guard output"].attributes["gen_ai.output.messages"])
    assert answered == [{"role": "assistant", "parts": [{"type": "text", "content": "[KEY_1] it is"}]}]


def test_texts_stand_beside_those_who_said_them_whatever_else_the_stage_reads(provider, exported):
    """What a metric found is masked where it was found, and definitions of tools are nobody's words."""

    def finds(turn, side):
        return found(Span(0, 6, "code", passage=number) for number, _ in enumerate(turn.passages(side)))

    metric = Metric("codes", finds, kind="labels", cost=Cost.FREE)
    reads = {"reads": ["system", "assistant", "tools"]}
    policy = policy_of(metric, settings=reads, input=[override(rule("codes", "contains", "x"))])
    said = {"system": "s12345 sys", "assistant": "a12345 ai", "user": "u12345 me"}
    turn = Turn(tuple(Message(role, (text,)) for role, text in said.items()), tools=({"name": "t12345 tool"},))
    Guard(policy, observer=Traces(provider, text="masked")).check(turn)
    told = json.loads(by_name(exported)["guard input"].attributes["gen_ai.input.messages"])
    shown = {one["role"]: one["parts"][0]["content"] for one in told}
    assert shown == {"system": "[CODE] sys", "assistant": "[CODE] ai", "user": "[CODE] me"}


def test_an_error_of_the_providers_is_told_by_its_kind_alone(traced, exported):
    ask(traced(ScriptedUpstream(error=UpstreamTimeout("secret words", cause="timeout"))), "hello")
    spans = by_name(exported)
    assert spans["chat m"].status.status_code == StatusCode.ERROR
    assert spans["chat m"].attributes["error.type"] == "timeout"
    assert spans["POST /v1/chat/completions"].status.status_code == StatusCode.ERROR
    assert "secret" not in "".join(span.to_json() for span in exported.get_finished_spans())


def test_a_metric_that_fails_has_a_span_that_says_so_and_a_number_one_that_gives_it(provider, exported):
    rules = [override(rule(name, "gte", 1), name=name) for name in ("bad", "good")]
    policy = policy_of(broken("bad", RuntimeError("secret words")), fixed("good", 0.25), input=rules)
    Guard(policy, observer=Traces(provider)).check("hello")
    spans = by_name(exported)
    assert spans["guard.metric bad"].status.status_code == StatusCode.ERROR
    assert spans["guard.metric bad"].attributes["error.type"] == "failed"
    assert spans["guard.metric good"].attributes["guard.score"] == 0.25
    assert "secret" not in "".join(span.to_json() for span in exported.get_finished_spans())


def test_in_an_app_of_ones_own_the_stages_stand_below_its_span(provider, exported):
    guard = Guard(policy_of(fixed("good", 0.25), input=[override(rule("good", "gte", 1))]), observer=Traces(provider))
    with provider.get_tracer("app").start_as_current_span("handler") as handler:
        guard.check("hello")
    assert by_name(exported)["guard input"].parent.span_id == handler.get_span_context().span_id


def test_what_is_not_sampled_makes_no_spans(client, exported, monkeypatch):
    provider = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    provider.add_span_processor(SimpleSpanProcessor(exported))
    monkeypatch.setattr(running, "_traces", lambda settings: Traces(provider))
    assert ask(client(traces="otlp"), "hello").status_code == 200
    assert exported.get_finished_spans() == ()


@pytest.mark.slow
def test_a_collector_that_is_away_hurts_nobody(client):
    guarded = client(traces="http://127.0.0.1:9")
    assert ask(guarded, "hello").status_code == 200
