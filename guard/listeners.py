"""What the hot path is given: where policies come from, and who is told what it does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from guard.metrics import Turn
from guard.policies import LoadedPolicy
from guard.stages import Subscription
from guard.store.event import Event
from guard.verdict import Verdict

if TYPE_CHECKING:
    from guard.guard import Exchange


class Policies(Protocol):
    """Where a turn's policy comes from: one policy, a set of them, or a live source."""

    def select(
        self, app: str = "", model: str = "", route: str = "", *, name: str = "", user: str = "", session: str = ""
    ) -> LoadedPolicy:
        """The policy for a turn, the one called `name` where that is given; user and session choose among its versions.

        Raises NoPolicy where there is none.
        """
        ...


class Recorder(Protocol):
    """Takes what becomes events, at once and without waiting."""

    def add(self, make: Callable[..., Event], characters: int) -> object:
        """Take a function that makes the event, off the hot path, and how many characters of text it holds on to."""
        ...


class Compares(Protocol):
    """Has turns decided by another version of their policy too, later and elsewhere."""

    def offer(self, verdict: Verdict, turn: Turn) -> None:
        """Take a turn that was decided. Never waits."""
        ...


class Notifies(Protocol):
    """Tells a policy's subscribers, later and elsewhere."""

    def tell(self, subscriptions: Sequence[Subscription], make: Callable[..., Event], characters: int) -> None:
        """Queue the event that `make` gives for each subscription; it holds on to that much text."""
        ...


class Observer(Protocol):
    """Is told what Guard does, as it does it. It neither waits nor raises."""

    def began(self, exchange: Exchange) -> None:
        """A request was given its policy."""
        ...

    def concluded(self, exchange: Exchange, verdict: Verdict) -> None:
        """A stage has decided."""
        ...

    def released(self, exchange: Exchange) -> None:
        """The first of a streamed text was let go."""
        ...
