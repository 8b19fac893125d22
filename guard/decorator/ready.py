"""Loading what a policy measures with when it is first needed, outside of any stage's deadline."""

from __future__ import annotations

import asyncio
import threading

from guard.guard import Policies
from guard.policies import LoadedPolicy, PolicySet
from guard.policies.ready import make_ready


class Ready:
    """Makes the metrics of policies ready, once: the first call waits, and those that come meanwhile.

    Live policies see to it themselves.
    """

    def __init__(self, policies: Policies) -> None:
        self._policies = policies.policies if isinstance(policies, PolicySet) else (policies,)
        self._lock = threading.Lock()
        self._done = False

    async def wait(self) -> None:
        """Return when everything is loaded. Raises PolicyError where a metric cannot be."""
        # Not where the handler is decorated: importing an app should not load models, nor its first call time out.
        if not self._done:
            await asyncio.to_thread(self._make)

    def _make(self) -> None:
        with self._lock:
            if not self._done:
                make_ready(policy for policy in self._policies if isinstance(policy, LoadedPolicy))
                self._done = True
