"""What people write: policy files, how they build on each other, and how they are loaded and checked."""

from guard.policies.load import load_policies, load_policy
from guard.policies.loaded import LoadedPolicy
from guard.policies.policy import Policy
from guard.policies.set import PolicySet

__all__ = ["LoadedPolicy", "Policy", "PolicySet", "load_policies", "load_policy"]
