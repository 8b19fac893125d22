"""How good a metric is on labelled rows: figures with their confidence intervals. It measures and decides nothing."""

from guard.evaluate.agreement import Agreement, Agreements, agreements
from guard.evaluate.estimate import Estimate
from guard.evaluate.figures import RATES, Figures, Point, figures
from guard.evaluate.labelled import Evaluation, Question, evaluate
from guard.evaluate.rows import Row, read, writing
from guard.evaluate.score import Scorer, scored, turn_of
from guard.evaluate.tally import Result, Tally
from guard.evaluate.truth import Truth, truth_of

__all__ = [
    "RATES",
    "Agreement",
    "Agreements",
    "Estimate",
    "Evaluation",
    "Figures",
    "Point",
    "Question",
    "Result",
    "Row",
    "Scorer",
    "Tally",
    "Truth",
    "agreements",
    "evaluate",
    "figures",
    "read",
    "scored",
    "truth_of",
    "turn_of",
    "writing",
]
