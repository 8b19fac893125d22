"""What a training run is told: data with their hashes, seeds, weights, settings. One YAML file says all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from ruamel.yaml import YAML

Share = Annotated[float, Field(gt=0, lt=1)]
Weight = Annotated[float, Field(gt=0)]


class _Written(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Written):
    """One file of rows, and how a head learns from it.

    `file` is relative to the data folder, or to the written corpus where `written`. `sha256` is that of the unpacked
    text. `text` names the field that is read. `most` and `most_each` keep so many training rows, of the file and of
    each `detail`; rows whose `detail` begins with one of `skip` are left out.
    """

    file: str
    sha256: str
    written: bool = False
    text: str = "text"
    weight: Weight = 1.0
    most: int | None = None
    most_each: int | None = None
    skip: tuple[str, ...] = ()
    #: Every row is this for all columns of the head, whatever it says itself: 0 for harmless data of other tasks.
    label: int | None = None
    #: Rows that do not say whether they are the head's own thing count as "no", this much; without it, not at all.
    unlabelled: Share | None = None
    #: Counts towards the thresholds for false alarms: ordinary things that people write and models answer.
    ordinary: bool = False


class Composed(_Written):
    """Training rows put together from others: `number` documents from the sources `hosts`, with one of `attacks` and
    one of `harmless` inside. Sources are named by their file without its ending; lengths are in characters.
    """

    number: int
    weight: Weight = 1.0
    hosts: tuple[str, ...]
    attacks: tuple[str, ...]
    harmless: tuple[str, ...]
    shortest_host: int
    longest_host: int
    longest_payload: int


class HeadSpec(_Written):
    """One number of the model and its categories.

    `key` is the field (or the key of the row's `labels`) with the truth; categories stand in the field `category`
    as a list, or beside `key` in `labels`. `alone` are the categories that are reported whatever the number is, and the
    share of held-out rows without the category that its threshold lets through; `label_false_alarms` is that share for
    the others. With `names_one`, every offending piece gets its likeliest category.
    """

    name: str
    key: str
    labels: tuple[str, ...]
    alone: dict[str, Share] = {}
    names_one: bool = False
    #: How many of the texts that the app sees are the thing: what a value of 0.5 is even odds of.
    prior: Share
    #: How much of the weight in training the rows that are the thing carry.
    positive_share: Share
    #: Inverse strength of the L2 penalty.
    inverse_penalty: Weight
    label_false_alarms: Share
    sources: tuple[Source, ...]
    composed: Composed | None = None


class WindowSpec(_Written):
    """Windows in characters; of one long text at most `most` are trained on."""

    size: int
    overlap: int
    most: int


class Spec(_Written):
    """A whole training run."""

    name: str
    seed: int
    window: WindowSpec
    #: A source's weight falls with this power of its size: 0 counts every row the same, 1 every source.
    temper: Annotated[float, Field(ge=0, le=1)]
    iterations: int
    tolerance: Weight
    heads: tuple[HeadSpec, ...]


def read_spec(file: Path) -> Spec:
    """Raises pydantic's ValidationError where the file says something that is not understood."""
    return Spec.model_validate(YAML(typ="safe").load(file.read_text(encoding="utf-8")))
