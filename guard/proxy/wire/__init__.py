"""The protocols that Guard speaks: one module each, behind one contract (wire.py)."""

from guard.proxy.wire.chat import Chat
from guard.proxy.wire.completions import Completions
from guard.proxy.wire.embeddings import Embeddings
from guard.proxy.wire.messages import CountTokens, Messages
from guard.proxy.wire.responses import Responses
from guard.proxy.wire.wire import Wire

#: Every protocol. Each is served at its route.
WIRES: tuple[Wire, ...] = (Chat(), Responses(), Completions(), Embeddings(), Messages(), CountTokens())

__all__ = ["WIRES", "Wire"]
