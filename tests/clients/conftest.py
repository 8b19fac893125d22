"""Guard served for real before a provider served for real, for clients that others wrote."""

from contextlib import ExitStack

import pytest

from guard.proxy.app import create_app
from guard.settings import Settings
from tests.clients.provider import Provider
from tests.proxy.conftest import POLICY, running


@pytest.fixture(scope="session")
def provider():
    """The provider: what it was asked, and its app."""
    return Provider()


@pytest.fixture(scope="session")
def guarded(provider, tmp_path_factory):
    """The base URL of Guard, with /v1, before the provider."""
    folder = tmp_path_factory.mktemp("guarded")
    policy = folder / "policy.yaml"
    policy.write_text(POLICY)
    with ExitStack() as stack:
        upstream = stack.enter_context(running(provider.app))
        settings = Settings(policy=str(policy), upstream=f"{upstream}/v1", store=f"sqlite:///{folder}/guard.db")
        yield stack.enter_context(running(create_app(settings))) + "/v1"


@pytest.fixture(autouse=True)
def _asked_nothing_yet(provider):
    provider.bodies.clear()
    provider.headers.clear()
