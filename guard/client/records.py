"""What central answers with. Times are UTC epoch seconds; fields that a newer central adds are left out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, ClassVar, Generic, Self, TypeVar

from guard.errors import Unreachable


@dataclass(frozen=True)
class Record:
    """One thing as central shows it."""

    #: What central's OpenAPI document calls it.
    schema: ClassVar[str] = ""

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Self:
        """From an answer. Raises Unreachable where that is another thing."""
        missing = [one.name for one in fields(cls) if one.default is MISSING and one.name not in answer]
        if missing:
            raise Unreachable(f"the answer holds no {missing[0]}; is it Guard's, and as new as this one?")
        return cls(**{one.name: answer[one.name] for one in fields(cls) if one.name in answer})


R = TypeVar("R")


class Page(list[R], Generic[R]):
    """Some of a list. `next` is the cursor that it goes on by; None at the end."""

    def __init__(self, items: list[R], following: str | None) -> None:
        super().__init__(items)
        self.next = following


@dataclass(frozen=True)
class App(Record):
    """An app of a project."""

    schema: ClassVar[str] = "App"

    name: str
    description: str
    created_at: float
    created_by: str


@dataclass(frozen=True)
class Project(App):
    """A project."""

    schema: ClassVar[str] = "Project"

    id: str


@dataclass(frozen=True)
class Key(Record):
    """A key without what makes it one. `app` and `project` (an id) are what it is for; None: all."""

    schema: ClassVar[str] = "Key"

    id: str
    name: str
    role: str
    project: str | None
    app: str | None
    expires_at: float | None
    revoked_at: float | None
    created_at: float
    created_by: str


@dataclass(frozen=True)
class MadeKey(Key):
    """A new key. `key` is shown this once."""

    schema: ClassVar[str] = "MadeKey"

    key: str = field(repr=False)


@dataclass(frozen=True)
class Stage(Record):
    """A stage. `version` is the newest one, which checks use where they name none."""

    schema: ClassVar[str] = "Stage"

    id: str
    project: str
    name: str
    type: str
    description: str
    paused: bool
    version: int
    created_at: float
    created_by: str
    updated_at: float


@dataclass(frozen=True)
class StageVersion(Record):
    """A version of a stage; it never changes. `revision` is a hash of the document."""

    schema: ClassVar[str] = "Version"

    version: int
    revision: str
    document: dict[str, Any]
    why: str
    created_at: float
    created_by: str


@dataclass(frozen=True)
class Checked(Record):
    """What became of a turn.

    `texts` are those of the stage's side to go on with, `reply` what to say instead; `rulesets` and `measurements` are
    all that led there. `version` is the stage's at central, `policy` the policy's at a proxy.
    """

    schema: ClassVar[str] = "Checked"

    status: str
    allowed: bool
    action: str
    ruleset: str | None
    reply: str | None
    texts: list[str]
    why: str
    event: str
    millis: float
    rulesets: list[dict[str, Any]] = field(repr=False)
    measurements: list[dict[str, Any]] = field(repr=False)
    version: int | None = None
    policy: str | None = None

    @property
    def text(self) -> str:
        """The text to go on with: the reply, or what was checked, with what was redacted replaced."""
        return "\n".join(self.texts) if self.reply is None else self.reply


@dataclass(frozen=True)
class Policy(Record):
    """A policy. `version` is the newest published one, 0 before the first."""

    schema: ClassVar[str] = "Policy"

    name: str
    version: int
    created_at: float
    created_by: str
    updated_at: float
    updated_by: str


@dataclass(frozen=True)
class Draft(Policy):
    """A policy with its draft; `problems` are what keeps it from being published."""

    schema: ClassVar[str] = "Draft"

    text: str
    problems: list[str]


@dataclass(frozen=True)
class PolicyVersion(Record):
    """A published version, which never changes. `revision` is a hash of what it says, `digest` one of its text."""

    schema: ClassVar[str] = "Published"

    version: int
    revision: str
    digest: str
    why: str
    created_at: float
    created_by: str


@dataclass(frozen=True)
class PolicyText(PolicyVersion):
    """A published version with its text."""

    schema: ClassVar[str] = "PublishedText"

    text: str


@dataclass(frozen=True)
class Differences(Record):
    """What a version changes against another; each change has `kind` (added, removed, changed), `where` and `text`."""

    schema: ClassVar[str] = "Differences"

    old: str
    new: str
    changes: list[dict[str, str]]


@dataclass(frozen=True)
class Release(Record):
    """A release: what is in force from it on, by policy. `sequence` rises by one a release."""

    schema: ClassVar[str] = "Release"

    sequence: int
    policies: dict[str, dict[str, Any]]
    action: str
    why: str
    created_at: float
    created_by: str


@dataclass(frozen=True)
class Dataset(Record):
    """A dataset, which never changes. `digest` is the SHA-256 of its bytes, of which there are `size`."""

    schema: ClassVar[str] = "Dataset"

    id: str
    name: str
    description: str
    digest: str
    size: int
    rows: int
    created_at: float
    created_by: str


@dataclass(frozen=True)
class JobStatus(Record):
    """How far a job is: `pending`, `running`, `done`, `failed` or `cancelled`; `done` of `total` rows have a result.

    `problem` says why it failed; `report` is the sum, once it is done.
    """

    schema: ClassVar[str] = "Job"

    id: str
    dataset: str
    kind: str
    ask: dict[str, Any]
    state: str
    done: int
    total: int
    problem: str
    report: dict[str, Any] | None
    created_at: float
    created_by: str
    started_at: float | None
    ended_at: float | None

    @property
    def ended(self) -> bool:
        """Whether nothing comes any more."""
        return self.state in ("done", "failed", "cancelled")


@dataclass(frozen=True)
class Disagreement(Record):
    """How a candidate and the version in force decided the same turns."""

    schema: ClassVar[str] = "Versions"

    policy: str
    in_force: str
    candidate: str
    compared: int
    disagreed: int
    failed: int
    dropped: int
    ways: dict[str, int]
    events: list[str]
    proxies: int


@dataclass(frozen=True)
class ProxyState(Record):
    """A proxy's worker: `lags` releases behind, `silent` for long, `wrong`: it says what was never released."""

    schema: ClassVar[str] = "Proxy"

    project: str
    environment: str
    key: str
    reported_at: float
    newest: int
    lags: int
    silent: bool
    wrong: bool
    report: dict[str, Any]
