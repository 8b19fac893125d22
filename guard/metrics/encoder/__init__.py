"""The shipped encoder: one forward pass a window of text answers every metric that is a head of it."""

from guard.metrics.encoder.model import Encoder, Reading, encoder

__all__ = ["Encoder", "Reading", "encoder"]
