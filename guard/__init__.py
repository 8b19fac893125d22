"""Guard stands between apps and language models: it measures what goes in and out, and decides by policies."""

from guard.decorator import protect
from guard.errors import Blocked, GuardError, MetricError, NoPolicy, PolicyError, SettingsError
from guard.guard import Guard, Verdict
from guard.metrics import Failure, Score, Span, Turn
from guard.metrics.own import metric
from guard.policies import load_policies, load_policy

__all__ = [
    "Blocked",
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
