"""The protocols that Guard speaks: one module each, behind one contract (wire.py)."""

from guard.proxy.wire.chat import Chat
from guard.proxy.wire.responses import Responses
from guard.proxy.wire.wire import Wire

#: Every protocol. Each is served at its route.
WIRES: tuple[Wire, ...] = (Chat(), Responses())

__all__ = ["WIRES", "Wire"]
