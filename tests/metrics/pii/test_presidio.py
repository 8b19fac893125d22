"""These load Presidio, which takes seconds."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from guard.metrics.pii.entities import left_out, of_countries
from guard.metrics.pii.labels import labels
from guard.metrics.pii.presidio import OVERLAP, SIZE, Presidio, recognisers
from guard.metrics.score import Span

pytestmark = pytest.mark.slow

#: Presidio's entity, a sentence that speaks of it, and a made-up value that passes its checks.
ENTITIES = [line.split("\t") for line in Path(__file__).with_name("entities.tsv").read_text("utf-8").splitlines()]
#: What counts without context, by its own shape and checks.
ALONE = [
    ("credit_card_info", "4012-8888-8888-1881"),
    ("credit_card_info", "378282246310005"),
    ("credit_card_info", "2223 0031 2200 3222"),
    ("account_info", "DE89 3704 0044 0532 0130 00"),
    ("account_info", "GB29NWBK60161331926819"),
    ("account_info", "FR1420041010050500013M02606"),
    ("email", "jane.doe+shop@example.co.uk"),
    ("email", "o'brien@mail.example"),
    ("email", "jürgen@müller.de"),
    ("network_info", "203.0.113.9"),
    ("network_info", "2001:db8::8a2e:370:7334"),
    ("network_info", "fe80::1ff:fe23:4567:890a"),
    ("network_info", "3C-22-FB-01-9A-7E"),
    ("network_info", "3c22.fb01.9a7e"),
    ("crypto", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
    ("ssn", "536-22-8765"),
    ("national_id", "AB 12 34 56 C"),
    ("national_id", "12345678-Z"),
    ("national_id", "811218-9876"),
    ("national_id", "131052-308T"),
    ("tax_id", "918-62-6563"),
]
NEAR_MISSES = [
    "4012 8888 8888 1882 9999",
    "order 4539148803436468123",
    "serial 4012888888881881",
    "GB29NWBK60161331926818",
    "version 3.11.7.2",
    "listening on 127.0.0.1 and 0.0.0.0",
    "the network 10.0.0.0/16",
    "std::vector and a::b",
    "at 12:30:45 and 10:20",
    "ff:ff:ff:ff:ff:ff",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha 9e107d9d372bb6826bd81d3542a419d6",
    "2024-05-06T14:30:00Z",
    "sold 123456789 units",
    "part 536-22-8765",
    "12-536-22-8765",
    "536-22-8765-01",
    "9400 4012 8888 8888 1881",
    "78-05-1120",
    "1,234,567.89 and 12.5%",
    "heap 57435322K of 82117632K",
    "order 2345678901 of 12345678",
    "A1234567 and B12345678",
    "user@localhost",
    "@mention and name@",
    "the 9400 1000 0000 0000 0000 00 parcel",
    "key eyJ0aGVtZSI6ImRhcmsiLCJsYW5nIjoibmwifQ",
    "ISBN 978-3-16-148410-0",
]


@pytest.fixture(scope="module")
def presidio() -> Presidio:
    return Presidio(labels())


def found(presidio: Presidio, text: str) -> set[tuple[str, str]]:
    return {(span.label, text[span.start : span.end]) for span in presidio(text)}


def test_every_entity_of_the_installed_presidio_is_read_or_left_out_on_purpose():
    installed = {recogniser.supported_entities[0] for recogniser in recognisers()}
    assert installed - set(of_countries(None)) - left_out() == set()


def test_every_entity_has_a_row_below_and_a_label_of_ours():
    assert {entity for entity, _, _ in ENTITIES} == set(of_countries(None))
    assert {kind.label for kind in of_countries(None).values()} <= labels()


@pytest.mark.parametrize(("entity", "sentence", "value"), ENTITIES, ids=[entity for entity, _, _ in ENTITIES])
def test_every_entity_is_found_where_the_text_speaks_of_it(presidio, entity, sentence, value):
    text = f"Hello, {sentence.format(value)}, thanks."
    label = of_countries(None)[entity].label
    start = text.index(value)
    assert any(
        span.label == label and span.start <= start and span.end >= start + len(value) and span.score >= 0.5
        for span in presidio(text)
    )


@pytest.mark.parametrize(
    ("entity", "value"), [(entity, value) for entity, _, value in ENTITIES if not of_countries(None)[entity].alone]
)
def test_what_needs_context_is_left_alone_without(presidio, entity, value):
    assert of_countries(None)[entity].label not in {label for label, _ in found(presidio, f"It was {value} then.")}


@pytest.mark.parametrize(("label", "value"), ALONE)
def test_what_its_shape_gives_away_is_found_without_context(presidio, label, value):
    assert (label, value) in found(presidio, f"It was {value} then.")


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_an_identifier_is_left_alone(presidio, text):
    assert found(presidio, f"see {text} there") == set()


def test_a_value_between_letters_of_a_script_without_spaces_is_found(presidio):
    assert found(presidio, "邮箱是jane@example.com。社保号536-22-8765。") == {
        ("email", "jane@example.com"),
        ("ssn", "536-22-8765"),
    }


def test_an_address_is_judged_without_the_network(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    fresh = Presidio({"email"})
    assert found(fresh, "jo@example.org") == {("email", "jo@example.org")}
    assert found(fresh, "jo@example.nosuchsuffix") == set()


@pytest.mark.parametrize("before", [0, SIZE - OVERLAP - 12, SIZE - 12, SIZE - 4, SIZE, 5 * SIZE])
def test_a_value_is_found_whole_wherever_in_a_long_text_it_stands(presidio, before):
    text = "lorem " * (before // 6) + "x" * (before % 6) + " 4012 8888 8888 1881 " + "ipsum " * SIZE
    assert found(presidio, text) == {("credit_card_info", "4012 8888 8888 1881")}


def test_what_presidio_finds_at_the_start_of_a_word_its_shape_lets_through(presidio):
    entries, shapes, owners = presidio._ready
    for _, sentence, value in ENTITIES:
        text = f"Hello, {sentence.format(value)}, thanks."
        let_through = {owners[number] for number in shapes.Match(text)}
        for number, (recogniser, _) in enumerate(entries):
            starts = {finding.start for finding in recogniser.analyze(text, recogniser.supported_entities)}
            if any(not text[start - 1].isalnum() for start in starts):
                assert number in let_through, (recogniser.name, text)


def test_no_more_than_a_window_is_read_at_once(presidio, monkeypatch):
    entries, _, _ = presidio._ready
    read = []
    for recogniser, _ in entries:
        monkeypatch.setattr(recogniser, "analyze", lambda text, entities: read.append(len(text)) or [])
    list(presidio("jo@example.org 536-22-8765 " * 1_000))
    assert read
    assert max(read) <= SIZE


def test_only_the_countries_asked_for_are_looked_for():
    text = "my social security number is 536-22-8765 and my NI number is HM227889C"
    assert found(Presidio(labels(), {"uk"}), text) == {("national_id", "HM227889C")}
    assert found(Presidio(labels(), {"us"}), text) == {("ssn", "536-22-8765")}


def test_a_finding_with_context_is_surer_than_one_without(presidio):
    (alone,) = presidio("It was 536-22-8765 then.")
    (told,) = presidio("My SSN was 536-22-8765 then.")
    assert isinstance(alone, Span)
    assert told.score > alone.score
