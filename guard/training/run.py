"""A training run: rounds of learning and mining, each validated; the best one calibrated."""

from __future__ import annotations

import hashlib
import json
import random
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from guard.errors import SettingsError
from guard.metrics.pii.head import head_labels
from guard.training import mine, scale, validate
from guard.training.data import Data, read
from guard.training.encode import Encoder
from guard.training.judge import Reader, network_reader
from guard.training.loop import Trainer, save
from guard.training.network import Network
from guard.training.rows import Fold, Row
from guard.training.spec import Mining, Round, Spec, read_spec
from guard.training.start import folder_of, starting, tokens_of
from guard.training.stream import Deck, Stream
from guard.training.watch import Watch

#: Seconds between two checkpoints.
CHECKPOINT = 300.0


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to: the network, what it was made with, and its areas under the curve by column and source."""

    spec: Spec
    network: Network
    data: Data
    encoder: Encoder
    tokenizer: Path
    areas: dict[str, dict[str, float]]


class Run:
    """One run in a folder of its own, which it goes on from where it was stopped."""

    def __init__(
        self,
        spec_file: Path,
        data: Path,
        work: Path,
        device: str,
        without: frozenset[str],
        watch: Watch,
        *,
        start: Path | None = None,
    ) -> None:
        """`start` is the model that the spec goes on from.

        Raises SettingsError where something is missing, or the folder holds a run of another spec.
        """
        self.spec: Spec = read_spec(spec_file)
        unknown = without - self.spec.sources.keys()
        if unknown:
            raise SettingsError(f"the spec has no source '{min(unknown)}' to leave out")
        self._work, self._device, self._watch = work, device, watch
        said = "\n".join([spec_file.read_text(encoding="utf-8"), *sorted(without)])
        sha256, marker = hashlib.sha256(said.encode()).hexdigest(), work / "spec.sha256"
        if marker.exists() and marker.read_text(encoding="utf-8") != sha256:
            raise SettingsError(f"{work} holds a run of another spec; give this one another folder with --work")
        self._folder = folder_of(self.spec.encoder)
        labels = head_labels()
        self._encoder = Encoder(self.spec, tokens_of(self._folder), list(labels))
        with watch.task("reading", len(self.spec.sources)) as step:
            self._data = read(self.spec, data, without, lambda: step(1))
        network = starting(self.spec, self._folder, len(scale.token_columns()), start)
        self._trainer = Trainer(network, self.spec, device)
        # Last, so that a spec that was refused can be put right.
        work.mkdir(parents=True, exist_ok=True)
        marker.write_text(sha256, encoding="utf-8")

    def __call__(self) -> Trained:
        """Train what is left, and give the best round's network, calibrated."""
        state, best = self._work / "state.pt", self._work / "best.pt"
        if state.exists():
            self._trainer.restore(torch.load(state, map_location=self._device))
            self._watch.say(f"going on in round {self._trainer.round + 1}")
        gains = self._gains()
        while self._trainer.round < len(self.spec.rounds):
            if gains and len(gains) - 1 - gains.index(max(gains)) >= self.spec.validation.patience:
                self._watch.say("no gain any more: stopped early")
                break
            self._round(self.spec.rounds[self._trainer.round], state)
            table = validate.areas(self._judged("valid"), self.spec)
            gains.append(validate.overall(table))
            self._told({"round": self._trainer.round, "overall": gains[-1], "areas": table})
            if gains[-1] == max(gains):
                save(self._trainer.mean.state_dict(), best)
            save(self._trainer.state(), state)
        network = self._trainer.mean
        network.load_state_dict(torch.load(best, map_location=self._device))
        table = validate.areas(self._judged("valid"), self.spec)
        return Trained(self.spec, network.cpu(), self._data, self._encoder, self._folder / "tokenizer.json", table)

    def _round(self, told: Round, state: Path) -> None:
        drawers = dict(self._data.drawers)
        for mining in told.mining:
            if found := self._mined(mining):
                deck = Deck([(row,) for row in found], self.spec.seed)
                drawers[f"mined for {mining.head}"] = (deck, mining.share)
        stream = Stream(drawers, self._encoder, self.spec.optimiser.batch_tokens, self.spec.seed)
        saved, before = time.monotonic(), 0
        with self._watch.task(f"round {self._trainer.round + 1} of {len(self.spec.rounds)}", told.tokens) as step:
            for seen in self._trainer.train(stream, told, self._told):
                step(seen - before)
                before = seen
                if time.monotonic() - saved > CHECKPOINT:
                    save(self._trainer.state(), state)
                    saved = time.monotonic()

    def _mined(self, told: Mining) -> list[Row]:
        # By way of a file, since a run that goes on within a round has another network, which would find others.
        file = self._work / f"mined-{self._trainer.round + 1}-{told.head}.jsonl"
        if not file.exists():
            chance = random.Random(f"{self.spec.seed} {self._trainer.round}")
            with self._watch.task(f"mining for {told.head}", told.pool) as step:
                found = mine.mined(told, self._reader(), self._data, self._encoder, self.spec, chance, step)
            mine.keep(found, file)
        return mine.kept(file, told, self._data)

    def _judged(self, fold: Fold) -> dict[str, validate.Judged]:
        with self._watch.task(f"reading the {fold} rows", len(self._data.by_source)) as step:
            return validate.judged(fold, self._reader(), self._data, self._encoder, self.spec, step)

    def _reader(self) -> Reader:
        return network_reader(self._trainer.mean, self._device, self.spec.optimiser.precision)

    def _gains(self) -> list[float]:
        log = self._work / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        # A run that was stopped between its log and its checkpoint tells a round twice.
        gains = {told["round"]: told["overall"] for told in map(json.loads, lines) if "overall" in told}
        return [gains[number + 1] for number in range(self._trainer.round)]

    def _told(self, said: dict[str, Any]) -> None:
        with (self._work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(said) + "\n")
        if "overall" in said:
            self._watch.say(f"round {said['round']}: mean area under the curve {said['overall']:.4f}")
