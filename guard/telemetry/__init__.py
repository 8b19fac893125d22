"""What Guard tells of its work: figures for Prometheus, traces for OpenTelemetry. Nothing waits for either."""

from guard.telemetry.meters import Meters
from guard.telemetry.telemetry import Telemetry

__all__ = ["Meters", "Telemetry"]
