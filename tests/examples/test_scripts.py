"""The examples that are scripts, run as their readers run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def printed(name: str) -> list[str]:
    """What an example prints, line by line; it must not warn either."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / name)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.stderr == ""
    return [line.strip() for line in result.stdout.splitlines()]


def test_the_plain_script_hides_order_numbers_refuses_rivals_and_keeps_a_secret():
    assert printed("plain_script.py") == [
        "Where is ORD-12345678?",
        "the model reads: Where is [ORDER_1]?",
        "the customer reads: Let me look into it. You wrote: Where is ORD-12345678?",
        "Is Acme cheaper?",
        "the customer reads: I can only speak about our own products.",
        "When does Project Falcon start?",
        "the model reads: When does Project Falcon start?",
        "the customer reads: I can't talk about that yet.",
    ]


def test_a_policy_acts_on_a_metric_of_the_scripts_own():
    assert printed("own_metric.py") == [
        "Where is my order?",
        "It is on its way.",
        "WHERE IS MY ORDER?",
        "I hear you. What is it about, calmly?",
    ]


def test_a_chain_of_langchain_is_guarded_whole_and_streamed():
    said = [line.split(":", 1)[-1].replace("|", "").strip() for line in printed("langchain_runnable.py")]
    assert said == [
        "Where is ORD-12345678?",
        *["ORD-12345678 arrives on Friday."] * 2,
        "Is Acme cheaper?",
        *["I can only speak about our own products."] * 2,
    ]
