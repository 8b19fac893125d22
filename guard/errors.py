"""Every error Guard raises on purpose, as one tree. Each message says what is wrong and how to mend it.

GuardError
├── PolicyError          a policy file cannot be used: names the file and line
│   └── UnknownMetric    a rule names a metric that does not exist
├── MetricError          a metric is declared wrongly (not: failed while measuring, that is a Failure)
├── SettingsError        a setting or command-line option cannot be used
├── BadRequest           the caller's request is not understood
│   ├── TooLarge         it is larger than a limit
│   ├── Unauthorised     it carries no valid app key
│   └── NoPolicy         no policy applies to it, so it is refused
├── UpstreamError        the model's provider did not give a usable answer
│   └── UpstreamTimeout  … in time
├── StoreError           events cannot be read or written
└── Blocked              a decision stopped the turn, and the caller asked for an exception
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guard.stages.decision import Decision


class GuardError(Exception):
    """The root of every error raised by Guard itself."""


class PolicyError(GuardError):
    """A policy file cannot be used.

    `problems` holds one line each: `file:line: what is wrong; how to mend it`.
    """

    def __init__(self, *problems: str) -> None:
        self.problems = problems
        super().__init__("\n".join(problems))


class UnknownMetric(PolicyError):
    """A rule or setting names a metric that does not exist."""


class MetricError(GuardError):
    """A metric is declared wrongly. A metric that fails while measuring gives a `Failure` instead."""


class SettingsError(GuardError):
    """A setting, environment variable or command-line option cannot be used."""


class BadRequest(GuardError):
    """The caller's request is not understood; `param` names the offending field where there is one."""

    status = 400
    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class TooLarge(BadRequest):
    """The request is larger than a limit of the settings."""

    status = 413
    code = "request_too_large"


class Unauthorised(BadRequest):
    """The request carries no valid app key."""

    status = 401
    code = "invalid_api_key"


class NoPolicy(BadRequest):
    """No policy applies to the request, so it is refused."""

    status = 403
    code = "no_policy"


class UpstreamError(GuardError):
    """The provider did not give a usable answer."""

    status = 502
    code = "upstream_error"


class UpstreamTimeout(UpstreamError):
    """The provider did not answer in time."""

    status = 504
    code = "upstream_timeout"


class StoreError(GuardError):
    """Events cannot be read or written."""


class Blocked(GuardError):
    """A decision stopped the turn. `decision` tells why, `text` is the policy's answer to show instead."""

    def __init__(self, decision: Decision, text: str) -> None:
        self.decision = decision
        self.text = text
        super().__init__(text)


def nearest(word: str, known: Iterable[str]) -> str:
    """The fix to append to "no such word": the nearest known one, or all of them where none is near."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    return "known: " + ", ".join(known)
