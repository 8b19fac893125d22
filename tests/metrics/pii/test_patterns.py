from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics.pii.labels import labels
from guard.metrics.pii.patterns import Patterns, _patterns

ALL = Patterns(labels())

FOUND = [
    ("the password is hunter2", "password", "hunter2"),
    ("pw: correct-horse-battery", "password", "correct-horse-battery"),
    ('{"user": "x", "password": "Tr0ub4dor&3"}', "password", "Tr0ub4dor&3"),
    ("DB_PASS=s3cret!", "password", "s3cret!"),
    ("my password is swordfish.", "password", "swordfish"),
    ("Mein Passwort ist Sommer2024", "password", "Sommer2024"),
    ("密码是Qw3rty12", "password", "Qw3rty12"),
    ("my PIN is 4711", "password", "4711"),
    ("the door code is 9923", "password", "9923"),
    ("curl -u anna:geheim9 https://x.org", "password", "geheim9"),
    ("git clone https://bob:tiger99@example.org/repo", "password", "tiger99"),
    ("username: kim_92", "username", "kim_92"),
    ("my login is jdoe", "username", "jdoe"),
    ("logged in as j.doe yesterday", "username", "j.doe"),
    ("sshd: Invalid user admin77 from", "username", "admin77"),
    ("/" + "home/akim/.ssh", "username", "akim"),
    ("git clone https://bob:tiger99@example.org/repo", "username", "bob"),
    ("DOB 12/03/1985", "date_of_birth", "12/03/1985"),
    ("I was born on 3 March 1985 in Leeds", "date_of_birth", "3 March 1985"),
    ("date of birth: March 3rd, 1985", "date_of_birth", "March 3rd, 1985"),
    ('"dob": "1985-03-12"', "date_of_birth", "1985-03-12"),
    ("geboren am 3. März 1985", "date_of_birth", "3. März 1985"),
    ("née le 3 mars 1985", "date_of_birth", "3 mars 1985"),
    ("生年月日：1985年3月12日", "date_of_birth", "1985年3月12日"),
    ("acct no 12-345-6789", "account_info", "12-345-6789"),
    ("sort code 20-00-00", "account_info", "20-00-00"),
    ("routing number is 021000021", "account_info", "021000021"),
    ("IFSC SBIN0976486", "account_info", "SBIN0976486"),
    ("my account number is four one five five two nine", "account_info", "four one five five two nine"),
    ("CVV 123", "credit_card_info", "123"),
    ("card 4111 1111 1111 1112", "credit_card_info", "4111 1111 1111 1112"),
    ("SSN 536228765", "ssn", "536228765"),
    ("the last four of my social are 8765", "ssn", "8765"),
    ("passport no. C01X00T47", "passport", "C01X00T47"),
    ("driver's license number N06-23-9692", "driver_license", "N06-23-9692"),
    ("meu CPF é 529.982.247-25", "national_id", "529.982.247-25"),
    ("Emirates ID 784-1985-1234567-1", "national_id", "784-1985-1234567-1"),
    ("tax id 94 769 817 906", "tax_id", "94 769 817 906"),
    ("MRN: 00379984", "medical_id", "00379984"),
    ("policy number POL081756", "medical_id", "POL081756"),
    ("number plate BT74 SOW", "license_plate", "BT74 SOW"),
    ("mail me: jane (at) example (dot) com", "email", "jane (at) example (dot) com"),
    ("jane dot doe at gmail dot com", "email", "jane dot doe at gmail dot com"),
    ("send it to 0x52908400098527886E0F7030069857D2E4169EE7", "crypto", "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("I live at 12 Main Street", "address", "12 Main Street"),
    ("Apt 4B, 221b Baker Street, London NW1 6XE", "address", "Apt 4B, 221b Baker Street, London NW1 6XE"),
    ("Please ship to 4 Privet Drive", "address", "4 Privet Drive"),
    ("Hauptstraße 12, 10115 Berlin", "address", "Hauptstraße 12, 10115 Berlin"),
    ("12 rue de la Paix, 75002 Paris", "address", "12 rue de la Paix, 75002 Paris"),
    ("Calle de Alcalá 42", "address", "Calle de Alcalá 42"),
    ("Via Garibaldi, 9", "address", "Via Garibaldi, 9"),
    ("P.O. Box 1234", "address", "P.O. Box 1234"),
    ("near CB2 1TN", "address", "CB2 1TN"),
    ("call me on oh seven seven one eight nine two", "phone_number", "oh seven seven one eight nine two"),
]

#: What its capitals help to tell.
BY_CAPITALS = {"address", "license_plate", "crypto", "account_info"}
NEAR_MISSES = [
    "Your password is required.",
    "I forgot my password and the reset link expired.",
    "password: str = None",
    "password = get_password()",
    "Please enter your password in the field below.",
    "The password must be at least 12 characters.",
    'the <input type="password" name="pw"> field',
    "a boarding pass 12 and a day pass is 3.95",
    "password=${DB_PASSWORD}",
    "Username: required",
    "the user is not found",
    "User: summarise this text",
    "to handle real-time data",
    "as a user, log in to see more",
    "@pytest.mark.parametrize",
    "born in the seventies",
    "The company was founded on 3 March 1985.",
    "due date 12/03/2025",
    "on account of the rain",
    "accounts show a loss of 12 percent",
    "the accident on 12/10/16",
    "since 2015-10-01",
    "an account of 3 pages",
    "version 4.0.2 of the driver",
    "the MIT license of 2024",
    "the area is 225 square units",
    "5 square meters",
    "2 lanes, 3 ways",
    "on page 12 the story begins",
    "Summer 2024 Street Food Festival",
    "Chapter 3 Place and Time",
    "the string 5 and the ring 6",
    "the car has 4 wheels",
    "driving 128 BPM",
    "Taylor Swift released it",
    "one two three four",
    "registration is open from 9 to 5",
    "insurance covers 80 percent",
    "member since 2019",
    "see policy 12 for details",
    "chart 4 shows the trend",
]


def found(text: str, recogniser: Patterns = ALL) -> set[tuple[str, str]]:
    return {(span.label, text[span.start : span.end]) for span in recogniser(text)}


@pytest.mark.parametrize(("text", "label", "value"), FOUND)
def test_a_value_is_found_by_what_stands_around_it(text, label, value):
    assert (label, value) in found(text)


@pytest.mark.parametrize("text", NEAR_MISSES)
def test_what_only_looks_like_personal_data_is_left_alone(text):
    assert found(text) == set()


@pytest.mark.parametrize(("text", "label", "value"), [row for row in FOUND if row[1] not in BY_CAPITALS])
def test_a_value_that_capitals_do_not_give_away_is_found_in_small_letters_too(text, label, value):
    assert label in {label for label, _ in found(text.lower())}


def test_only_wanted_labels_are_looked_for():
    text = "username: kim_92, password: hunter2"
    assert found(text, Patterns({"username"})) == {("username", "kim_92")}


@given(st.lists(st.sampled_from([word for text, _, _ in FOUND for word in text.split()]) | st.text(), max_size=30))
def test_a_hint_matches_wherever_its_pattern_does(words):
    text = " ".join(words).encode("utf-8", "replace").decode()
    direct = {span for pattern in _patterns() for span in pattern.spans(text)}
    assert set(ALL(text)) == direct
