"""A training run: rounds of learning and mining, each validated; the best one calibrated."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from guard.errors import SettingsError
from guard.metrics.pii.head import head_labels
from guard.training import mine, scale, validate
from guard.training.data import Data, read
from guard.training.encode import Encoder
from guard.training.loop import Trainer, save
from guard.training.network import Network
from guard.training.rows import Fold
from guard.training.spec import Round, Spec, read_spec
from guard.training.start import folder_of, starting, tokens_of
from guard.training.stream import Deck, Stream

#: Seconds between two checkpoints.
CHECKPOINT = 300.0


class Watch(Protocol):
    """Somebody who is told how a run goes."""

    def task(self, what: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """A piece of work of `total` steps; gives what is told how many steps were done."""
        ...

    def say(self, line: str) -> None:
        """One line about something done."""
        ...


@dataclass(frozen=True, slots=True)
class Trained:
    """What a run came to: the network, what its columns mean, and the areas under the curve by column and source."""

    network: Network
    facts: dict[str, Any]
    areas: dict[str, dict[str, float]]
    data: Data
    tokenizer: Path


class Run:
    """One run in a folder of its own, which it goes on from where it was stopped."""

    def __init__(
        self, spec_file: Path, data: Path, work: Path, device: str, without: frozenset[str], watch: Watch
    ) -> None:
        """Raises SettingsError where something is missing, or the folder holds a run of another spec."""
        self.spec: Spec = read_spec(spec_file)
        unknown = without - self.spec.sources.keys()
        if unknown:
            raise SettingsError(f"the spec has no source '{min(unknown)}' to leave out")
        self._work, self._device, self._watch = work, device, watch
        work.mkdir(parents=True, exist_ok=True)
        said = [spec_file.read_text(encoding="utf-8"), *sorted(without)]
        self._is_same(hashlib.sha256("\n".join(said).encode()).hexdigest())
        self._folder = folder_of(self.spec.encoder)
        labels = head_labels()
        self._encoder = Encoder(self.spec, tokens_of(self._folder), list(labels))
        with watch.task("reading", len(self.spec.sources)) as step:
            self._data = read(self.spec, data, without, lambda: step(1))
        network = starting(self.spec, self._folder, len(scale.token_columns()))
        self._trainer = Trainer(network, self.spec, device)

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
            table = validate.areas(self._judged("valid", self._trainer.mean), self.spec)
            gains.append(validate.overall(table, self.spec))
            self._told({"round": self._trainer.round, "overall": gains[-1], "areas": table})
            if gains[-1] == max(gains):
                save(self._trainer.mean.state_dict(), best)
            save(self._trainer.state(), state)
        network = self._trainer.mean
        network.load_state_dict(torch.load(best, map_location=self._device))
        held, valid = self._judged("held", network), self._judged("valid", network)
        facts = scale.facts(self.spec, held, valid)
        table = validate.areas(valid, self.spec)
        return Trained(network.cpu(), facts, table, self._data, self._folder / "tokenizer.json")

    def _round(self, told: Round, state: Path) -> None:
        drawers = dict(self._data.drawers)
        for mining in told.mining:
            with self._watch.task(f"mining for {mining.head}", mining.pool) as step:
                chance = random.Random(f"{self.spec.seed} {self._trainer.round}")
                found = mine.mined(
                    mining, self._trainer.mean, self._data, self._encoder, self.spec, self._device, chance, step
                )
            drawers[f"mined for {mining.head}"] = (Deck([(row,) for row in found]), mining.share)
        stream = Stream(drawers, self._encoder, self.spec.optimiser.batch_tokens, self.spec.seed)
        saved, before = time.monotonic(), 0
        with self._watch.task(f"round {self._trainer.round + 1} of {len(self.spec.rounds)}", told.tokens) as step:
            for seen in self._trainer.train(stream, told, self._told):
                step(seen - before)
                before = seen
                if time.monotonic() - saved > CHECKPOINT:
                    save(self._trainer.state(), state)
                    saved = time.monotonic()

    def _judged(self, fold: Fold, network: Network) -> dict[str, validate.Judged]:
        with self._watch.task(f"reading the {fold} rows", len(self._data.by_source)) as step:
            return validate.judged(fold, network, self._data, self._encoder, self.spec, self._device, lambda: step(1))

    def _is_same(self, said: str) -> None:
        file = self._work / "spec.sha256"
        if file.exists() and file.read_text(encoding="utf-8") != said:
            raise SettingsError(f"{self._work} holds a run of another spec; give this one another folder with --work")
        file.write_text(said, encoding="utf-8")

    def _gains(self) -> list[float]:
        log = self._work / "log.jsonl"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [told["overall"] for told in map(json.loads, lines) if "overall" in told][: self._trainer.round]

    def _told(self, said: dict[str, Any]) -> None:
        with (self._work / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(said) + "\n")
        if "overall" in said:
            self._watch.say(f"round {said['round']}: mean area under the curve {said['overall']:.4f}")
