"""Holding a streamed text back until it was read."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from time import perf_counter

from guard.guard import Exchange
from guard.metrics import Measurements, Probe, Side, Span, Turn
from guard.metrics.measure import Needed
from guard.stages import Decision, Redact, Stage, decide, needed
from guard.stages.addresses import BEFORE
from guard.stream.findings import Findings, by_windows, redactable, undecided, windowed
from guard.stream.region import Region
from guard.stream.text import Text
from guard.verdict import Verdict

#: The first window goes so many characters beyond the overlap, each next one twice as many, until it is full: who waits
#: for an answer sees its beginning soon.
FIRST = 40
#: A window's borders are moved back to the end of a word where one ends within so many characters.
SNAP = 40
#: So many times a text is read to where it has come when something else comes between.
MAX_PAUSES = 16
#: A span that has grown over so many windows goes out redacted before its end is known.
MAX_HELD_WINDOWS = 4


class HoldBack:
    """One streamed text (a choice's content, a tool call's arguments) under the policy's stage of its kind.

    `turn` is what surrounds it; a passage of side `kind` in it gives way to the streamed text. The text is read in
    windows of up to `window` characters that overlap by `overlap`, wherever the chunks' borders are. It goes out once
    the window it stands in was read, unless something begins there that a redaction covers and whose end is not known.
    So nothing that an override or a redaction covers goes out, as long as it is no longer than `overlap`. Where windows
    cannot give what the whole text would (`by_windows`), all is held until the end. Under `stream: observe` nothing is
    held; the text is read at its end, and what is found is recorded.

    `ended` is the verdict: set when the stage blocks, else by `finish`; None where the policy has no such stage.
    Without `restore` nothing is put back into the text.
    """

    def __init__(
        self,
        exchange: Exchange,
        turn: Turn,
        kind: Side = "output",
        *,
        window: int = 480,
        overlap: int = 120,
        restore: bool = True,
    ) -> None:
        if not 0 <= overlap < window:
            raise ValueError(f"windows of {window} characters cannot overlap by {overlap}; overlap by less")
        self.exchange = exchange
        stage = exchange.policy.stage(kind)
        self._observed = stage.stream == "observe"
        self.stage: Stage = stage.observed if self._observed else stage
        self.ended: Verdict | None = None
        self._text = Text()
        self._turn = turn
        self._kind: Side = kind
        self._overlap, self._full = overlap, window - overlap
        self._step = min(FIRST, self._full)
        self._pauses = 0
        self._restore = restore
        self._next = 0
        self._read_to = 0
        self._spent = 0.0
        metrics = exchange.policy.metrics
        self._by_windows = by_windows(self.stage, metrics)
        #: Whether only whose turn it is counts, so that one look at it is enough.
        self._of_turn = self._by_windows and all(metrics[probe.metric].of_turn for probe in self.stage.probes)
        self._let_go = False
        self._windowed = [probe for probe in self.stage.probes if windowed(probe, self.stage, metrics)]
        self._findings = Findings(self.stage)
        #: What redacting rulesets found in text that has not gone out yet.
        self._live: list[tuple[Probe, Span]] = []

    @property
    def received(self) -> int:
        """How many characters were taken in."""
        return self._text.received

    @property
    def taken(self) -> str:
        """All that was taken in, as it came."""
        return self._text.slice(0, self.received)

    def surround(self, turn: Turn) -> None:
        """What surrounds the text has grown: what is read from now on is read within this turn."""
        self._turn = turn

    @property
    def released_to(self) -> int:
        """The characters before this one may go out."""
        return self._text.released_to

    @property
    def ready(self) -> bool:
        """Whether all that was taken in may go out."""
        return self.released_to >= self.received

    @property
    def allowed(self) -> str:
        """All that went out so far."""
        return self.edited(0, self.released_to)

    def edited(self, start: int, end: int) -> str:
        """Characters start to end of the streamed text, all released, with what is redacted and restored in them."""
        return self._text.edited(start, end)

    async def feed(self, text: str) -> str:
        """Take in the next piece; the text that may go out now. What comes after the stage has blocked is dropped."""
        before = self.released_to
        if self.ended is None:
            self._text.append(text)
            await self._read()
        return self.edited(before, self.released_to)

    async def pause(self) -> str:
        """The same as all that has come may go out, as if the text were over: something else comes now.

        What comes after it all the same is read together with what stood before it, but that has gone out by then.
        """
        before = self.released_to
        self._pauses += 1
        if self.ended is None and self._by_windows and before < self.received and self._pauses <= MAX_PAUSES:
            await self._read_to_border(self.received, self.received)
        return self.edited(before, self.released_to)

    async def finish(self) -> str:
        """Read the rest; the text that remains to go out. One event is recorded, here or when the stage blocks."""
        before = self.released_to
        if self.ended is None:
            await self._read_rest()
        return self.edited(before, self.released_to)

    def abandon(self) -> None:
        """Record what was decided on the part that was read and let go, when nobody is left to take the rest."""
        if self.ended is None and self.stage.probes and self.released_to:
            turn = self._turn_of(0, self.released_to if self._observed or self._of_turn else self._read_to)
            self.ended = self.exchange.conclude(self.stage, turn, self._findings.whole(), perf_counter() - self._spent)

    async def _read(self) -> None:
        """Read the windows that are full."""
        if not self.stage.probes or self._observed:
            self._release(self._unbroken(self.received), None)
            return
        if self._of_turn:
            if self.received and not self._read_to:
                await self._read_to_border(self.received, self.received)
            elif self._let_go:
                self._release(self._unbroken(self.received), None)
            return
        while self._by_windows and self.received - self._next >= self._step + self._overlap and self.ended is None:
            end = self._text.word_end(self._next + self._step + self._overlap, self._snap)
            await self._read_to_border(end, end - self._overlap)
            self._step = min(2 * self._step, self._full)
            # A large piece holds many windows, and others wait for the loop too.
            await asyncio.sleep(0)

    async def _read_to_border(self, end: int, border: int) -> None:
        """Read the window that ends at `end`, and let go what stands before the border."""
        await self._read_window(self._next, end)
        decision = decide(self.stage, self._findings.outline())
        if decision.blocked or (isinstance(decision.action, Redact) and not redactable(decision)):
            self.ended = await self._conclude()
            return
        # Cut inside a word, a window could begin with another word that nobody wrote.
        self._next = max(self._next, self._text.word_end(max(end - self._overlap, 0), self._snap))
        self._let_go = not undecided(decision)
        if self._let_go:
            self._release(self._safe(self._unbroken(border)), decision)

    async def _read_rest(self) -> None:
        if not self.exchange.policy.has(self._kind):
            self._release(self.received, None)
            return
        if 0 < self._read_to < self.received:
            await self._read_window(self._next, self.received)
        self.ended = await self._conclude()
        if self.ended.reply is None:
            self._release(self.received, self.ended.decision)

    async def _read_window(self, start: int, end: int) -> None:
        """Read a window by every metric: what has gone out by then cannot be read once another rule makes it matter."""
        started = perf_counter()
        measurements = await self._measure(self._windowed, self._turn_of(start, end))
        self._note(measurements, start, end)
        self._read_to = end
        self._spent += perf_counter() - started

    async def _conclude(self) -> Verdict:
        """Measure on the whole text what the windows did not, decide on all of it, and record."""
        started = perf_counter() - self._spent
        turn = self._turn_of(0, self.received)
        if self._read_to:
            known = self._findings.whole()
            measurements = {**known, **await self._measure_rest(known, turn)}
        else:
            measurements = await self.exchange.measure(self.stage, turn)
            self._note(measurements, 0, self.received)
        return self.exchange.conclude(self.stage, turn, measurements, started)

    async def _measure_rest(self, known: Measurements, turn: Turn) -> Measurements:
        def missing(more: Measurements) -> Collection[Probe]:
            return needed(self.stage, {**known, **more})

        if self.exchange.guard.measure_all:
            return await self._measure([probe for probe in self.stage.probes if probe not in known], turn)
        return await self._measure(missing({}), turn, missing)

    async def _measure(self, probes: Collection[Probe], turn: Turn, still: Needed | None = None) -> Measurements:
        return await self.exchange.measure(self.stage, turn, probes, still)

    @property
    def _snap(self) -> int:
        # A window has to go on beyond the one before it, whatever words there are.
        return min(SNAP, self._step // 4)

    def _note(self, measurements: Measurements, start: int, end: int) -> None:
        self._live += self._findings.add(measurements, start, end - start)

    def _turn_of(self, start: int, end: int) -> Turn:
        return self._turn.with_passages(self._kind, (self._text.slice(start, end),))

    def _safe(self, border: int) -> int:
        """The border, or the place before it where something begins that reaches over it."""
        safe = border
        for _, span in sorted(self._live, key=lambda pair: -pair[1].start):
            if span.start < safe < span.end:
                safe = max(span.start, self.released_to)
        return border if border - safe > MAX_HELD_WINDOWS * (self._full + self._overlap) else safe

    def _unbroken(self, border: int) -> int:
        """The border, or the place before it where something to be restored begins that may not be complete."""
        placeholders = self.exchange.placeholders
        if not self._restore or not placeholders.restorable:
            return border
        return border - placeholders.begun(self._text.slice(self.released_to, border))

    def _release(self, border: int, decision: Decision | None) -> None:
        """Let the text up to the border go out, with what is redacted and restored in it."""
        observer = self.exchange.guard.observer
        if observer is not None and border and not self.released_to:
            observer.released(self.exchange)
        start = self.released_to
        known = BEFORE if self._restore and self.exchange.placeholders.restorable else 1
        before = self._text.slice(max(start - known, 0), start)
        region = Region(self._text.slice(start, border), start, self.exchange.placeholders, before)
        redactions = region.redactions(decision, self._live) if decision and self._live else []
        restorations = region.restorations(redactions, in_json=self._kind == "tool_call") if self._restore else []
        self._text.release(border, [*redactions, *restorations])
        self._live = [(probe, span) for probe, span in self._live if span.end > border]
