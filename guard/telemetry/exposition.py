"""The figures as Prometheus reads them, and who may read them."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from threading import Thread

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.utils import floatToGoString

from guard.telemetry.families import FAMILIES
from guard.telemetry.tally import Series


class _Collector:
    """Numbers that are there already, as a registry asks for them."""

    def __init__(self, series: Series) -> None:
        self._series = series

    def collect(self) -> Iterable[Metric]:
        return collected(self._series)


def collected(series: Series) -> Iterator[Metric]:
    """The numbers as the client library's own types."""
    for family in FAMILIES:
        if family.kind == "histogram":
            histogram = HistogramMetricFamily(family.name, family.help, labels=family.labels)
            bounds = [*map(floatToGoString, family.buckets), "+Inf"]
            for labels, (*counts, total) in series.get(family.name, {}).items():
                histogram.add_metric(labels, list(zip(bounds, accumulate(counts), strict=True)), total)
            yield histogram
        else:
            number = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
            metric = number(family.name, family.help, labels=family.labels)
            for labels, (value,) in series.get(family.name, {}).items():
                metric.add_metric(labels, value)
            yield metric


def exposed(series: Series, accept: str = "") -> tuple[bytes, str]:
    """The numbers as a scrape is answered, and the content type: OpenMetrics where it is asked for."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(series))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


def may_read(authorization: str, token: str) -> bool:
    """Whether a scrape with this header may be answered: everyone's where no token is set."""
    return not token or hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode())


def serve(host: str, port: int, token: str, series: Callable[[], Series]) -> ThreadingHTTPServer:
    """Answer `GET /metrics` on a port of its own, from a thread, until closed. Raises OSError where it is taken."""

    class Scrape(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            if self.path.partition("?")[0] != "/metrics":
                self._answer(404, b"")
            elif not may_read(self.headers.get("Authorization", ""), token):
                self._answer(401, b"")
            else:
                self._answer(200, *exposed(series(), self.headers.get("Accept", "")))

        def _answer(self, status: int, content: bytes, content_type: str = "text/plain") -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            """Scrapes are not logged."""

    server = ThreadingHTTPServer((host, port), Scrape)
    server.daemon_threads = True
    Thread(target=server.serve_forever, name="guard-metrics", daemon=True).start()
    return server
