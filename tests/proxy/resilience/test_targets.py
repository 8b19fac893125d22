"""Who stands in for whom, from the settings."""

from contextlib import AsyncExitStack

import pytest

from guard.errors import SettingsError, UpstreamError
from guard.proxy.resilience.opening import open_anthropic, open_targets
from guard.proxy.resilience.targets import falls_back
from guard.settings import Settings

PATH = "chat/completions"


@pytest.fixture
async def opened():
    """Targets from fallbacks as they are written."""
    async with AsyncExitStack() as stack:

        def make(*fallbacks, upstream="https://one.example/v1", **more):
            settings = Settings(upstream=upstream, fallbacks=list(fallbacks), **more)
            return open_targets(settings, stack)

        yield make


def names(targets, model="gpt-5", path=PATH):
    return [target.name for target in targets.of(model, path)]


async def test_targets_come_in_the_order_in_which_they_are_written(opened):
    targets = opened({"model": "gpt-5-mini"}, {"upstream": "http://two.example:8000/v1", "name": "spare"})
    assert names(targets) == ["one.example", "one.example/gpt-5-mini", "spare"]
    assert [target.model for target in targets.of("gpt-5", PATH)] == [None, "gpt-5-mini", None]


async def test_one_stands_in_only_for_the_models_it_names(opened):
    targets = opened({"model": "gpt-5-mini", "models": ["gpt-*"]})
    assert names(targets, "gpt-5") == ["one.example", "one.example/gpt-5-mini"]
    assert names(targets, "claude") == ["one.example"]


async def test_no_other_model_makes_embeddings_since_its_numbers_mean_something_else(opened):
    targets = opened({"model": "small"}, {"upstream": "http://two.example/v1"})
    assert names(targets, "large", "embeddings") == ["one.example", "two.example"]
    assert names(targets, "small", "embeddings") == ["one.example", "one.example/small", "two.example"]


async def test_models_at_one_provider_share_its_breaker_and_others_do_not(opened, monkeypatch):
    monkeypatch.setenv("A", "a")
    monkeypatch.setenv("B", "b")
    two = {"upstream": "https://two.example/v1", "upstream_key_env": "A"}
    targets = opened({"model": "x"}, two, {**two, "model": "y"}, {**two, "upstream_key_env": "B"})
    first, other_model, second, second_model, other_key = targets.of("m", PATH)
    assert first.breaker is other_model.breaker
    assert second.breaker is second_model.breaker
    assert len({id(one.breaker) for one in (first, second, other_key)}) == 3
    assert targets.states == {"one.example": "closed", "two.example": "closed", "two.example#2": "closed"}


async def test_a_name_shows_nothing_of_the_url_but_its_host(opened):
    targets = opened(upstream="https://user:secret@one.example:8443/path/v1?key=secret")
    assert names(targets) == ["one.example:8443"]


async def test_the_callers_key_is_shown_to_the_first_provider_only(opened):
    first, other = opened({"upstream": "https://two.example/v1"}).of("m", PATH)
    sent = [dict(one.upstream._headers({"authorization": "Bearer app"}, raw=False)) for one in (first, other)]
    assert [one.get("authorization") for one in sent] == ["Bearer app", None]


async def test_a_key_that_is_not_set_stops_the_start(opened):
    with pytest.raises(SettingsError, match="NOT_SET is not set; set it"):
        opened({"upstream": "https://two.example/v1", "upstream_key_env": "NOT_SET"})


@pytest.mark.parametrize("written", [{}, {"upstream_key_env": "A", "model": "x"}, {"upstream": "ftp://x"}])
def test_a_fallback_that_is_nowhere_else_is_refused(written):
    with pytest.raises(ValueError, match="give"):
        Settings(fallbacks=[written])


@pytest.mark.parametrize(
    ("error", "other"),
    [
        (UpstreamError("", cause="connect"), True),
        (UpstreamError("", cause="key"), True),
        (UpstreamError("no JSON"), True),
        (UpstreamError("", said=500), True),
        (UpstreamError("", said=429), True),
        (UpstreamError("", said=400), False),
        (UpstreamError("", said=401), False),
    ],
)
def test_another_is_asked_unless_the_request_itself_was_refused(error, other):
    assert falls_back(error) is other


async def test_anthropics_provider_has_a_breaker_of_its_own_and_other_models_there_stand_in():
    async with AsyncExitStack() as stack:
        one, two = "https://one.example/v1", "https://two.example/v1"
        spare = [{"model": "small", "models": ["claude-*"]}, {"upstream": two}]
        settings = Settings(upstream=one, anthropic_upstream=one, fallbacks=spare)
        targets = open_targets(settings, stack)
        anthropic = open_anthropic(settings, stack, targets)
        assert names(anthropic, "claude-1", "messages") == ["one.example#anthropic", "one.example#anthropic/small"]
        assert anthropic.states.keys().isdisjoint(targets.states)
        assert open_anthropic(Settings(upstream=one), stack, targets) is targets
