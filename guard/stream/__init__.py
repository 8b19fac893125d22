"""Streamed text, held back until it was read: the same for the proxy and the decorator."""

from guard.stream.hold_back import HoldBack

__all__ = ["HoldBack"]
