"""How good a metric is on labelled rows: figures with their confidence intervals. It measures and decides nothing."""

from guard.evaluate.estimate import Estimate
from guard.evaluate.figures import RATES, Figures, Point, figures

__all__ = ["RATES", "Estimate", "Figures", "Point", "figures"]
