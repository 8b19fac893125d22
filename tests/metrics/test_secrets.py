"""Every secret here is made up, and put together so that scanners of repositories see none."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Turn
from guard.metrics.score import Score
from guard.metrics.secrets import Secrets, entropy, secrets
from tests.metrics.made_up import SECRETS, alnum, hexadecimal, lower

METRIC = secrets()
KEY_LINES = "\n".join(alnum(64, seed) for seed in range(6))
PRIVATE_KEY = "-----BEGIN RSA " + f"PRIVATE KEY-----\n{KEY_LINES}\n" + "-----END RSA PRIVATE KEY-----"
CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{KEY_LINES}\n-----END CERTIFICATE-----"

NEAR_MISSES = [
    "sk-... is where your key goes",
    "sk-" + "x" * 40,
    "api_key = 'YOUR_API_KEY_GOES_HERE_12'",
    "api_key: <insert-your-key-here-123>",
    "api_key=os.environ['OPENAI_API_KEY']",
    "token = get_token_from_vault()",
    "secret: my-app-database-credentials",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "git show 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256:" + hexadecimal(64),
    "sha512-" + alnum(86) + "==",
    '"integrity": "sha384-' + alnum(64) + '"',
    "md5 checksum: " + hexadecimal(32),
    "data:image/png;base64," + alnum(400),
    "https://example.org/a/" + alnum(40) + "?x=1",
    "/usr/local/lib/python3.11/site-packages/pkg_resources/_vendor2",
    "getUserAccountBalanceFromDatabaseByIdentifier2And3",
    "react__WEBPACK_IMPORTED_MODULE_0___default",
    "Donaudampfschifffahrtsgesellschaftskapitän42",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI" + alnum(43),
    CERTIFICATE,
    base64.b64encode(b"Meet me at seven, bring the blue umbrella.").decode(),
    "postgres://localhost:5432/db",
    "https://user@example.org/",
    "http://${USER}:${PASSWORD}@db.example.org",
    "postgres://user:<password>@host/db",
    "eyJ0aGVtZSI6ImRhcmsiLCJsYW5nIjoibmwifQ",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "0123456789abcdef0123456789abcdef",
    "the token count is 1234567890123456",
    "row " + lower(40),
]


def found(text: str, metric=METRIC) -> set[tuple[str, str]]:
    score = metric.measure(Turn.of(text), "input")
    assert isinstance(score, Score)
    return {(span.label, text[span.start : span.end]) for span in score.spans}


def test_every_label_has_an_example_below():
    assert {label for label, _, _ in SECRETS} == METRIC.labels


@pytest.mark.parametrize(("label", "text", "secret"), SECRETS, ids=[f"{row[0]}-{n}" for n, row in enumerate(SECRETS)])
def test_a_secret_is_found_under_its_provider_and_in_its_place(label, text, secret):
    assert (label, secret) in found(f"please use this: {text} and tell nobody")


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_a_secret_is_left_alone(text):
    assert found(f"see {text} there") == set()


def test_a_private_key_is_found_whole():
    assert ("private_key", PRIVATE_KEY) in found(f"key:\n{PRIVATE_KEY}\nthanks")


def test_a_private_key_without_its_end_reaches_to_the_end_of_the_text():
    begun = PRIVATE_KEY[:300]
    assert ("private_key", begun) in found(f"key:\n{begun}")


def test_the_rest_of_a_private_key_is_known_by_its_lines():
    rest = KEY_LINES + "\n" + "-----END RSA " + "PRIVATE KEY-----"
    assert ("private_key", rest) in found(rest)


def test_a_web_token_counts_only_with_a_header_that_is_one():
    def token(header: bytes) -> str:
        parts = (header, json.dumps({"sub": "1234"}).encode(), b"\x93signature\x01\x02\x03")
        return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts)

    assert "jwt" in {label for label, _ in found(token(b'{"alg": "HS256", "typ": "JWT"}'))}
    assert "jwt" not in {label for label, _ in found(token(b'{"a": 1, "b": [2, 3, 4]}'))}
    assert "jwt" not in {label for label, _ in found(token(b'{"alg: broken json text}'))}


def test_a_secret_in_base64_is_found_where_the_base64_stands():
    text = base64.b64encode(f"the key is {SECRETS[0][2]} ok".encode()).decode()
    assert (SECRETS[0][0]) in {label for label, _ in found(f"decode {text} please")}


def test_a_provider_outranks_a_guess_about_the_same_string():
    label, _, secret = next(row for row in SECRETS if row[0] == "github_token")
    assert found(f"api_key = {secret}") == {(label, secret)}


def test_the_threshold_moves_what_counts_as_random():
    text = f"use {alnum(40)} for it"
    assert found(text, Secrets(entropy=3).make("s", Path()))
    assert found(text, Secrets(entropy=6).make("s", Path())) == set()


def test_only_the_labels_asked_for_are_looked_for():
    metric = Secrets(labels=frozenset({"github_token"})).make("s", Path())
    assert metric.labels == {"github_token"}
    assert {label for _, text, _ in SECRETS for label, _ in found(text, metric)} == {"github_token"}


def test_a_pattern_of_ones_own_adds_its_label_and_its_group_is_the_secret():
    metric = Secrets(patterns={"acme": r"acme-([0-9]{6})\b"}).make("s", Path())
    assert found("acme-123456", metric) == {("acme", "123456")}
    assert "acme" in (metric.labels or ())


def test_a_pattern_that_does_not_compile_is_refused():
    with pytest.raises(MetricError, match="'s': pattern 'bad' does not compile"):
        Secrets(patterns={"bad": "("}).make("s", Path())


def test_an_unknown_label_is_refused_with_the_nearest_one():
    with pytest.raises(ValidationError, match="did you mean 'github_token'"):
        Secrets(labels=frozenset({"github_tokens"}))


def test_a_metric_that_looks_for_nothing_is_refused():
    with pytest.raises(MetricError, match="looks for nothing"):
        Secrets(labels=frozenset()).make("s", Path())


def test_entropy_is_in_bits_per_character():
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2
    assert entropy("0123456789abcdef") == 4


def test_the_version_is_the_same_in_every_process_and_changes_with_the_settings():
    program = "from guard.metrics.registry import REGISTRY; print(REGISTRY['secrets'].version, REGISTRY['pii'].version)"
    runs = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert METRIC.version in runs[0]
    assert Secrets(entropy=3).make("s", Path()).version != METRIC.version


@given(st.text(max_size=300))
def test_any_text_is_read(text):
    METRIC.measure(Turn.of(text), "input")
