"""Every figure that Guard gives to Prometheus, once. The page docs/telemetry.md lists the same.

Labels come from Guard's own files and settings, never from a caller's text; the two that callers have a say in, `app`
and `model`, are bounded where they are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Seconds. From a pattern on a short text to a judge that takes its time.
QUICK = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Seconds. A provider's answer takes from a fraction of a second to minutes.
SLOW = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)


@dataclass(frozen=True, slots=True)
class Family:
    """One figure: its name, kind, labels, and for a histogram the upper bounds of its buckets.

    `merge` says what several workers' gauges come to; counts and histograms are added up.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Literal["sum", "max"] = "sum"


REQUESTS = Family("guard_requests", "counter", "Requests answered.", ("route", "status", "app"))
REQUEST_SECONDS = Family(
    "guard_request_seconds", "histogram", "From a request's arrival to the end of its answer.", ("route",), SLOW
)
FIRST_TOKEN_SECONDS = Family(
    "guard_first_token_seconds",
    "histogram",
    "From a streamed request's arrival to the first of its text that was let go.",
    ("route",),
    SLOW,
)
IN_FLIGHT = Family("guard_requests_in_flight", "gauge", "Requests that are being answered.")
LOAD = Family("guard_load", "gauge", "What a worker has taken on: under way, and waiting for it.", ("of",))
REFUSED = Family("guard_refused", "counter", "Requests refused as overload, by what there was too much of.", ("over",))
DECISIONS = Family("guard_decisions", "counter", "Decisions of stages.", ("policy", "stage", "status", "action", "app"))
RULESETS = Family(
    "guard_rulesets",
    "counter",
    "Rulesets that were triggered or could not be checked, observed ones too.",
    ("policy", "stage", "ruleset", "mode", "status"),
)
STAGE_SECONDS = Family(
    "guard_stage_seconds", "histogram", "What a stage took: measuring, deciding, acting.", ("stage",), QUICK
)
METRIC_SECONDS = Family("guard_metric_seconds", "histogram", "What a metric took for one decision.", ("metric",), QUICK)
METRIC_FAILURES = Family(
    "guard_metric_failures", "counter", "Measurements that failed or were late.", ("metric", "reason")
)
UPSTREAM_SECONDS = Family(
    "guard_upstream_seconds",
    "histogram",
    "What the provider took to the end of its answer.",
    ("provider", "model"),
    SLOW,
)
UPSTREAM_FIRST_TOKEN_SECONDS = Family(
    "guard_upstream_first_token_seconds",
    "histogram",
    "What the provider took to the first text of a streamed answer.",
    ("provider", "model"),
    SLOW,
)
UPSTREAM_ERRORS = Family(
    "guard_upstream_errors", "counter", "Calls of the provider that failed, all retries with it.", ("provider", "error")
)
UPSTREAM_STATE = Family(
    "guard_upstream_state", "gauge", "A provider's breaker: 0 closed, 1 half open, 2 open.", ("provider",), merge="max"
)
TOKENS = Family("guard_tokens", "counter", "Tokens, as the provider counts them.", ("model", "type"))
EVENTS = Family(
    "guard_events", "counter", "Events by what became of them; refused, failed and lost ones are dropped.", ("outcome",)
)
EVENTS_SPOOLED = Family("guard_events_spooled", "gauge", "Events on disk, on their way to the store.")
LOOP_LAG_SECONDS = Family(
    "guard_loop_lag_seconds", "histogram", "How late the event loop was, looked at four times a second.", (), QUICK
)
POLICY_PROBLEM = Family(
    "guard_policy_problem", "gauge", "1 while a newer policy cannot be used and the last good one stays.", merge="max"
)

FAMILIES = tuple(value for value in list(globals().values()) if isinstance(value, Family))
