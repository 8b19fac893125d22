"""The next part of a streamed text to go out, and what is replaced in it."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

from guard.metrics import Probe, Score, Span
from guard.stages import Decision
from guard.stages.edit import Edit
from guard.stages.placeholders import Placeholders
from guard.stages.redact import edits


@dataclass(frozen=True, slots=True)
class Region:
    """`text` stands at `offset` of the whole text, and the edits made here count from the whole text's start.

    `before` is what stands before it, back to where an address may begin.
    """

    text: str
    offset: int
    placeholders: Placeholders
    before: str = ""

    def redactions(self, decision: Decision, found: Iterable[tuple[Probe, Span]]) -> list[Edit]:
        """What the decision redacts here. Of what was found across the region's borders, the part that lies in it."""
        spans: dict[Probe, list[Span]] = defaultdict(list)
        for probe, span in found:
            start, end = max(span.start - self.offset, 0), min(span.end - self.offset, len(self.text))
            if start < end:
                spans[probe].append(replace(span, start=start, end=end))
        outcomes = []
        for outcome in decision.redactions:
            # Whether all that was found has a place was asked when it was found; here only the places count.
            rules = tuple(r._replace(measurement=Score((), None, tuple(spans[r.probe]))) for r in outcome.rules)
            local = replace(decision, outcomes=(outcome._replace(rules=rules),))
            # One that has nothing here gives None, which would speak for the others too.
            if edits(local, (self.text,), Placeholders()) is not None:
                outcomes += local.outcomes
        if not outcomes:
            return []
        self.placeholders.avoid((self.text,))
        changes = edits(replace(decision, outcomes=tuple(outcomes)), (self.text,), self.placeholders) or {}
        return [Edit(edit.start + self.offset, edit.end + self.offset, edit.text) for edit in changes.get(0, ())]

    def restorations(self, redactions: list[Edit], *, in_json: bool) -> list[Edit]:
        """What is put back for placeholders that the text repeats, where it is not redacted itself."""
        restored = []
        found_in = self.placeholders.found if in_json else self.placeholders.shown
        for found in found_in(self.text, self.before):
            start, end = found.start + self.offset, found.end + self.offset
            before = bisect_left(redactions, end, key=lambda edit: edit.start) - 1
            if before < 0 or redactions[before].end <= start:
                restored.append(Edit(start, end, self.placeholders.original(found.stand_in, in_json=in_json)))
        return restored
