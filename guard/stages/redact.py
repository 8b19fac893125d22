"""Redacting: what a decision's rulesets found is replaced, by placeholders that can be put back."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from random import Random

from guard.metrics.score import Score, Span
from guard.stages.action import Redact
from guard.stages.decision import Decision, RuleOutcome, RulesetOutcome
from guard.stages.rule import LABELS

PLACEHOLDER = re.compile(r"\[[A-Z0-9_]+_[0-9]+\]")


@dataclass(slots=True)
class Placeholders:
    """The placeholders of one turn, numbered in the order met: the same value gets the same one.

    What may be put back and what may not never share one, or the one's answer would give the other away.
    """

    originals: dict[str, str] = field(default_factory=dict)
    restorable: set[str] = field(default_factory=set)
    _numbered: dict[tuple[str, str, bool], str] = field(default_factory=dict)
    _last: dict[str, int] = field(default_factory=dict)
    _before: int = 0

    def of(self, value: str, label: str, action: Redact) -> str:
        """What stands instead of a value."""
        name = re.sub(r"[^A-Z0-9]+", "_", label.upper()).strip("_") or "REDACTED"
        if action.mask == "stars":
            return "*" * len(value)
        if action.mask == "hash":
            return f"[{name}_{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()[:8]}]"
        placeholder = self._numbered.get((value, name, action.restore))
        if placeholder is None:
            placeholder = self._next(name)
            self._numbered[value, name, action.restore] = placeholder
            self.originals[placeholder] = value
        if action.restore:
            self.restorable.add(placeholder)
        return placeholder

    def avoid(self, texts: Iterable[str]) -> None:
        """Keep clear of what already looks like a placeholder in a text: it must not be given somebody's value back."""
        for text in texts:
            for match in PLACEHOLDER.finditer(text):
                self.originals.setdefault(match[0], match[0])

    def keep_clear(self, random: Random) -> None:
        """Keep clear of placeholders in texts that are out of sight: number from somewhere that nobody has been."""
        self._before = random.randrange(10**5, 10**8)

    def restore(self, text: str, *, in_json: bool = False) -> str:
        """The text with every restorable placeholder in it replaced by its original; `in_json` for a JSON text."""
        if not self.restorable:
            return text
        return PLACEHOLDER.sub(lambda match: self.original(match[0], in_json=in_json), text)

    def restore_call(self, arguments: str) -> str:
        """A call's arguments with the originals in them: mostly they are JSON, but a custom tool takes any text."""
        return self.restore(arguments, in_json=_is_json(arguments)) if self.restorable else arguments

    def hide(self, text: str, *, in_json: bool = False) -> str:
        """The text with every original that may be put back replaced by its placeholder, where it stands as a word."""
        # The longest first: one may stand in another.
        for placeholder in sorted(self.restorable, key=lambda one: -len(self.originals[one])):
            original = re.escape(self.original(placeholder, in_json=in_json))
            text = re.sub(rf"(?<!\w){original}(?!\w)", lambda _, new=placeholder: new, text)
        return text

    def original(self, placeholder: str, *, in_json: bool = False) -> str:
        """What a placeholder stands for, itself where it may not be put back; `in_json` as the inside of a string."""
        if placeholder not in self.restorable:
            return placeholder
        original = self.originals[placeholder]
        return json.dumps(original, ensure_ascii=False)[1:-1] if in_json else original

    def _next(self, name: str) -> str:
        number = self._last.get(name, self._before) + 1
        while f"[{name}_{number}]" in self.originals:
            number += 1
        self._last[name] = number
        return f"[{name}_{number}]"


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement in a passage: characters start to end, exclusive, become `text`."""

    start: int
    end: int
    text: str


def edits(decision: Decision, passages: Sequence[str], placeholders: Placeholders) -> dict[int, list[Edit]] | None:
    """What a redact decision replaces, by passage, in order and without overlap.

    None where something that triggered has no place in the text: it cannot be redacted, so it must not be passed on.
    """
    marked: list[tuple[Span, Redact]] = []
    for outcome in decision.redactions:
        assert isinstance(outcome.ruleset.action, Redact)
        spans = _spans(outcome, decision)
        if spans is None:
            return None
        marked.extend((span, outcome.ruleset.action) for span in spans)
    result: dict[int, list[Edit]] = {}
    # The longest of those that begin together comes first, so that it names the whole.
    for span, action in sorted(marked, key=lambda pair: (pair[0].passage, pair[0].start, -pair[0].end)):
        if not 0 <= span.passage < len(passages) or not 0 <= span.start < span.end <= len(passages[span.passage]):
            return None
        text = passages[span.passage]
        before = result.setdefault(span.passage, [])
        start = max(span.start, before[-1].end) if before else span.start
        if start < span.end:
            before.append(Edit(start, span.end, placeholders.of(text[start : span.end], span.label, action)))
    return result


def apply(passage: str, changes: Iterable[Edit]) -> str:
    """The passage with the edits made."""
    pieces, at = [], 0
    for edit in changes:
        pieces += [passage[at : edit.start], edit.text]
        at = edit.end
    return "".join((*pieces, passage[at:]))


def redacted(decision: Decision, passages: Sequence[str], placeholders: Placeholders) -> tuple[str, ...] | None:
    """The passages with all that the decision redacts replaced; None where that cannot be done."""
    placeholders.avoid(passages)
    changes = edits(decision, passages, placeholders)
    if changes is None:
        return None
    return tuple(apply(passage, changes.get(number, ())) for number, passage in enumerate(passages))


def _spans(outcome: RulesetOutcome, decision: Decision) -> list[Span] | None:
    """Where the things stand that triggered a ruleset, on its stage's own side; None where one has no place.

    A number or a single label beside found labels is a condition, not a thing: it needs no place of its own.
    """
    action = outcome.ruleset.action
    assert isinstance(action, Redact)
    spans: list[Span] = []
    placed = False
    for rule in outcome.rules:
        if rule.probe.of != decision.stage.kind or not isinstance(rule.measurement, Score):
            continue
        score, wanted = rule.measurement, set(action.labels) or _asked(rule)
        here = [span for span in score.spans if wanted is None or span.label in wanted]
        if _missing(score, rule.rule.operator, wanted, here):
            return None
        placed = placed or bool(score.spans)
        spans.extend(here)
    # With `labels` it may be that none of those was found: then there is nothing to replace.
    return spans if spans or (action.labels and placed) else None


def _missing(score: Score, operator: str, wanted: set[str] | None, spans: list[Span]) -> bool:
    """Whether a label that was found, and is to be redacted, has no span."""
    found = score.value if isinstance(score.value, tuple) else score.labels if operator in LABELS else None
    present = set(found or ()) if wanted is None else wanted & set(found or ())
    return bool(present - {span.label for span in spans})


def _asked(rule: RuleOutcome) -> set[str] | None:
    """The labels that a rule asks for; None where it asks for any."""
    target = rule.rule.target_value
    if rule.rule.operator not in LABELS or target is None:
        return None
    return set(target) if isinstance(target, list) else {str(target)}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
