"""Getting an answer from providers that fail: retries, a circuit breaker for each, and others to fall back on."""

from guard.proxy.resilience.target import Target
from guard.proxy.resilience.targets import Targets

__all__ = ["Target", "Targets"]
