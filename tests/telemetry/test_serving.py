"""`guard serve` with several workers and a port for the figures, as it is run."""

import signal
import socket

import httpx
import pytest

from tests.telemetry.scrape import Figures
from tests.test_serve import ask, serving

pytestmark = pytest.mark.slow

CHAT = "/v1/chat/completions"


def scraped(url):
    return Figures(httpx.get(url + "/metrics").raise_for_status().text)


def until(condition, seconds=20):
    import time

    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_one_scrape_tells_of_every_worker(tmp_path):
    with serving(tmp_path, "--workers", "2", "--store", "none") as (process, url):
        for _ in range(12):
            ask(url)
        until(lambda: scraped(url).of("guard_requests_total", route=CHAT, status="200") == 12)
        # Whichever worker is asked tells the same, once both have written down what they counted.
        until(lambda: {scraped(url).of("guard_decisions_total", stage="input") for _ in range(6)} == {12})
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) in (0, -signal.SIGTERM)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_figures_have_a_port_of_their_own(tmp_path, monkeypatch, workers):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = tmp_path / "own.yaml"
    config.write_text(f"metrics_port: {port}\nmetrics_token: s3cret\n")
    with serving(tmp_path, "--workers", workers, "--store", "none", "--config", str(config)) as (_, url):
        ask(url)
        own = f"http://127.0.0.1:{port}/metrics"
        assert httpx.get(url + "/metrics").status_code == 404
        assert httpx.get(own).status_code == 401
        bearer = {"authorization": "Bearer s3cret"}

        def requests():
            text = httpx.get(own, headers=bearer).raise_for_status().text
            return Figures(text).of("guard_requests_total", route=CHAT, status="200")

        until(lambda: requests() == 1)
