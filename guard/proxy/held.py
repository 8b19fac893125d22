"""An event of a streamed answer that waits, and the pieces of it that have to be read before it may leave."""

from __future__ import annotations

from dataclasses import dataclass, field

from guard.proxy.calls import Call
from guard.proxy.unread import UnreadPiece
from guard.proxy.wire.leaves import Body
from guard.proxy.wire.wire import Place
from guard.stream import HoldBack


@dataclass(slots=True)
class Piece:
    """A piece of a text in an event: characters start to end, exclusive, of one that is held back."""

    place: Place
    text: HoldBack
    start: int
    end: int

    @property
    def ready(self) -> bool:
        """Whether it was read, so that it may leave."""
        return self.text.released_to >= self.end

    @property
    def begun(self) -> bool:
        """Whether the beginning of it may leave."""
        return self.text.released_to > self.start

    def write(self) -> None:
        """Put what may leave into the event."""
        if self.ready:
            self.place.write(self.text.edited(self.start, self.end))
        else:
            self.place.cut(self.text.edited(self.start, self.text.released_to))


@dataclass(slots=True)
class CallPiece:
    """A piece of a tool call in an event. The call writes it once it is complete."""

    call: Call
    begun = False

    @property
    def ready(self) -> bool:
        """Whether the whole call was read."""
        return self.call.ready

    def write(self) -> None:
        """Nothing is left to do."""


@dataclass(slots=True)
class Repeat:
    """A text or call that an event says once more, whole."""

    place: Place
    said: HoldBack | Call
    begun = False

    @property
    def ready(self) -> bool:
        """Whether all that it repeats was read."""
        return self.said.ready

    def write(self) -> None:
        """Put what was let out of it into the event."""
        self.place.write(self.said.allowed)


@dataclass(slots=True)
class Held:
    """An event that waits for its texts and calls to be read."""

    event: Body
    pieces: list[Piece | CallPiece | Repeat | UnreadPiece] = field(default_factory=list)
    #: In bytes, as JSON.
    size: int = 0

    @property
    def ready(self) -> bool:
        """Whether all of it was read."""
        return all(piece.ready for piece in self.pieces)

    @property
    def begun(self) -> bool:
        """Whether all of it was read as far as a text in it that is cut off."""
        return all(piece.ready or piece.begun for piece in self.pieces)
