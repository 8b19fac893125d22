"""Rows of every task in one shape, each in its fold."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from guard.errors import SettingsError
from guard.training.spec import SourceSpec, Spec

#: Rows are learned from, calibrated on, set the thresholds for false alarms (ordinary ones only), or are reported on.
Fold = Literal["train", "held", "threshold", "valid"]
#: Folds that nothing about the weights follows from.
KEPT = ("threshold", "valid")
WRITTEN = Path(__file__).parent / "corpus"
#: One of so many rows is kept from training, to calibrate on.
HELD = 25


@dataclass(frozen=True, slots=True)
class Mark:
    """Characters `start` to `end` of a row's text (of its response, where it has one) that a token head should find."""

    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One text, or a context (`text`) with a `response`.

    `focus` is the character that a part of a long text is cut around; `telling` are the ranges that set it apart from a
    twin that says the opposite.
    `truth` holds 0 or 1 for each column that is known of it. `marks` are what its token head should find, None where
    nobody marked them; `entities` are the labels of personal data that its annotators looked for.
    """

    text: str
    truth: Mapping[str, float]
    source: str
    kind: str
    fold: Fold
    unit: str
    response: str | None = None
    marks: tuple[Mark, ...] | None = None
    entities: frozenset[str] = frozenset()
    weight: float = 1.0
    ordinary: bool = False
    focus: int | None = None
    telling: tuple[Mark, ...] = ()


Unit = tuple[Row, ...]


def rows(name: str, source: SourceSpec, spec: Spec, data: Path) -> list[Row]:
    """All rows of a source. Raises SettingsError where its file is missing or is not the one the spec names."""
    found = []
    of_detail: Counter[str] = Counter()
    for number, line in enumerate(_lines(source, data)):
        detail = str(line.get("detail", ""))
        if source.skip and detail.startswith(source.skip):
            continue
        row = _row(name, source, spec, line, number)
        if row is None:
            continue
        if row.fold not in KEPT:
            of_detail[detail] += 1
            if of_detail[detail] > (source.most_each or of_detail[detail]):
                continue
        found.append(row)
    return found


def units(found: Sequence[Row]) -> list[Unit]:
    """Rows that belong together (a pair, a numbered group) side by side, the others alone."""
    by_unit: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        by_unit[row.unit].append(row)
    return [tuple(unit) for unit in by_unit.values()]


def _lines(source: SourceSpec, data: Path) -> Iterator[dict[str, Any]]:
    file = (WRITTEN if source.written else data) / source.file
    if not file.is_file():
        raise SettingsError(f"{file} is missing; guard/training/manifest.json says where its rows come from")
    unpacked = gzip.decompress(file.read_bytes())
    if hashlib.sha256(unpacked).hexdigest() != source.sha256:
        raise SettingsError(f"{file} is not the file that the spec names; give its sha256 in the spec to train on it")
    for line in unpacked.splitlines():
        yield json.loads(line)


def _row(name: str, source: SourceSpec, spec: Spec, line: Mapping[str, Any], number: int) -> Row | None:
    truth = _TRUTHS[source.task](line, source, spec)
    truth.update(dict.fromkeys((column for head in source.harmless for column in _harmless(head, spec)), 0.0))
    known = {column: value for column, value in truth.items() if column in spec.columns}
    if not known:
        return None
    weight = source.weight
    if source.unlabelled is not None and source.task == "toxicity" and "toxic" not in line["labels"]:
        weight *= source.unlabelled
    response, marks = None, None
    if source.task == "grounded":
        # Without the question, as at run time: one that claims something would support the claim.
        text, response = line["context"], line["response"]
        said = line.get("spans") or ()
        if said or not line["label"]:
            marks = tuple(Mark(span["start"], span["end"], "context_adherence") for span in said)
    else:
        text = line[source.text]
    kind = str(line.get("kind") or line.get("group") or line.get("detail") or "").split("/")[0]
    return Row(
        text, known, name, kind, _fold(line, source), _unit(name, line, number), response, marks, frozenset(), weight,
        source.ordinary,
    )  # fmt: skip


def _harmless(head: str, spec: Spec) -> list[str]:
    """The columns that say "no" of a harmless text; which kind of attack it would be stays open."""
    told = spec.heads[head]
    return [head] if told.names_one else [head, *(f"{head}/{label}" for label in told.labels)]


def _injection(line: Mapping[str, Any], source: SourceSpec, spec: Spec) -> dict[str, float]:
    label, kind = float(line["label"]), line.get("kind", "")
    truth = {"prompt_injection": label}
    if kind == "harmful_request_plain" or (source.harmful and label):
        truth["harmful_request"] = 1.0
    elif not label:
        truth["harmful_request"] = 0.0
    if line.get("category"):
        labels = spec.heads["prompt_injection"].labels
        truth |= {f"prompt_injection/{each}": float(each in line["category"]) for each in labels}
    return truth


def _toxicity(line: Mapping[str, Any], source: SourceSpec, spec: Spec) -> dict[str, float]:
    said = {key: float(value >= 0.5) for key, value in line["labels"].items()}
    truth = {f"toxicity/{label}": said[label] for label in spec.heads["toxicity"].labels if label in said}
    if "sexism" in said:
        truth["sexism"] = said["sexism"]
    if "toxic" in said:
        truth["toxicity"] = said["toxic"]
    elif any(said.get(label) for label in ("insult", "threat", "identity_hate")):
        truth["toxicity"] = 1.0
    elif source.unlabelled is not None:
        truth["toxicity"] = 0.0
    return truth


def _tone(line: Mapping[str, Any], source: SourceSpec, spec: Spec) -> dict[str, float]:
    labels = spec.heads["tone"].labels
    tone = line.get("tone") or line.get("label")
    if tone not in labels:
        return {}
    # A second tone, where the author heard one, takes a third.
    second = line.get("second") if line.get("second") in labels and line.get("second") != tone else None
    shares = {tone: 2 / 3, second: 1 / 3} if second else {tone: 1.0}
    return {f"tone/{label}": shares.get(label, 0.0) for label in labels}


def _grounded(line: Mapping[str, Any], source: SourceSpec, spec: Spec) -> dict[str, float]:
    return {"context_adherence": float(line["label"])}


def _none(line: Mapping[str, Any], source: SourceSpec, spec: Spec) -> dict[str, float]:
    return {}


_TRUTHS = {"injection": _injection, "toxicity": _toxicity, "tone": _tone, "grounded": _grounded, "none": _none}


def _unit(name: str, line: Mapping[str, Any], number: int) -> str:
    return f"{name} {_together(line) or number}"


def _together(line: Mapping[str, Any]) -> str | None:
    """What a row shares with those that it must stay together with."""
    group = str(line.get("group") or "")
    return line.get("pair") or (group if group[-1:].isdigit() else None)


def _fold(line: Mapping[str, Any], source: SourceSpec) -> Fold:
    said = json.dumps(_together(line) or line.get("context") or line.get("text"))
    drawn = int(hashlib.sha256(said.encode()).hexdigest(), 16)
    if str(line.get("group") or "").startswith("identity_x"):
        return "train"  # the same few sentences for many identities: in another fold they would be known already
    if "split" in line:
        valid, held = line["split"] == "valid", drawn % HELD == 5
    else:
        number = _together(line) or line["id"]
        valid, held = number[-1] == "0", number[-2:] == "55"
    if valid:
        return "threshold" if source.ordinary and drawn % 2 else "valid"
    return "held" if held else "train"
