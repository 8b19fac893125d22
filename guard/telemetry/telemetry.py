"""Figures and traces together: what the proxy tells of the requests that it serves and of the calls that it makes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from guard.errors import UpstreamError
from guard.guard import Exchange
from guard.listeners import Observer
from guard.telemetry.answers import Usage, begins, finishes_of, usage_of
from guard.telemetry.current import SERVED, Served
from guard.telemetry.meters import Meters
from guard.verdict import Verdict

if TYPE_CHECKING:
    from guard.telemetry.traces import Traces

log = logging.getLogger(__name__)


class Telemetry:
    """An observer of `Guard` that tells figures, traces, or both; and of the proxy around it."""

    def __init__(self, meters: Meters | None = None, traces: Traces | None = None) -> None:
        self.meters = meters
        self.traces = traces
        self._observers: list[Observer] = [one for one in (meters, traces) if one is not None]

    def began(self, exchange: Exchange) -> None:
        """Note whose request it is."""
        served = SERVED.get()
        if served is not None:
            served.app, served.session = exchange.labels.get("app", ""), exchange.labels.get("session", "")
        self._tell(lambda observer: observer.began(exchange))

    def concluded(self, exchange: Exchange, verdict: Verdict) -> None:
        """Tell of a decision."""
        self._tell(lambda observer: observer.concluded(exchange, verdict))

    def released(self, exchange: Exchange) -> None:
        """Tell of the first text that is let go of a streamed answer; the others of several choices do not count."""
        served = SERVED.get()
        if served is not None:
            if served.released:
                return
            served.released = True
        self._tell(lambda observer: observer.released(exchange))

    @contextmanager
    def serving(self, method: str, route: str, headers: Callable[[str], str]) -> Iterator[Served]:
        """A request while it is being served; whoever serves it says with which status it ended."""
        served = Served(route)
        token = SERVED.set(served)
        if self.meters is not None:
            self.meters.arrived(1)
        try:
            if self.traces is None:
                yield served
            else:
                with self.traces.serving(served, method, headers):
                    yield served
        finally:
            SERVED.reset(token)
            if self.meters is not None:
                self.meters.arrived(-1)
                self.meters.served(route, served.status, served.app, served.age())

    @contextmanager
    def calling(self, provider: str, path: str, body: Mapping[str, Any], headers: Mapping[str, str]) -> Iterator[Call]:
        """A call of a provider while it is made."""
        model = body.get("model")
        call = Call(provider, path, model if isinstance(model, str) else "", headers)
        span = self.traces.call_begun(call, body) if self.traces is not None else None
        try:
            yield call
        except (asyncio.CancelledError, GeneratorExit):
            # A verdict, or a caller who hung up, ended it: the provider is not to blame.
            raise
        except Exception as error:
            call.error = error_name(error)
            raise
        finally:
            if self.meters is not None:
                self.meters.called(provider, call.model, call.age(), call.first, call.usage, call.error)
            if self.traces is not None:
                self.traces.call_ended(span, call)

    def _tell(self, what: Callable[[Observer], None]) -> None:
        for observer in self._observers:
            try:
                what(observer)
            except Exception:
                log.warning("telemetry failed on %s", type(observer).__name__, exc_info=True)


class Call:
    """One call of the provider: `headers` are those to send, the rest is what was learnt of the answer."""

    def __init__(self, provider: str, path: str, model: str, headers: Mapping[str, str]) -> None:
        self.provider = provider
        self.path = path
        self.model = model
        self.headers = headers
        self.first: float | None = None
        self.usage = Usage()
        self.finishes: tuple[str, ...] = ()
        self.answered_by = ""
        self.error = ""
        self._started = perf_counter()

    def age(self) -> float:
        """Seconds since it was made."""
        return perf_counter() - self._started

    def heard(self, body: Mapping[str, Any], *, streamed: bool) -> None:
        """Take notice of the answer, or of one event of it."""
        if streamed and self.first is None and begins(body):
            self.first = self.age()
        self.usage = self.usage.then(usage_of(body))
        self.finishes = finishes_of(body) or self.finishes
        if not self.answered_by and isinstance(body.get("model"), str):
            self.answered_by = body["model"]


def error_name(error: Exception) -> str:
    """What kind of error it is: the status that the provider answered with, or why there is none."""
    if not isinstance(error, UpstreamError):
        return type(error).__name__
    return str(error.said or error.cause or error.code)
