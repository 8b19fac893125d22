"""`@protect`: a policy around a chat handler, whatever its shape."""

from guard.decorator.protect import protect

__all__ = ["protect"]
