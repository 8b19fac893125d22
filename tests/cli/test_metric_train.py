"""`guard metrics train`: what is written and shown, and how it ends."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from guard.cli import main, metric_train
from guard.metrics.encoder import encoder
from guard.metrics.encoder import head as room
from guard.policies import load_policy
from guard.training.head import fit
from tests.training.head import worded


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worded.write(tmp_path_factory.mktemp("worded"))


@pytest.fixture
def train(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Run `guard metrics train …` on 40 rows in the test's folder."""
    monkeypatch.setattr(room, "FOLDER", folder)
    monkeypatch.setattr(metric_train, "encoder", lambda: encoder(folder))
    monkeypatch.setattr(fit, "REPEATS", ())
    monkeypatch.chdir(tmp_path)
    chance = random.Random(0)
    lines = ["said,kind"]
    for number in range(40):
        words = chance.sample(("the", "cat", "sat", "on", "mat", "dog", "ran", "far", "away", "then", "slept"), 4)
        lines.append(f"{' '.join(words)} {'insult' if number % 2 else 'river'},{('fine', 'rude')[number % 2]}")
    Path("rows.csv").write_text("\n".join(lines))

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["guard", "metrics", "train", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Ended(int(ended.value.code or 0), told.out, told.err)

    return run


def test_a_head_and_its_card_are_written_and_what_is_printed_is_a_policy(train):
    ended = train(
        "abuse", "--data", "rows.csv", "--text", "said", "--label", "kind", "--positive", "rude", "--into", "policies"
    )
    assert ended.status == 0, ended.err
    assert {path.name for path in Path("policies").iterdir()} == {"abuse.head.json", "abuse.card.md"}
    assert "AUROC" in ended.out
    assert "20 rows labelled no are few to find a threshold for 1 % false positives" in ended.out
    policy = Path("policies/shop.yaml")
    policy.write_text("policy: shop\n" + ended.out[ended.out.index("metrics:") :])
    loaded = load_policy(policy)
    assert loaded.own["abuse"].kind == "number"


def test_classes_give_a_label(train):
    ended = train("mood", "--data", "rows.csv", "--text", "said", "--label", "kind")
    assert ended.status == 0, ended.err
    assert "mood: {kind: head, file: mood.head.json}" in ended.out
    assert "target_value: ['fine']" in ended.out


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("pii",), "there is a built-in metric 'pii'; give yours another name"),
        (("../escape",), "'../escape' is no name for a metric and a file; use letters, digits, _ and -"),
        (("mood", "--gives", "label"), "--gives: 'label' cannot be asked for; did you mean 'labels'?"),
        (("mood", "--text", "sad"), "rows.csv: no row has a 'sad'; did you mean 'said'? (--text)"),
        (("mood", "--positive", "rud"), "--positive: no row is labelled 'rud'; did you mean 'rude'?"),
    ],
)
def test_what_cannot_be_done_is_told_with_the_fix(train, words, problem):
    name, *options = words
    fields = ["--label", "kind"] + ([] if "--text" in options else ["--text", "said"])
    ended = train(name, "--data", "rows.csv", *fields, *options)
    assert ended.status == 2
    assert problem in ended.err
    assert not list(Path().glob("*.head.json"))


def test_without_scikit_learn_it_says_what_to_install(train, monkeypatch):
    monkeypatch.setitem(sys.modules, "guard.training.head.train", None)
    ended = train("mood", "--data", "rows.csv")
    assert ended.status == 2
    assert "pip install 'stageguard[training]'" in ended.err
