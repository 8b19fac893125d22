"""What must not be readable in a stored text, and what must stay so."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import Span
from guard.store.mask import NOTE_LIMIT, Masker, clean, found_in

anything = st.text(st.characters(exclude_categories=[]), max_size=60)
prose = st.text(st.sampled_from("ab c.\n,äß字"), max_size=20)


def masked(text: str, *spans: Span, limit: int = 20_000) -> str:
    return Masker(limit=limit).passages([text], spans)[0]


@pytest.mark.parametrize(
    ("secret", "label"),
    [
        ("ada@example.org", "EMAIL"),
        ("ада@пример.рф", "EMAIL"),
        ("first.last+tag@mail.example.co.uk", "EMAIL"),
        ("4111 1111 1111 1111", "NUMBER"),
        ("4111-1111-1111-1111", "NUMBER"),
        ("+49 (0) 30 1234-567", "NUMBER"),
        ("(555) 123-4567", "NUMBER"),
        ("123-45-6789", "NUMBER"),
        ("482913", "NUMBER"),
        ("٠١٢٣٤٥٦٧٨", "NUMBER"),
        ("192.168.10.1", "IP"),
        ("DE89 3704 0044 0532 0130 00", "IBAN"),
        ("GB29NWBK60161331926819", "IBAN"),
        ("sk-abcdefghijklmnop", "KEY"),
        ("AKIAIOSFODNN7EXAMPLE", "KEY"),
        ("ghp_abcdefghijklmnopqrst", "KEY"),
        ("0123456789abcdef0123456789abcdef", "KEY"),
        ("1-2-3-4-5-6-7-8-9-0-1-2-3-4", "KEY"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-def", "KEY"),
        ("password: hunter22", "CREDENTIALS"),
        ('"api_key": "short"', "CREDENTIALS"),
        ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "CREDENTIALS"),
        ("Bearer abcdef.ghijkl-mnop", "CREDENTIALS"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "PRIVATE_KEY"),
        ("-----BEGIN PRIVATE KEY-----\nMIIE and the rest was cut", "PRIVATE_KEY"),
    ],
)
def test_what_looks_like_a_secret_is_masked_without_any_metric(secret, label):
    text = masked(f"before {secret} after")
    assert f"[{label}]" in text
    assert secret not in text
    assert text.startswith("before ")


def test_credentials_in_a_url_are_masked_and_its_host_stays():
    assert masked("see https://ada:pw@host/path") == "see https[CREDENTIALS]host/path"


@pytest.mark.parametrize(
    "text",
    [
        "born on 2024-05-17 at 12:30:15",
        "due 17.05.2024 or 5/17/2024",
        "it costs $1,234,567.89, not 99,50 €",
        "in 1999 there were 12345 of them, 3.14 each",
        "the chairperson-of-the-standing-committee spoke",
        "password must be long; keep it secret",
        "Donaudampfschifffahrtsgesellschaftskapitän",
        "call @ada or see example.org/a/b",
        "version 1.2.3, 50 % of 100",
    ],
)
def test_dates_prices_and_plain_words_stay_readable(text):
    assert masked(text) == text


@given(prose, st.from_regex(r"[a-z]{1,20}@[a-z]{1,10}\.(com|org)", fullmatch=True), prose)
def test_an_e_mail_address_never_survives(before, address, after):
    assert address not in masked(f"{before} {address} {after}")


@given(
    prose, st.lists(st.sampled_from("0123456789"), min_size=7, max_size=20), st.sampled_from(["", " ", "-", "."]), prose
)
def test_a_long_number_never_survives_but_as_a_date(before, digits, separator, after):
    number = separator.join(digits)
    assert number not in masked(f"{before} {number} {after}")


@given(
    anything,
    st.lists(
        st.tuples(st.integers(-5, 70), st.integers(-5, 70), st.sampled_from(["a", "name"]), st.integers(0, 2)),
        max_size=5,
    ),
)
def test_any_spans_over_any_text_leave_nothing_that_they_cover_and_keep_what_they_do_not(text, marks):
    spans = [Span(start, end, label, passage=passage) for start, end, label, passage in marks]
    stored = Masker("masked", limit=1_000).passages([text], spans)
    covered = {n for s in spans if s.passage == 0 for n in range(max(0, s.start), min(s.end, len(text)))}
    light = Masker("masked", limit=1_000).passages([text], [])
    stored[0].encode()
    if not covered:
        assert stored == light
    elif light == [clean(text)]:
        left = "".join("\1" if n in covered else clean(c) for n, c in enumerate(text))
        pieces = [piece for piece in left.split("\1") if piece]
        assert all(piece in stored[0] for piece in pieces)
        brackets = sum(len(f"[{label}]") for label in stored[0].split("[")[1:] for label in [label.split("]")[0]])
        assert len(stored[0]) <= sum(map(len, pieces)) + max(brackets, len(spans) * len("[NAME]"))


def test_spans_that_overlap_are_one_mark_named_by_the_first_and_longest():
    assert masked("Ada Lovelace here", Span(0, 3, "first"), Span(0, 12, "name"), Span(4, 14, "odd")) == "[NAME]ere"


def test_the_label_of_a_mark_is_plain_whatever_a_metric_calls_it():
    assert masked("Ada", Span(0, 3, "my label/ß ✓")) == "[MY_LABEL_SS]"
    assert masked("Ada", Span(0, 3, "✓")) == "[HIDDEN]"


def test_spans_are_of_their_own_passage():
    assert Masker().passages(["Ada", "Bob", "Cyd"], [Span(0, 3, "name", passage=1)]) == ["Ada", "[NAME]", "Cyd"]


def test_a_long_text_is_cut_at_the_limit_and_the_rest_counted():
    assert masked("ab " * 10, limit=20) == "ab ab ab ab ab ab ab[… 10 characters more]"
    assert masked("x" * 20, limit=20) == "x" * 20


@given(st.integers(0, 30), st.integers(1, 40))
def test_a_secret_that_the_limit_cuts_through_is_masked_whole(before, limit):
    text = "a " * before + "ada@example.org" + " b" * 30
    stored = masked(text, limit=limit)
    for length in range(4, 16):
        assert "ada@example.org"[:length] not in stored


def test_a_span_that_the_limit_cuts_through_is_masked_whole():
    assert masked("I am Ada Lovelace of London", Span(5, 17, "name"), limit=8) == "I am [NAME][… 10 characters more]"


def test_a_side_keeps_its_newest_passages_when_it_is_long_in_all():
    stored = Masker(limit=10).passages(["x" * 10] * 12, [])
    assert stored == ["[… 10 characters more]"] * 2 + ["x" * 10] * 10


def test_what_no_database_takes_is_replaced_one_for_one():
    assert clean("a\x00\ud800\udfffb") == "a\ufffd\ufffd\ufffdb"
    assert masked("\x00 Ada \ud800", Span(2, 5, "name")) == "\ufffd [NAME] \ufffd"
    assert Masker("full").passages(["\ud800"], []) == ["\ufffd"]


def test_a_note_repeats_nothing_that_was_found():
    found = found_in(["I am Ada Lovelace, ok"], [Span(5, 17, "name"), Span(5, 8, "name"), Span(19, 21, "tiny")])
    note = Masker().note("Ada Lovelace (Ada) wrote to ada@example.org, ok", found)
    assert note == "[NAME] ([NAME]) wrote to [EMAIL], ok"
    assert Masker("none").note("Ada Lovelace", found) == "[NAME]"
    assert Masker("full").note("Ada Lovelace ada@example.org", found) == "Ada Lovelace ada@example.org"


def test_a_long_note_is_cut():
    assert Masker().note("ab " * NOTE_LIMIT, {}).endswith(f"[… {2 * NOTE_LIMIT} characters more]")


def test_full_keeps_the_text_and_still_bounds_it():
    assert Masker("full", limit=5).passages(["ada@example.org"], [Span(0, 3, "name")]) == [
        "ada@e[… 10 characters more]"
    ]
