"""Metrics found by name."""

from pathlib import Path

import pytest

from guard.errors import MetricError, UnknownMetric
from guard.metrics import Metric, Score
from guard.metrics.registry import BUILT_IN, KINDS, REGISTRY, Registry, kinds, load, make, maker


def own(name="own"):
    return Metric(name, lambda turn, side: Score(0.0))


def test_an_unknown_metric_is_told_with_the_nearest_name():
    with pytest.raises(UnknownMetric, match="no metric 'toxcity'; did you mean 'toxicity'"):
        REGISTRY["toxcity"]


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_built_in_metric_is_there_under_its_own_name_and_says_what_it_measures(name):
    assert REGISTRY[name].name == name
    assert REGISTRY[name].description


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_is_there_under_its_own_name(kind):
    assert maker(kind).kind == kind
    assert kind in kinds()


def test_a_metric_is_made_on_first_use_and_once():
    made = []

    def factory():
        made.append(1)
        return own()

    registry = Registry({"own": factory})
    assert made == []
    assert registry["own"] is registry["own"]
    assert made == [1]


def test_a_policys_own_metric_stands_in_front_and_the_others_are_still_there():
    parent = Registry({"a": own, "b": lambda: own("b")})
    child = parent.child({"a": own("mine")})
    assert (child["a"].name, child["b"].name) == ("mine", "b")
    assert sorted(child) == ["a", "b"]


def test_a_name_that_is_taken_cannot_be_taken_again():
    registry = Registry({})
    registry.add(own())
    with pytest.raises(MetricError, match="another name"):
        registry.add(own())


def test_a_declared_metric_without_a_kind_or_of_an_unknown_one_is_told_the_fix():
    with pytest.raises(MetricError, match="says no kind"):
        make("x", {"words": []}, Path())
    with pytest.raises(MetricError, match="did you mean 'keywords'"):
        make("x", {"kind": "keyword"}, Path())


def test_what_is_named_by_module_and_attribute_is_loaded():
    assert load("guard.metrics.score:Score") is Score
