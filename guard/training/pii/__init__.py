"""The rows that the token head of personal data learns from and is judged by."""

from guard.training.pii.public import public
from guard.training.pii.row import Row
from guard.training.pii.written import filled, names

__all__ = ["Row", "filled", "names", "public"]
