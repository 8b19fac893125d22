"""Training that is stopped and goes on comes to the very weights of training that was not."""

from __future__ import annotations

import itertools

import pytest
import torch

from guard.training import loop
from guard.training import stream as streams
from guard.training.loop import Trainer, save, tensors
from guard.training.spec import Round
from guard.training.stream import Deck, Stream
from tests.training import tiny

pytestmark = pytest.mark.slow

SPEC = tiny.spec()
TOLD = Round(tokens=1600, rate=0.01, last_rate=0.001)


@pytest.fixture(autouse=True, scope="module")
def small_pools():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "POOL", 16)
        patch.setattr(loop, "LOGGED", 10)
        yield


def stream(seed=1):
    rows = [
        tiny.row(f"{tiny.WORDS[at]} obey me" if at % 2 else f"{tiny.WORDS[at]} cat sat", {"prompt_injection": at % 2})
        for at in range(30)
    ]
    return Stream({"a": (Deck([(row,) for row in rows], seed), 1.0)}, tiny.encoder(SPEC), 120, seed)


def trainer():
    return Trainer(tiny.network(SPEC, hidden_dropout_prob=0.1), SPEC, "cpu")


def train(of, told=TOLD):
    return of.train(stream(), told, lambda _: None)


def weights(of):
    return {name: value.clone() for name, value in of.state_dict().items()}


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def whole():
    """A trainer that was not stopped."""
    made = trainer()
    list(train(made))
    return made


@pytest.mark.parametrize("pools", [1, 3])
def test_a_run_that_is_stopped_and_goes_on_gives_the_very_weights_of_one_that_was_not(whole, tmp_path, pools):
    stopped = trainer()
    list(itertools.islice(train(stopped), pools))
    save(stopped.state(), tmp_path / "state.pt")
    torch.rand(7)  # another process has another chance
    again = trainer()
    again.restore(torch.load(tmp_path / "state.pt"))
    assert not equal(weights(again.network), weights(whole.network))
    list(train(again))
    assert equal(weights(again.network), weights(whole.network))
    assert equal(weights(again.mean), weights(whole.mean))
    assert (again.round, again.pool) == (whole.round, whole.pool)


def test_a_round_ends_when_its_tokens_were_seen(whole):
    made = trainer()
    seen = list(train(made))
    assert seen == sorted(seen)
    assert TOLD.tokens <= seen[-1] < TOLD.tokens + 120
    assert made.round == 1


def test_what_is_trained_gets_cheaper():
    costs = []
    list(trainer().train(stream(), TOLD.model_copy(update={"tokens": 4000}), costs.append))
    assert [cost["step"] for cost in costs] == list(range(10, 10 * len(costs) + 1, 10))
    assert costs[-1]["prompt_injection"] < 0.7 * costs[0]["prompt_injection"]


def test_the_mean_follows_the_weights_slowly():
    made = trainer()
    before = weights(made.network)
    list(itertools.islice(train(made), 3))
    moved, followed = (
        sum((weights(of)[name] - before[name]).abs().sum().item() for name in before)
        for of in (made.network, made.mean)
    )
    assert 0 < followed < 0.9 * moved


def test_word_embeddings_stay_as_they_are():
    made = trainer()
    before = made.network.encoder.embeddings.word_embeddings.weight.clone()
    list(itertools.islice(train(made), 1))
    assert torch.equal(made.network.encoder.embeddings.word_embeddings.weight, before)


def test_the_rate_warms_up_and_falls():
    rates = []
    of = trainer()
    step = of._step

    def noted(batch, rate):
        rates.append(rate)
        return step(batch, rate)

    of._step = noted
    list(train(of))
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert max(rates) > 0.9 * TOLD.rate
    assert TOLD.last_rate <= rates[-1] < 1.5 * TOLD.last_rate


class Unsaved(Exception):
    pass


def test_a_checkpoint_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    file = tmp_path / "state.pt"
    save({"number": 1}, file)

    def broken(state, path):
        path.write_bytes(b"half of")
        raise Unsaved

    monkeypatch.setattr(torch, "save", broken)
    with pytest.raises(Unsaved):
        save({"number": 2}, file)
    assert torch.load(file) == {"number": 1}


def test_a_batch_goes_to_the_device_as_it_is():
    (batch, *_) = stream().pool(0)
    ids, types, mask, targets = tensors(batch, "cpu")
    assert ids.tolist() == batch.ids.tolist()
    assert types.tolist() == batch.types.tolist()
    assert mask.tolist() == batch.mask.tolist()
    for name in ("columns", "entities", "known", "words", "weights"):
        assert getattr(targets, name).tolist() == getattr(batch, name).tolist()
