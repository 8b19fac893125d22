"""Measuring: a metric reads one side of a turn and gives a score or a failure. It never decides."""

from guard.metrics.metric import Cost, Kind, Maker, Metric
from guard.metrics.score import Failure, Measurement, Measurements, Probe, Score, Span
from guard.metrics.turn import ANSWERED, ASKED, SIDES, Message, Side, ToolCall, Turn

__all__ = [
    "ANSWERED",
    "ASKED",
    "SIDES",
    "Cost",
    "Failure",
    "Kind",
    "Maker",
    "Measurement",
    "Measurements",
    "Message",
    "Metric",
    "Probe",
    "Score",
    "Side",
    "Span",
    "ToolCall",
    "Turn",
]
