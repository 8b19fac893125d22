"""Against numbers that their issuers publish as examples."""

from __future__ import annotations

import pytest

from guard.training.pii.made import checks


@pytest.mark.parametrize(
    ("check", "number"),
    [
        (checks.luhn, "4111111111111111"),
        (checks.luhn, "378282246310005"),
        (checks.iso7064, "86095742719"),
        (checks.verhoeff, "2363"),
        (checks.pesel, "44051401359"),
        (checks.nhs, "9434765919"),
        (checks.aba, "021000021"),
    ],
)
def test_the_last_digit_of_a_known_number_is_its_check_digit(check, number):
    assert check(number[:-1]) == number[-1]


def test_the_check_digits_of_known_numbers_are_found():
    assert checks.cpf("111444777") == "11144477735"
    assert checks.nir("2550814168025") == "38"
    assert checks.dni(12345678) == "Z"
    assert checks.iban("DE", "370400440532013000") == "DE89370400440532013000"
    assert checks.iban("GB", "WEST12345698765432") == "GB82WEST12345698765432"


def test_a_dutch_number_is_told_from_another():
    assert checks.is_bsn("111222333")
    assert not checks.is_bsn("111222334")


def test_the_first_bitcoin_address_is_made_of_its_hash():
    payload = bytes.fromhex("00" + "62e907b15cbf27d5425399ebf6f0fb50ebb88f18")
    assert checks.base58(payload) == "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"
