"""Guard stands between apps and language models: it measures what goes in and out, and decides by policies."""

from typing import TYPE_CHECKING, Any

from guard.decorator import protect
from guard.errors import Blocked, GuardError, MetricError, NoPolicy, PolicyError, SettingsError
from guard.guard import Guard
from guard.metrics import Failure, Score, Span, Turn
from guard.metrics.own import metric
from guard.policies import load_policies, load_policy
from guard.verdict import Verdict

if TYPE_CHECKING:
    from guard.client import AsyncClient, Client

__all__ = [
    "AsyncClient",
    "Blocked",
    "Client",
    "Failure",
    "Guard",
    "GuardError",
    "MetricError",
    "NoPolicy",
    "PolicyError",
    "Score",
    "SettingsError",
    "Span",
    "Turn",
    "Verdict",
    "load_policies",
    "load_policy",
    "metric",
    "protect",
]


def __getattr__(name: str) -> Any:
    """The clients, which only those who use them wait for."""
    if name in ("AsyncClient", "Client"):
        import guard.client

        return getattr(guard.client, name)
    raise AttributeError(f"module 'guard' has no attribute '{name}'")
