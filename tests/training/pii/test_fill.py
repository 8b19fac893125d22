"""One template at a time; what is drawn differs from seed to seed, so each claim is held over many."""

from __future__ import annotations

import random
import re
from functools import cache

import pytest
from faker import Faker

from guard.training.pii.fill import Filled, Template, fill
from guard.training.pii.made.document import Document

SEEDS = range(40)


@cache
def faker(locale: str) -> Faker:
    made = Faker(locale)
    made.seed_instance(0)
    return made


def filled(template: str, seed: int, *, locale: str = "en_US", register: str = "legal") -> Filled:
    line = {"id": "t-1", "template": template, "register": register, "locale": locale}
    return fill(Template.of(line), Document(random.Random(seed), faker, locale))


def marked(given: Filled) -> list[tuple[str, str]]:
    return [(given.text[span.start : span.end], span.label) for span in given.spans]


def each(template: str, **settings: str) -> list[Filled]:
    return [filled(template, seed, **settings) for seed in SEEDS]


def test_a_value_is_marked_where_it_stands_with_the_heads_label():
    for given in each("Mail {EMAIL}, from {MAC}."):
        (mail, email), (card, network) = marked(given)
        assert (email, network) == ("EMAIL", "NETWORK")
        assert re.fullmatch(r"\S.*\S", mail)
        assert re.fullmatch(r"(?i)[0-9a-f]{2}(:[0-9a-f]{2}){5}", card)


def test_one_number_is_one_person():
    for given in each("{PERSON:first#1} and {PERSON:last#2}; {PERSON:first#1} again, {PERSON:upper#2}"):
        (one, _), (two, _), (again, _), (loud, _) = marked(given)
        assert one == again
        assert loud.endswith(two.upper())


def test_one_number_is_one_value_and_without_numbers_values_differ():
    for given in each("{MAC#1} {MAC#1} {MAC#2} {MAC}"):
        first, again, second, other = given.text.split()
        assert first == again
        assert len({first, second, other}) == 3


def test_a_title_stands_outside_the_name():
    titles = {filled("{PERSON:title_last}", seed).text.split()[0] for seed in SEEDS}
    assert {"Dr.", "Mr"} <= titles
    for given in each("{PERSON:title_last}"):
        ((name, label),) = marked(given)
        assert label == "PERSON"
        assert not name.startswith(tuple(f"{title} " for title in titles))


def test_a_town_and_a_country_behind_a_street_are_part_of_the_address():
    for given in each("at {ADDRESS:street}, {LOCATION:city}, {LOCATION:country}."):
        ((address, label),) = marked(given)
        assert label == "ADDRESS"
        assert given.text == f"at {address}."


def test_a_place_elsewhere_in_the_sentence_is_a_place():
    for given in each("{ADDRESS:street} is not in {LOCATION:city}"):
        assert [label for _, label in marked(given)] == ["ADDRESS", "LOCATION"]


def test_first_and_last_name_side_by_side_are_one_name():
    for given in each("{PERSON:first} {PERSON:last}"):
        assert marked(given) == [(given.text, "PERSON")]


@pytest.mark.parametrize(
    "slot",
    [
        *("PRODUCT:food", "ORDER_ID:tracking", "NUM:amount", "AGE:yo", "SALARY:k", "GEO_COORDINATES", "API_KEY"),
        *("DATE:weekday", "DATE:relative_past", "DATE:relative_future", "DATE:month"),
    ],
)
def test_what_is_no_personal_data_is_filled_and_not_marked(slot):
    given = each(f"a {{{slot}}} b")
    assert len({one.text for one in given}) > 2
    assert all(marked(one) == [] and one.unknown == frozenset() for one in given)


@pytest.mark.parametrize("variant", ["iso", "long", "day_month", "month_year", "spoken", "timestamp"])
def test_a_day_of_the_calendar_is_a_date(variant):
    assert {label for one in each(f"on {{DATE:{variant}}}") for _, label in marked(one)} == {"DATE"}


def test_whether_a_public_person_counts_is_not_known():
    for given in each("{PUBLIC_PERSON:writer} wrote to {PERSON:full}"):
        assert given.unknown == {"PERSON"}
        assert len(given.spans) == 1


def test_in_an_address_of_the_web_the_user_and_the_password_count():
    for given in each("{URL_WITH_USER:creds}"):
        (user, _), (password, _) = marked(given)
        assert [label for _, label in marked(given)] == ["USERNAME", "PASSWORD"]
        assert f"//{user}:{password}@" in given.text


def test_some_casual_texts_lose_their_letter_case_and_no_others_do():
    def shouted(register: str) -> int:
        return sum(filled("Hello World, It Is Me", seed, register=register).text.isupper() for seed in range(300))

    assert shouted("chat") > 0
    assert shouted("legal") == 0


def test_the_order_of_a_date_is_the_countrys():
    months = {int(filled("{DATE:slashed}", seed, locale="en_US").text.split("/")[0].split("-")[0]) for seed in SEEDS}
    days = {int(filled("{DATE:slashed}", seed, locale="en_GB").text.split("/")[0].split("-")[0]) for seed in SEEDS}
    assert max(months) <= 12 < max(days)
