"""Traces for OpenTelemetry: a span for each request, stage, metric and call of the provider.

The names are those of its semantic conventions for HTTP and generative AI, and `guard.…` for what is Guard's own.
https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, TracerProvider, get_current_span
from opentelemetry.trace import get_tracer_provider as global_provider
from opentelemetry.trace import set_span_in_context as within
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from guard.guard import Exchange
from guard.metrics import Probe
from guard.metrics.score import Failure, Measurement, Score
from guard.store.mask import Masker, TextMode
from guard.telemetry.attributes import asked, call_attributes, messages, stage_attributes
from guard.telemetry.current import SERVED, Served
from guard.verdict import Verdict

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider as OwnProvider

    from guard.telemetry.telemetry import Call

PROPAGATOR = TraceContextTextMapPropagator()
#: Seconds that closing waits for the collector.
CLOSING = 3.0


class Traces:
    """Spans of what Guard does, within whatever span is current.

    `provider` takes them; by default the one that the app has set up. `text` says how much of prompts and answers
    stands in them.
    """

    def __init__(self, provider: TracerProvider | None = None, *, text: TextMode = "none") -> None:
        self._provider = provider or global_provider()
        self._tracer: Tracer = self._provider.get_tracer("stageguard")
        self._text = None if text == "none" else Masker(mode=text, limit=4_000)

    @classmethod
    def to(cls, address: str, *, text: TextMode = "none") -> Self:
        """Traces sent to a collector over OTLP: to an http(s) address, or for `otlp` where the OTEL_… variables say."""
        return cls(_exporting(address), text=text)

    def close(self) -> None:
        """Send what waits, for a few seconds at most. Takes that long: not for the event loop."""
        provider: OwnProvider = self._provider  # type: ignore[assignment] - only one of our own is closed
        # Left behind when it takes longer: a collector that is away is tried for half a minute, batch after batch.
        sending = Thread(target=provider.shutdown, name="guard-traces", daemon=True)
        sending.start()
        sending.join(CLOSING)

    @contextmanager
    def serving(self, served: Served, method: str, headers: Callable[[str], str]) -> Iterator[None]:
        """The span of a request, in the trace that its headers name, while it is being served."""
        carrier = {name: value for name in PROPAGATOR.fields if (value := headers(name))}
        with self._tracer.start_as_current_span(
            f"{method} {served.route}",
            PROPAGATOR.extract(carrier),
            SpanKind.SERVER,
            {"http.request.method": method, "http.route": served.route},
            # What an exception says may repeat a text.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            served.span = span
            try:
                yield
            finally:
                span.set_attribute("http.response.status_code", served.status)
                if served.status >= 500:
                    span.set_status(Status(StatusCode.ERROR))

    def began(self, exchange: Exchange) -> None:
        """Say on the request's span whose it is."""
        served = SERVED.get()
        if served is not None and served.span is not None:
            served.span.set_attributes({"guard.app": served.app, "guard.policy": exchange.policy.label})

    def concluded(self, exchange: Exchange, verdict: Verdict) -> None:
        """The span of a stage, and one for each of its metrics, now that it has decided."""
        parent = get_current_span()
        if parent.get_span_context().is_valid and not parent.is_recording():
            return  # the trace is not sampled
        ends, clock = time_ns(), perf_counter()
        fresh = {probe: one for probe, one in verdict.decision.measurements.items() if one.began >= exchange.started}
        began = min((clock - verdict.millis / 1000, *(one.began for one in fresh.values())))
        kind = verdict.decision.stage.kind
        span = self._tracer.start_span(
            f"guard {kind}", start_time=_at(began, clock, ends), attributes=stage_attributes(exchange, verdict)
        )
        for probe, one in fresh.items():
            self._measured(span, probe, one, _at(one.began, clock, ends))
        self._say(verdict, span)
        span.end(ends)

    def released(self, exchange: Exchange) -> None:
        """Mark on the request's span when the first text was let go."""
        served = SERVED.get()
        if served is not None and served.span is not None:
            served.span.add_event("guard.first_token")

    def call_begun(self, call: Call, body: Mapping[str, Any]) -> Span:
        """The span of a call of the provider, which is told of it in the headers."""
        attributes = call_attributes(call.provider, call.path, call.model, body)
        served = SERVED.get()
        if served is not None:
            if served.session:
                attributes["gen_ai.conversation.id"] = served.session
            if served.turn is not None:
                attributes["gen_ai.input.messages"] = served.turn
        name = f"{attributes['gen_ai.operation.name']} {call.model}".rstrip()
        span = self._tracer.start_span(name, kind=SpanKind.CLIENT, attributes=attributes)
        carrier: dict[str, str] = {}
        PROPAGATOR.inject(carrier, within(span))
        call.headers = {**call.headers, **carrier}
        return span

    def call_ended(self, span: Span | None, call: Call) -> None:
        """End the span of a call with what was learnt of the answer."""
        assert span is not None
        learnt = {
            "gen_ai.response.model": call.answered_by,
            "gen_ai.response.finish_reasons": call.finishes,
            "gen_ai.usage.input_tokens": call.usage.input,
            "gen_ai.usage.output_tokens": call.usage.output,
            "error.type": call.error,
        }
        span.set_attributes({name: value for name, value in learnt.items() if value not in ("", (), None)})
        if call.error:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def _measured(self, stage: Span, probe: Probe, one: Measurement, began: int) -> None:
        attributes: dict[str, Any] = {"guard.metric": probe.metric, "guard.side": probe.of}
        if probe.only is not None:
            attributes["guard.only"] = str(probe.only)
        if isinstance(one, Failure):
            attributes["error.type"] = "timeout" if one.timed_out else "failed"
        elif isinstance(one, Score) and isinstance(one.value, float):
            # Labels may be words of the text.
            attributes["guard.score"] = one.value
        span = self._tracer.start_span(
            f"guard.metric {probe.metric}", within(stage), attributes=attributes, start_time=began
        )
        if isinstance(one, Failure):
            span.set_status(Status(StatusCode.ERROR))
        span.end(began + int(one.millis * 1e6))

    def _say(self, verdict: Verdict, stage: Span) -> None:
        """Put the text of a turn where the conventions have it, if it is to be seen at all."""
        if self._text is None:
            return
        served, said = SERVED.get(), messages(verdict, self._text)
        if asked(verdict):
            if served is not None:
                served.turn = said
            stage.set_attribute("gen_ai.input.messages", said)
        else:
            stage.set_attribute("gen_ai.output.messages", said)


def _at(moment: float, clock: float, now: int) -> int:
    """A moment of perf_counter as nanoseconds of the world's clock, which stood at `now` when it stood at `clock`."""
    return now - int((clock - moment) * 1e9)


def _exporting(address: str) -> OwnProvider:
    """A provider that sends batches from a thread; what the collector does not take is logged and dropped."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider as OwnProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    named = "service.name" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "") or "OTEL_SERVICE_NAME" in os.environ
    endpoint = None if address == "otlp" else address if urlsplit(address).path.strip("/") else f"{address}/v1/traces"
    resource = Resource.create({} if named else {"service.name": "guard"})
    provider = OwnProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider
