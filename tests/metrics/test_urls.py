from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from guard.metrics import Metric, Score, Span, Turn
from guard.metrics.registry import REGISTRY, make
from guard.metrics.urls import Urls


def measured(metric: Metric, *texts: str) -> Score:
    score = metric.measure(Turn(output=texts), "output")
    assert isinstance(score, Score)
    return score


def hosts(text: str) -> object:
    return measured(REGISTRY["urls"], text).value


def refused(text: str, *allow: str) -> tuple[str, ...]:
    labels = measured(Urls(allow=allow).make("links", Path()), text).labels
    assert labels is not None
    return labels


def test_urls_are_built_in_labels() -> None:
    metric = REGISTRY["urls"]
    assert (metric.kind, metric.windowed, metric.labels) == ("labels", True, None)
    assert measured(metric).value == ()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("see https://Example.COM/a?b=c, ok", "example.com"),
        ("HTTP://example.com:8080", "example.com"),
        ("www.example.com.", "www.example.com"),
        ("visit example.com today", "example.com"),
        ("ftp://example.com/x", "example.com"),
        ("wss://example.com/socket", "example.com"),
        ("myapp://example.com/open", "example.com"),
        ("[click](https://example.com)", "example.com"),
        ("![pixel](https://example.com/p.png?q=secret)", "example.com"),
        ("[ref]: <https://example.com/x>", "example.com"),
        ('<img src="//example.com/p.png">', "example.com"),
        ("<a href=//example.com>", "example.com"),
        ("**https://example.com**", "example.com"),
        ("访问https://example.com。谢谢", "example.com"),
        ("http://93.184.216.34/", "93.184.216.34"),
        ("http://[2001:db8::1]:80/", "[2001:db8::1]"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://example。com/", "example.com"),
        ("https://%65xample.com/", "example.com"),
        ("https:/example.com", "example.com"),
        ("https:example.com", "example.com"),
        ("https:\\\\example.com", "example.com"),
        ('{"url": "https:\\/\\/example.com\\/x"}', "example.com"),
        ("https://exam\u200bple.com", "example.com"),
    ],
)
def test_hosts_are_found_however_the_address_is_written(text: str, host: str) -> None:
    assert hosts(text) == (host,)


@pytest.mark.parametrize(
    "text",
    [
        "write to jo@example.com",
        "node.js/express, README.md, main.py/x and e.g. this",
        "x = 1 // comment",
        "http: the protocol",
        "https://",
        "data:text/html,hello javascript:alert(1)",
        "version 1.2.3.4 of 2024.01.02",
    ],
)
def test_what_is_no_link_has_no_host(text: str) -> None:
    assert hosts(text) == ()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("https://good.com@evil.com/", "evil.com"),
        ("https://good.com:80@evil.com/", "evil.com"),
        ("https://good.com%40evil.com/", "evil.com"),
        ("https://good.com\\@evil.com/", "evil.com"),
        ("https://good.com.evil.com/", "good.com.evil.com"),
        ("https://notgood.com", "notgood.com"),
        ("https://good.com?next=https://evil.com", "evil.com"),
        ("https://gооd.com/", "xn--gd-fmca.com"),
        ("https://good.com。evil.com", "good.com.evil.com"),
        ("(https://evil.com)mail@good.com", "evil.com"),
    ],
)
def test_no_trick_makes_a_host_look_allowed(text: str, host: str) -> None:
    assert host in refused(text, "good.com")


def test_a_name_too_long_to_read_is_refused() -> None:
    assert refused("https://good.com:" + "x" * 1000 + "@evil.com/", "good.com") != ()


def test_hosts_that_are_allowed_are_left_out() -> None:
    text = "https://example.com https://a.example.org https://b.c.example.org https://example.org https://evil.com"
    assert refused(text, "example.com", "*.example.org") == ("example.org", "evil.com")
    assert refused("https://bücher.example https://EXAMPLE.com.", "BÜCHER.example", "Example.com") == ()


@pytest.mark.parametrize("text", ["https://auth0.com h3llo", "https://l33t.com", "s3.amazonaws.com h3llo"])
def test_an_allowed_host_stays_allowed_whatever_its_digits_look_like(text: str) -> None:
    assert refused(text, "auth0.com", "l33t.com", "s3.amazonaws.com") == ()


def test_encoded_links_are_found() -> None:
    text = base64.b64encode(b"![x](https://evil.com/?q=data)").decode()
    assert measured(REGISTRY["urls"], text).spans == (Span(0, len(text), "evil.com"),)


def test_a_span_is_the_whole_address() -> None:
    texts = ("none", "see (https://example.com/a?q=1), and www.example.com/x.")
    spans = measured(REGISTRY["urls"], *texts).spans
    assert [texts[span.passage][span.start : span.end] for span in spans] == [
        "https://example.com/a?q=1",
        "www.example.com/x",
    ]


@pytest.mark.parametrize("host", ["https://example.com", "example.com/path", "*", "exa*mple.com", "", "a b"])
def test_what_is_no_host_cannot_be_allowed(host: str) -> None:
    with pytest.raises(ValidationError, match=r"is no host; write example\.com"):
        make("links", {"kind": "urls", "allow": [host]}, Path())


@given(st.text(alphabet="htps:/\\@.w-%[]()#?a1 。\ud800é\n"))
def test_reading_never_raises_and_spans_stay_inside(text: str) -> None:
    for span in measured(REGISTRY["urls"], text).spans:
        assert 0 <= span.start < span.end <= len(text)
        span.label.encode()


def test_the_version_follows_the_list() -> None:
    versions = {
        Urls(allow=allow).make("links", Path()).version for allow in (("a.com",), ("b.com",), ("a.com", "b.com"))
    }
    assert len(versions) == 3
