from __future__ import annotations

import pytest

from guard.errors import MetricError
from guard.metrics.pii.labels import from_galileo, galileo, labels

GALILEO = {
    "account_info",
    "address",
    "credit_card_info",
    "date_of_birth",
    "email",
    "name",
    "network_info",
    "password",
    "phone_number",
    "ssn",
    "username",
}
OLDER = {"address", "date", "email", "financial_info", "name", "phone_number", "ssn", "username_password"}


@pytest.mark.parametrize("name", sorted(GALILEO))
def test_a_galileo_label_is_one_of_ours_and_goes_back_to_the_same_name(name):
    assert from_galileo(name) == {name}
    assert galileo(name) == name


@pytest.mark.parametrize("name", sorted(OLDER))
def test_an_older_galileo_label_covers_labels_that_all_go_back_to_it(name):
    assert from_galileo(name)
    assert {galileo(label, older=True) for label in from_galileo(name)} == {name}


def test_an_older_label_can_stand_for_several_of_ours():
    assert from_galileo("financial_info") == {"account_info", "credit_card_info"}
    assert from_galileo("username_password") == {"username", "password"}


def test_a_label_that_galileo_does_not_have_keeps_its_name_there():
    own = labels() - GALILEO
    assert "passport" in own
    assert {galileo(label) for label in own} == own


def test_a_label_that_nobody_knows_is_refused_with_the_nearest_one():
    with pytest.raises(MetricError, match="did you mean 'passport'"):
        from_galileo("pasport")
