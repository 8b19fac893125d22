"""How much a caller may ask for: requests, tokens, how many at once; counted in this worker or, by Redis, in all."""

from guard.proxy.limits.lease import Lease
from guard.proxy.limits.limits import Limits

__all__ = ["Lease", "Limits"]
