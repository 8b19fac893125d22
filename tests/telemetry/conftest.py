"""The proxy in process, as its own tests have it."""

from tests.proxy.conftest import client, settings

__all__ = ["client", "settings"]
