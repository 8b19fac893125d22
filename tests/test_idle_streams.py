"""Streams that wait for their provider, hundreds at once, through workers of `guard serve`: all come to their end."""

import sys

import pytest

from benchmarks.idle_streams import measured

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="memory and time are read as Linux tells them"),
]


def test_hundreds_of_streams_that_wait_in_several_workers_all_come_to_their_end():
    found = measured(400, workers=2, seconds=0.5)
    assert found.good == 400
