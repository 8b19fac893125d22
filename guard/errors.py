"""Every error Guard raises on purpose, as one tree. Each message says what is wrong and how to mend it.

GuardError
├── PolicyError          a policy file cannot be used: names the file and line
│   └── UnknownMetric    a rule names a metric that does not exist
├── MetricError          a metric is declared wrongly (not: failed while measuring, that is a Failure)
├── SettingsError        a setting or command-line option cannot be used
├── BadRequest           the caller's request is not understood
│   ├── TooLarge         it is larger than a limit
│   ├── TooSlow          it does not come to its end in time
│   ├── Unauthorised     it carries no valid app key
│   ├── NoPolicy         no policy applies to it, so it is refused
│   └── Filtered         the policy refuses it, and its protocol has no other way to say the policy's text
├── Busy                 Guard does not take this request now: try again later
│   ├── Overloaded       more is under way than can be done in time
│   └── RateLimited      the caller has used up what its limit allows
├── UpstreamError        the model's provider did not give a usable answer
│   ├── UpstreamTimeout  … in time
│   └── UpstreamAway     … so often that it is not asked for a while
├── StoreError           events, or central's own records, cannot be read or written
├── CentralError         central refuses what it was asked
│   ├── Invalid          it is not understood, or may not be so
│   ├── Forbidden        the key may not do it
│   ├── NotFound         there is no such thing, or the key may not see it
│   └── Conflict         it does not go with what is there
├── ClientError          the SDK cannot go on
│   ├── Unreachable      the server gives no answer, or none that can be read
│   ├── ServerError      it failed on the request, and would again
│   └── JobFailed        a job has no results: it failed, or was cancelled
├── WaitsForItself       what waits was called on the thread that has to do the work
└── Blocked              a decision stopped the turn, and the caller asked for an exception
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal

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


class TooSlow(BadRequest):
    """The request did not come to its end in time."""

    status = 408
    code = "request_timeout"


class Unauthorised(BadRequest):
    """The request carries no valid app key."""

    status = 401
    code = "invalid_api_key"


class NoPolicy(BadRequest):
    """No policy applies to the request, so it is refused."""

    status = 403
    code = "no_policy"


class Busy(GuardError):
    """Guard does not take this request now; `retry_after` seconds later it may."""

    status = 503
    code = "busy"

    def __init__(self, message: str, *, retry_after: float) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class Overloaded(Busy):
    """More is under way than can be done in time; `over` says of what there is too much."""

    code = "overloaded"

    def __init__(
        self, message: str, *, over: Literal["requests", "streams", "uploads", "measurements"], retry_after: float = 1.0
    ) -> None:
        self.over = over
        super().__init__(message, retry_after=retry_after)


class RateLimited(Busy):
    """The caller has used up what its limit allows. `headers` tell how much of it is left, as OpenAI's do."""

    status = 429
    code = "rate_limit_exceeded"

    def __init__(self, message: str, *, retry_after: float, headers: Mapping[str, str] | None = None) -> None:
        self.headers = dict(headers or {})
        super().__init__(message, retry_after=retry_after)


Cause = Literal["connect", "disconnect", "timeout", "key", ""]


class Filtered(BadRequest):
    """The policy refuses the request; the message is its text, since the protocol has no other way to say one."""

    code = "content_filter"


class UpstreamError(GuardError):
    """The provider did not give a usable answer.

    `said` is the status it answered with, if it did. `cause` tells why it gave none: nothing could be sent (`connect`),
    the connection broke after that (`disconnect`), it was late (`timeout`), or it refused Guard's own key (`key`).
    `retry_after` are the seconds that it asks to wait; `retries` how often Guard has asked again.
    """

    status = 502
    code = "upstream_error"

    def __init__(
        self, message: str, *, cause: Cause = "", said: int | None = None, retry_after: float | None = None
    ) -> None:
        self.cause: Cause = cause
        self.said = said
        self.retry_after = retry_after
        self.retries = 0
        super().__init__(message)


class UpstreamTimeout(UpstreamError):
    """The provider did not answer in time."""

    status = 504
    code = "upstream_timeout"


class UpstreamAway(UpstreamError):
    """The provider failed so often that it is not asked for a while."""

    status = 503
    code = "upstream_away"


class StoreError(GuardError):
    """Events, or central's own records, cannot be read or written."""


class CentralError(GuardError):
    """Central refuses what it was asked; `param` names the offending field where there is one."""

    status = 400
    code = "invalid_request"

    def __init__(self, message: str, *, param: str | None = None) -> None:
        self.param = param
        super().__init__(message)


class Invalid(CentralError):
    """The request is not understood, or what it asks for may not be so."""

    status = 422
    code = "invalid"


class Forbidden(CentralError):
    """The key may not do this."""

    status = 403
    code = "forbidden"


class NotFound(CentralError):
    """There is no such thing, or the key may not see it."""

    status = 404
    code = "not_found"


class Conflict(CentralError):
    """The request does not go with what is there."""

    status = 409
    code = "conflict"


class ClientError(GuardError):
    """The SDK cannot go on. What a server refuses is raised as the error that it is there."""


class Unreachable(ClientError):
    """The server gives no answer, or none that can be read."""


class ServerError(ClientError):
    """The server failed on the request; `status` is what it answered with."""

    def __init__(self, message: str, status: int) -> None:
        self.status = status
        super().__init__(message)


class JobFailed(ClientError):
    """A job has no results: it failed, or was cancelled."""


class WaitsForItself(GuardError):
    """A call that waits was made on Guard's own event loop, which would have to do the work meanwhile."""


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
