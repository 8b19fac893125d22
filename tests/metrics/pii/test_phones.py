from __future__ import annotations

import pytest

from guard.metrics.pii.phones import Phones

PHONES = Phones()

ALONE = [
    "+1 415 555 2671",
    "+1-415-555-2671",
    "(415) 555-2671",
    "415-555-2671",
    "415.555.2671",
    "1-800-555-0199",
    "+44 20 7946 0958",
    "+44 (0)20 7946 0958",
    "020 7946 0958",
    "07700 900123",
    "0044 20 7946 0958",
    "+49 30 901820",
    "030 901820",
    "0151 23456789",
    "+33 6 12 34 56 78",
    "06 12 34 56 78",
    "06.12.34.56.78",
    "+34 612 345 678",
    "+39 06 6982",
    "+91 98765 43210",
    "+55 11 91234-5678",
    "(11) 91234-5678",
    "+81 90-1234-5678",
    "090-1234-5678",
    "+86 138 0013 8000",
    "+82 10-1234-5678",
    "+61 412 345 678",
    "+27 82 123 4567",
    "+234 803 123 4567",
    "+254 712 345678",
    "+7 912 345-67-89",
    "+90 532 123 45 67",
    "+971 50 123 4567",
    "+65 9123 4567",
    "+52 55 1234 5678",
    "+31 6 12345678",
    "+46 70 123 45 67",
    "+48 512 345 678",
    "+353 85 123 4567",
]
ONLY_IN_CONTEXT = ["4155552671", "612 345 678", "555-0142", "98765 43210", "123-456-7890", "07700900123"]
NEAR_MISSES = [
    "order 123-4567890-1234567",
    "order number 4155552671",
    "order 415-555-2671",
    "on 2024-05-06 14:30:00",
    "12/03/1985",
    "06.09.2018",
    "1714990000000",
    "1714990000",
    "550e8400-e29b-41d4-a716-446655440000",
    "192.168.100.200",
    "$1,234,567.89",
    "1.234.567",
    "3.14159265358979",
    "0.123456789",
    "-43.89039, -124.67759",
    "978-3-16-148410-0",
    "2019-2024",
    "1810-1898",
    "version 10.12.2024",
    "9400 1000 0000 0000 0000 00",
    "4111 1111 1111 1111",
    "536-22-8765",
    "INV-2024-0012345",
    "tracking 1Z999AA10123456784",
    "1-800-FLOWERS",
    "90210-1234",
    "01310-100",
    "A100 200 300 400",
    "5 + 5 - 10",
    "0 1 2 3 4 5 6 7 8 9",
    "2 x 4.5 m",
    "#1234567",
]


def found(text: str) -> list[str]:
    return [text[span.start : span.end] for span in PHONES(text)]


@pytest.mark.parametrize("number", ALONE)
def test_a_number_written_as_one_is_found_without_context(number):
    assert number in found(f"Reply to {number}, thanks.")


@pytest.mark.parametrize("number", ONLY_IN_CONTEXT)
def test_a_plain_number_is_found_where_the_text_speaks_of_telephones(number):
    assert number in found(f"you can call me on {number}, thanks")


@pytest.mark.parametrize("number", ONLY_IN_CONTEXT)
def test_a_plain_number_is_left_alone_where_it_does_not(number):
    assert found(f"the result was {number}, thanks") == []


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_other_numbers_are_left_alone(text):
    assert found(f"see {text} there") == []


@pytest.mark.parametrize(
    "word", ["电话", "電話番号は", "전화번호", "телефон ", "điện thoại ", "Telefonnummer ", "teléfono "]
)
def test_context_is_understood_in_other_languages_and_scripts(word):
    assert found(f"{word}0912345678。") == ["0912345678"]


def test_an_extension_belongs_to_the_number():
    assert found("(613) 562-5800 ext. 6555") == ["(613) 562-5800 ext. 6555"]


def test_two_numbers_of_one_line_are_both_found():
    assert found("Home (849) 555-0113, work (830) 744-8442") == ["(849) 555-0113", "(830) 744-8442"]
