"""An event: one decision with everything that it was made from, fit to be stored and decided again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

import orjson

from guard.metrics import Measurements, Side, Span, Turn
from guard.stages import Decision, explain
from guard.store.ids import new_id, time_of
from guard.store.mask import NAME_LIMIT, Masker, clean, found_in
from guard.store.recorded import (
    Measured,
    Outcome,
    coverage_of,
    measured_of,
    measurement_of,
    outcomes_of,
    probe_of,
    texts_of,
    to_hide,
)


@dataclass(frozen=True, slots=True)
class Event:
    """One decision.

    `id` sorts by time; `request` is shared by all events of one request; `at` is in UTC epoch seconds. `kind` is the
    stage's side, `action` the action's type, `ruleset` the one that decided. `coverage` lists under `run`, `skipped`,
    `failed` and `late` the metrics as `metric` or, on another side than the stage's, `metric@side`, with what a rule
    chose of the side in brackets. `characters` is how many of each side were read, `unread` how many parts of the
    request are no text, by kind, `text` the stored passages of each side, empty where none are stored. `explanation` is
    one sentence; `millis` is how long the stage took.
    """

    id: str
    request: str
    at: float
    project: str
    app: str
    policy: str
    revision: str
    stage: str
    kind: Side
    status: str
    action: str
    ruleset: str | None = None
    outcomes: Sequence[Outcome] = ()
    measured: Sequence[Measured] = ()
    coverage: Mapping[str, list[str]] = field(default_factory=dict)
    characters: Mapping[str, int] = field(default_factory=dict)
    unread: Mapping[str, int] = field(default_factory=dict)
    text: Mapping[str, list[str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    explanation: str = ""
    millis: float = 0.0

    @classmethod
    def of(
        cls,
        decision: Decision,
        turn: Turn,
        *,
        policy: str,
        revision: str,
        request: str,
        millis: float,
        unread: Mapping[str, int] | None = None,
        app: str = "",
        project: str = "default",
        id: str | None = None,  # noqa: A002 - the field's name
        at: float | None = None,
        masker: Masker = Masker(),  # noqa: B008 - frozen
    ) -> Event:
        """The event of a decision, with the turn's text as `masker` keeps it. Takes too long for the hot path."""
        identifier = id or new_id(at)
        stage = decision.stage
        sides: tuple[Side, ...] = tuple(dict.fromkeys((stage.kind, *(probe.of for probe in stage.probes))))
        found: dict[Side, list[Span]] = {side: to_hide(decision, side) for side in sides}
        hidden = {value: label for side in sides for value, label in found_in(turn.passages(side), found[side]).items()}
        measured = [measured_of(probe, value, masker, hidden) for probe, value in decision.measurements.items()]
        return cls(
            id=identifier,
            request=clean(request, NAME_LIMIT),
            at=time_of(identifier) if at is None else at,
            project=clean(project, NAME_LIMIT),
            app=clean(app, NAME_LIMIT),
            policy=clean(policy, NAME_LIMIT),
            revision=clean(revision, NAME_LIMIT),
            stage=clean(stage.name, NAME_LIMIT),
            kind=stage.kind,
            status=str(decision.status),
            action=decision.action.type,
            ruleset=clean(decision.ruleset.name, NAME_LIMIT) if decision.ruleset else None,
            outcomes=outcomes_of(decision),
            measured=measured,
            coverage=coverage_of(decision),
            characters={**decision.read(turn)},
            unread={clean(kind, NAME_LIMIT): number for kind, number in (unread or {}).items()},
            text=texts_of(decision, turn, found, masker),
            labels={clean(name, NAME_LIMIT): clean(str(value), NAME_LIMIT) for name, value in turn.labels.items()},
            explanation=masker.note(explain(decision), hidden),
            millis=round(millis, 3),
        )

    def measurements(self) -> Measurements:
        """What was measured, ready to be decided again: `decide(stage, event.measurements())` calls no model."""
        return {probe_of(entry): measurement_of(entry) for entry in self.measured}

    def to_json(self) -> bytes:
        """The event as one line of JSON, keys named as the fields are."""
        return orjson.dumps(self)

    @classmethod
    def from_json(cls, data: bytes | str) -> Event:
        """The event from its JSON, without fields that a newer Guard added. Raises ValueError where it is none."""
        try:
            document = orjson.loads(data)
            return cls(**{name: document[name] for name in FIELDS if name in document})
        except (TypeError, ValueError) as error:
            raise ValueError(f"no event: {error}") from None


FIELDS = tuple(one.name for one in fields(Event))
