from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.gate import gate, loosened

PATTERNS = [r"a{3}", r"[ab]{2,4}c", r"x{0,2}y", r"(?:ab){12}", r"\x{100}{2}", r"z{1,}"]


@given(st.text(alphabet="abcxyzĀ", max_size=60))
def test_a_gate_names_exactly_the_patterns_that_match(text):
    matching = [number for number, pattern in enumerate(PATTERNS) if _search(pattern, text)]
    assert sorted(gate(PATTERNS).Match(text) or ()) == matching


@given(st.text(alphabet="abcxyzĀ", max_size=60))
def test_a_loosened_pattern_matches_wherever_the_pattern_does(text):
    open_gate = set(gate(map(loosened, PATTERNS)).Match(text) or ())
    assert open_gate >= {number for number, pattern in enumerate(PATTERNS) if _search(pattern, text)}


def test_loosening_leaves_escapes_alone():
    assert loosened(r"[\x{100}-\x{17F}]{2,5}") == r"[\x{100}-\x{17F}]{2,}"


def _search(pattern: str, text: str) -> bool:
    return re.search(pattern.replace(r"\x{100}", "Ā"), text) is not None
