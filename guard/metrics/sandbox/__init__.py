"""Functions of others as metrics: each in a process of its own, behind walls, and no part of this one."""

from guard.metrics.sandbox.metric import sandboxed
from guard.metrics.sandbox.process import NEEDED, Described, Limits, Sandbox, SandboxError

__all__ = ["NEEDED", "Described", "Limits", "Sandbox", "SandboxError", "sandboxed"]
