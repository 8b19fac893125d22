"""What the windows of one text gave, put together as if the text had been measured whole."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from guard.metrics.metric import Metric
from guard.metrics.score import Failure, Measurement, Measurements, Probe, Score, Span, merged
from guard.stages import Decision, Override, Redact, Stage, Status
from guard.stages.decision import RuleOutcome
from guard.stages.placeholders import Placeholders
from guard.stages.redact import edits
from guard.stages.rule import RISING, Test


def windowed(probe: Probe, stage: Stage, metrics: Mapping[str, Metric]) -> bool:
    """Whether a measurement can be put together from windows of the stage's own text."""
    metric = metrics[probe.metric]
    if probe.only is not None:  # a piece of JSON is no JSON
        return False
    return metric.of_turn or (metric.windowed and metric.kind != "label" and probe.of == stage.kind)


def by_windows(stage: Stage, metrics: Mapping[str, Metric]) -> bool:
    """Whether what a stage decides on the windows so far stays decided, whatever the rest of the text says."""
    enforced = [pair for pair in stage.compiled if pair[0].mode == "enforce"]
    return stage.stream == "window" and all(
        metrics[probe.metric].of_turn or (rule.operator in RISING and windowed(probe, stage, metrics))
        for ruleset, tests in enforced
        for rule, (probe, _) in zip(ruleset.rules, tests, strict=True)
    )


class Findings:
    """The measurements of a text's windows, merged. Adding a window costs what is in it, however long the text is."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._spans: dict[Probe, list[Span]] = defaultdict(list)
        self._scores: dict[Probe, Score] = {}
        self._failures: dict[Probe, Failure] = {}
        self._tests: dict[Probe, list[Test]] = defaultdict(list)
        self._redacting: set[Probe] = set()
        for ruleset, rules in stage.compiled:
            for probe, test in rules:
                self._tests[probe].append(test)
                if ruleset.mode == "enforce" and isinstance(ruleset.action, Redact):
                    self._redacting.add(probe)

    def add(self, measurements: Measurements, offset: int, length: int) -> list[tuple[Probe, Span]]:
        """Take in what a window of `length` characters at `offset` gave.

        Gives the spans that redacting rulesets asked for, as they stand in the whole text.
        """
        redactable: list[tuple[Probe, Span]] = []
        for probe, measurement in measurements.items():
            if isinstance(measurement, Failure):
                self._failures.setdefault(probe, measurement)
                continue
            spans = [_placed(span, offset, length) for span in measurement.spans]
            self._spans[probe] += spans
            if probe in self._redacting:
                redactable += [(probe, span) for span in spans]
            self._merge(probe, replace(measurement, spans=tuple(dict.fromkeys(map(_outlined, spans)))))
        return redactable

    def _merge(self, probe: Probe, outline: Score) -> None:
        known = self._scores.get(probe)
        if known is None:
            self._scores[probe] = outline
        elif isinstance(known.value, str) and known.value == outline.value:
            pass  # of the turn, so every window says it
        elif _mergeable(known, outline):
            self._scores[probe] = merged((known, outline))
        else:
            self._failures.setdefault(probe, Failure(f"{probe.metric} gave values of different kinds"))

    def outline(self) -> dict[Probe, Measurement]:
        """The measurements, with one span a label that says only that it has a place: enough to decide on."""
        return dict(self._chosen())

    def whole(self) -> dict[Probe, Measurement]:
        """The measurements, with every span."""
        return {
            probe: replace(one, spans=tuple(dict.fromkeys(self._spans[probe]))) if isinstance(one, Score) else one
            for probe, one in self._chosen()
        }

    def _chosen(self) -> Iterator[tuple[Probe, Measurement]]:
        yield from ((probe, score) for probe, score in self._scores.items() if probe not in self._failures)
        for probe, failure in self._failures.items():
            score = self._scores.get(probe)
            # What one window showed is not undone by another that could not be read; only its silence proves nothing.
            hit = score is not None and self.stage.on_failure == "allow" and self._hits(probe, score)
            yield probe, score if score is not None and hit else failure

    def _hits(self, probe: Probe, score: Score) -> bool:
        return any(test(score) for test in self._tests[probe])


def undecided(decision: Decision) -> bool:
    """Whether something was found that an enforced ruleset will cover once the rest of its conditions is met."""
    return any(
        outcome.ruleset.mode == "enforce"
        and outcome.status == Status.NOT_TRIGGERED
        and isinstance(outcome.ruleset.action, (Override, Redact))
        and any(map(_begun, outcome.rules))
        for outcome in decision.outcomes
    )


def redactable(decision: Decision) -> bool:
    """Whether all that a decision, made on an outline, redacts has a place in the text."""
    return edits(decision, ("x",), Placeholders()) is not None


def _begun(outcome: RuleOutcome) -> bool:
    """Whether a rule of a ruleset that is not triggered is met, or a part of what an `all` asks for was found."""
    rule, measurement = outcome.rule, outcome.measurement
    if isinstance(measurement, Score) and isinstance(measurement.value, str):
        return False  # of the turn: it covers nothing in the text
    if rule.operator == "all" and isinstance(measurement, Score) and isinstance(rule.target_value, list):
        return any(label in rule.target_value for label in measurement.labels or ())
    return outcome.status == Status.TRIGGERED


def _placed(span: Span, offset: int, length: int) -> Span:
    start = min(max(span.start, 0), length)
    end = min(max(span.end, start), length)
    return Span(offset + start, offset + end, span.label, span.score, span.passage)


def _outlined(span: Span) -> Span:
    return Span(0, min(span.end - span.start, 1), span.label, passage=span.passage)


def _mergeable(one: Score, other: Score) -> bool:
    """Whether both are numbers, or both labels; a policy's `code` may give now this and now that."""
    strings = isinstance(one.value, str) or isinstance(other.value, str)
    return not strings and isinstance(one.value, tuple) == isinstance(other.value, tuple)
