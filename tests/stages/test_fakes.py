"""Made-up values: of the same form, the same for the same seed, and of nobody."""

import ipaddress
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.stages import fakes
from guard.stages.fakes import last_four


def fake(value: str, label: str, seed: bytes) -> str:
    """The fake of a value that has one."""
    made_up = fakes.fake(value, label, seed)
    assert made_up is not None
    return made_up


SEEDS = [bytes([number]) for number in range(50)]


def luhn(number):
    digits = [int(one) for one in number if one.isdigit()]
    odd, even = digits[-1::-2], digits[-2::-2]
    return (sum(odd) + sum(sum(divmod(2 * one, 10)) for one in even)) % 10 == 0


def mod97(iban):
    plain = iban.replace(" ", "")
    return int("".join(str(int(one, 36)) for one in plain[4:] + plain[:4])) % 97 == 1


@pytest.mark.parametrize("card", ["4111 1111 1111 1111", "378282246310005", "5555-5555-5555-4444"])
def test_a_card_becomes_another_of_its_network_that_passes_luhn(card):
    made_up = {fake(card, "credit_card_info", seed) for seed in SEEDS}
    assert len(made_up) == len(SEEDS)
    for one in made_up:
        assert luhn(one)
        assert one[:2] == card[:2]
        assert re.sub(r"\d", "9", one) == re.sub(r"\d", "9", card)


@pytest.mark.parametrize("iban", ["DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819"])
def test_an_iban_becomes_another_of_its_country_that_passes_mod_97(iban):
    for seed in SEEDS:
        made_up = fake(iban, "account_info", seed)
        assert made_up != iban
        assert mod97(made_up)
        assert made_up[:2] == iban[:2]
        assert len(made_up) == len(iban)


def test_an_address_becomes_one_that_leads_to_nobody():
    for seed in SEEDS:
        assert re.fullmatch(r"[a-z]+\.[a-z]+\d\d@example\.(com|net|org)", fake("jo@corp.io", "email", seed))
        assert ipaddress.ip_address(fake("10.1.2.3", "network_info", seed)).is_private  # kept for documentation
        assert fake("2a00:1450::1", "network_info", seed).startswith("2001:db8::")


@pytest.mark.parametrize(
    ("phone", "country"), [("+49 151 23456789", "+49 1"), ("+1 (212) 555-0100", "+1 (2"), ("+358 40 1234567", "+358 4")]
)
def test_a_telephone_number_keeps_its_country_and_length(phone, country):
    for seed in SEEDS:
        made_up = fake(phone, "phone_number", seed)
        assert made_up.startswith(country)
        assert re.sub(r"\d", "9", made_up) == re.sub(r"\d", "9", phone)


def test_a_name_becomes_one_of_as_many_words_written_as_it_was():
    assert re.fullmatch(r"[A-Z][a-z]+ [A-Z][a-z]+", fake("Anna Meyer", "name", b"1"))
    assert fake("ANNA MEYER", "name", b"1").isupper()
    assert len(fake("Anna", "name", b"1").split()) == 1


def test_anything_else_keeps_which_characters_are_digits_and_letters():
    assert re.fullmatch(r"[A-Z]{3}-\d{8}", fake("ORD-12345678", "order", b"1"))
    assert re.fullmatch(r"\d{3}-\d\d-\d{4}", fake("078-05-1120", "ssn", b"1"))


@pytest.mark.parametrize("value", ["", "7", "12345", "---", "ab-12"])
def test_what_is_too_short_to_be_told_apart_has_no_fake(value):
    assert fakes.fake(value, "code", b"1") is None


@given(st.text(max_size=40), st.sampled_from(["email", "name", "phone_number", "order"]), st.binary(max_size=4))
def test_of_whatever_text_the_same_seed_gives_the_same_fake_which_json_writes_as_it_is(value, label, seed):
    made_up = fakes.fake(value, label, seed)
    assert fakes.fake(value, label, seed) == made_up
    assert made_up is None or json.dumps(made_up) == f'"{made_up}"'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("4111 1111 1111 1234", "**** **** **** 1234"),
        ("078-05-1120", "***-**-1120"),
        ("jo@ex.org", "*****.***"),
        ("secret7", "*******"),
        ("12345678", "****5678"),
    ],
)
def test_the_last_four_are_shown_where_there_are_eight(value, shown):
    assert last_four(value) == shown
