"""What the proxy counts, as Prometheus's own parser reads it from `GET /metrics`."""

import re
from dataclasses import replace

import pytest

from guard.errors import UpstreamError, UpstreamTimeout
from guard.guard import Guard
from guard.metrics import Cost
from guard.proxy.upstream import UpstreamRefused
from guard.telemetry import Meters, Telemetry
from guard.telemetry.families import FAMILIES
from guard.telemetry.meters import MAX_MODELS
from tests.fakes import ScriptedUpstream, broken, override, policy_of, rule, spotting, waiting
from tests.proxy.conftest import ask
from tests.telemetry.scrape import Figures, figures_of, scraped

CHAT = "/v1/chat/completions"
USAGE = {"usage": {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}}


def test_requests_are_counted_by_route_status_and_app(client):
    guarded = client()
    ask(guarded, "hello")
    ask(guarded, "hello")
    guarded.post(CHAT, json={"model": "m"})
    figures = scraped(guarded)
    assert figures.of("guard_requests_total", route=CHAT, status="200", app="default") == 2
    assert figures.of("guard_requests_total", route=CHAT, status="400") == 1
    assert figures.of("guard_request_seconds_count", route=CHAT) == 3
    assert figures.of("guard_requests_in_flight") == 0


def test_decisions_are_counted_by_stage_status_and_policy_and_rulesets_when_they_trigger(client):
    guarded = client(ScriptedUpstream("KEY-1"))
    ask(guarded, "Acme")
    ask(guarded, "hello")
    figures = scraped(guarded)
    decided = {"policy": "test", "app": "default"}
    assert figures.of("guard_decisions_total", stage="input", status="triggered", action="override", **decided) == 1
    assert figures.of("guard_decisions_total", stage="input", status="not_triggered", **decided) == 1
    assert figures.of("guard_decisions_total", stage="output", status="triggered", action="redact", **decided) == 1
    assert figures.of("guard_rulesets_total", ruleset="no rivals", stage="input", mode="enforce") == 1
    assert figures.labels("guard_rulesets_total", "ruleset") == {"no rivals", "no keys"}


def test_stages_and_metrics_are_timed(client):
    guarded = client()
    ask(guarded, "hello")
    figures = scraped(guarded)
    assert figures.of("guard_stage_seconds_count", stage="input") == 1
    assert 0 < figures.of("guard_stage_seconds_sum") < 60
    # Asked of the input and of the output.
    assert figures.of("guard_metric_seconds_count", metric="rivals") == 2
    assert figures.of("guard_metric_seconds_bucket", metric="rivals", le="+Inf") == 2


def test_failures_and_lateness_of_metrics_are_told_apart():
    meters = Meters()
    rules = [override(rule(name, "gte", 1), name=name) for name in ("late", "bad")]
    # One that is free runs at once, so that a busy machine cannot make it late too.
    bad = replace(broken("bad"), cost=Cost.FREE)
    policy = policy_of(waiting("late"), bad, input=rules, settings={"timeout": "500ms"})
    Guard(policy, observer=meters).check("hello")
    figures = figures_of(meters)
    assert figures.of("guard_metric_failures_total", metric="late", reason="late") == 1
    assert figures.of("guard_metric_failures_total", metric="bad", reason="failed") == 1
    assert figures.of("guard_rulesets_total", ruleset="late", status="timeout") == 1


@pytest.mark.parametrize("stream", [False, True])
def test_the_providers_time_and_tokens_are_counted_by_model(client, stream):
    guarded = client(ScriptedUpstream("fine", extra=USAGE))
    ask(guarded, "hello", stream=stream)
    figures = scraped(guarded)
    assert figures.of("guard_upstream_seconds_count", model="m") == 1
    assert figures.of("guard_tokens_total", model="m", type="input") == 7
    assert figures.of("guard_tokens_total", model="m", type="output") == 5
    assert figures.of("guard_upstream_first_token_seconds_count", model="m") == stream
    assert figures.of("guard_first_token_seconds_count", route=CHAT) == stream


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (UpstreamError("gone"), "upstream_error"),
        (UpstreamTimeout("late", cause="timeout"), "timeout"),
        (UpstreamRefused(429, {}, {}), "429"),
    ],
)
def test_the_providers_errors_are_counted_by_kind(client, error, name):
    guarded = client(ScriptedUpstream(error=error))
    ask(guarded, "hello")
    assert scraped(guarded).of("guard_upstream_errors_total", error=name) == 1


def test_a_stream_that_a_verdict_cuts_off_is_no_error_of_the_providers(client):
    guarded = client(ScriptedUpstream("word " * 200 + "Acme " + "word " * 200))
    ask(guarded, "hello", stream=True)
    figures = scraped(guarded)
    assert figures.of("guard_upstream_seconds_count", model="m") == 1
    assert figures.of("guard_upstream_errors_total") == 0


def test_callers_cannot_make_labels_without_end(client):
    guarded = client()
    for number in range(MAX_MODELS + 20):
        guarded.post(CHAT, json={"model": f"model-{number}", "messages": [{"role": "user", "content": "x"}]})
        guarded.get(f"/v1/models/{number}")
        guarded.post(f"/v1/else/{number}")
    figures = scraped(guarded)
    assert len(figures.labels("guard_upstream_seconds_count", "model")) == MAX_MODELS + 1
    assert figures.of("guard_upstream_seconds_count", model="other") == 20
    assert figures.labels("guard_requests_total", "route") == {CHAT, "/v1/models/{model}", "/v1/{rest}"}


def test_a_model_that_the_provider_does_not_know_gets_no_label(client):
    guarded = client(ScriptedUpstream(error=UpstreamRefused(404, {}, {})))
    guarded.post(CHAT, json={"model": "made up", "messages": [{"role": "user", "content": "x"}]})
    assert scraped(guarded).labels("guard_upstream_seconds_count", "model") == {"other"}


def test_nothing_of_a_text_gets_into_the_figures(client):
    guarded = client(ScriptedUpstream("zanzibar"))
    ask(guarded, "zanzibar Acme", user="zanzibar", prompt_cache_key="zanzibar")
    ask(guarded, "zanzibar", stream=True)
    assert "zanzibar" not in guarded.get("/metrics").text


def test_questions_after_health_and_figures_are_not_requests(client):
    guarded = client()
    guarded.get("/healthz")
    guarded.get("/metrics")
    assert scraped(guarded).of("guard_requests_total") == 0


def test_every_family_is_given_and_openmetrics_too_where_it_is_asked_for(client):
    guarded = client()
    ask(guarded, "hello")
    figures = Figures(guarded.get("/metrics").text)
    assert {family.name for family in FAMILIES} <= figures.families.keys()
    answer = guarded.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_who_reads_them_needs_the_token_where_one_is_set(client):
    guarded = client(metrics_token="s3cret")
    assert guarded.get("/metrics").status_code == 401
    assert guarded.get("/metrics", headers={"authorization": "Bearer s3cre"}).status_code == 401
    assert guarded.get("/metrics", headers={"authorization": "Bearer s3cret"}).status_code == 200


def test_there_is_no_such_page_where_it_is_off(client):
    guarded = client(metrics=False)
    assert ask(guarded, "hello").status_code == 200
    assert guarded.get("/metrics").status_code == 404


def test_telemetry_that_fails_fails_no_request(caplog):
    class Broken(Meters):
        def concluded(self, exchange, verdict):
            raise RuntimeError("no more room")

    verdict = Guard(policy_of(input=[]), observer=Telemetry(Broken())).check("hello")
    assert verdict.allowed
    assert "telemetry failed on Broken" in caplog.text


def test_what_was_measured_for_an_earlier_request_is_not_timed_again():
    meters = Meters()

    guard = Guard(policy_of(spotting("rivals", "Acme"), input=[override("rivals")]), observer=meters)
    first = guard.exchange()
    verdict = guard.check("Acme")
    later = guard.exchange()
    later.conclude(verdict.decision.stage, verdict.turn, verdict.decision.measurements, later.started)
    assert first.started < later.started
    figures = figures_of(meters)
    assert figures.of("guard_metric_seconds_count", metric="rivals") == 1
    assert figures.of("guard_decisions_total") == 2


def test_an_app_puts_guards_figures_among_its_own():
    from prometheus_client import CollectorRegistry, Counter, generate_latest

    registry, meters = CollectorRegistry(), Meters()
    Counter("mine", "of the app", registry=registry).inc()
    registry.register(meters)
    Guard(policy_of(input=[]), observer=meters).check("hello", app="shop")
    figures = Figures(generate_latest(registry).decode())
    assert figures.of("mine_total") == 1
    assert figures.of("guard_decisions_total", app="shop") == 1


def test_names_are_such_as_prometheus_wants():
    for family in FAMILIES:
        assert re.fullmatch(r"guard_[a-z_]+", family.name)
        assert family.name.endswith("_seconds") == bool(family.buckets)
