"""What the network sees, and in which order."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest

from guard.training import stream as streams
from guard.training.stream import Batch, Deck, Stream, batch
from tests.training import tiny

ENCODER = tiny.encoder(tiny.spec(augment={"chance": 0.5, "kinds": {"typos": 1.0}}))
LETTERS = "abcdefghij"


@pytest.fixture(autouse=True)
def small_pools(monkeypatch):
    monkeypatch.setattr(streams, "POOL", 40)


def unit(*texts):
    return tuple(tiny.row(text, {"prompt_injection": 0.0}, unit=texts[0]) for text in texts)


def stream(seed=1, tokens=200, **decks):
    found = {name: (Deck(units, seed), share) for name, (units, share) in decks.items()}
    return Stream(found, ENCODER, tokens, seed)


def words(number, length):
    return " ".join([tiny.WORDS[number], *["cat"] * length])


MIXED = [unit(words(number, number)) for number in range(15)]
TWINS = [unit(words(number, 2), words(number, 18)) for number in range(15)]


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in Batch.__slots__)


def test_a_deck_gives_each_unit_once_before_any_comes_again():
    deck = Deck([(tiny.row(letter),) for letter in LETTERS])
    drawn = [deck.draw(at, random.Random())[0].text for at in range(30)]
    assert sorted(drawn[:10]) == sorted(drawn[10:20]) == sorted(drawn[20:]) == list(LETTERS)
    assert drawn[:10] != drawn[10:20]


def test_a_place_in_a_deck_holds_the_same_unit_whatever_was_drawn_before():
    units = [(tiny.row(letter),) for letter in LETTERS]
    deck, chance = Deck(units, 4), random.Random()
    drawn = [deck.draw(at, chance) for at in range(35)]
    assert [Deck(units, 4).draw(at, chance) for at in (34, 3, 17)] == [drawn[34], drawn[3], drawn[17]]
    assert [Deck(units, 5).draw(at, chance) for at in range(10)] != drawn[:10]


def test_a_pool_is_the_same_whichever_came_before():
    made = {"mixed": (MIXED, 1.0), "twins": (TWINS, 0.7)}
    one = stream(**made)
    for number in range(3):
        one.pool(number)
    for here, there in zip(one.pool(3), stream(**made).pool(3), strict=True):
        assert same(here, there)


def test_the_next_pool_goes_on_where_the_last_one_ended():
    made = stream(rows=([unit(f"cat {number}") for number in range(80)], 1.0))
    made._encoder = tiny.encoder(tiny.spec(augment={"chance": 0.0}))
    seen = [tuple(row) for number in (0, 1) for each in made.pool(number) for row in each.ids.tolist()]
    assert len(seen) == len({tuple(token for token in row if token) for row in seen}) == 80


def test_another_seed_gives_other_batches():
    one, other = (stream(seed, mixed=(MIXED, 1.0)).pool(0) for seed in (1, 2))
    assert not all(same(here, there) for here, there in zip(one, other, strict=False))


def test_sources_are_drawn_by_their_share():
    many = [unit("cat") for _ in range(7)]
    marked = [unit("dog") for _ in range(50)]
    made = stream(cats=(many, 3.0), dogs=(marked, 1.0), none=([unit("rules")], 0.0))
    dog, rules = (tiny.tokens().pieces(word, 9).ids[0] for word in ("dog", "rules"))
    seen = Counter(int(row[1]) for number in range(5) for each in made.pool(number) for row in each.ids)
    assert seen[int(dog)] in range(45, 56)
    assert sum(seen.values()) == 200
    assert int(rules) not in seen


def test_twins_land_in_one_batch():
    firsts = {int(tiny.tokens().pieces(tiny.WORDS[number], 9).ids[0]) for number in range(15)}
    quiet = Stream({"twins": (Deck(TWINS), 1.0)}, tiny.encoder(tiny.spec(augment={"chance": 0.0})), 200, 1)
    for each in quiet.pool(0):
        seen = Counter(int(row[1]) for row in each.ids)
        assert seen.keys() <= firsts
        assert all(number % 2 == 0 for number in seen.values())


@pytest.mark.parametrize("tokens", [60, 200, 1000])
def test_a_batch_never_holds_more_tokens_than_told(tokens):
    made = stream(tokens=tokens, mixed=(MIXED, 1.0), twins=(TWINS, 1.0))
    sizes = [each.ids.size for number in range(3) for each in made.pool(number)]
    assert max(sizes) <= tokens
    assert max(sizes) > tokens / 2


def test_a_unit_that_is_larger_than_a_batch_makes_one_of_its_own():
    (first, *rest) = stream(tokens=10, twins=(TWINS[:1], 1.0)).pool(0)
    assert first.ids.shape[0] == 2
    assert len(rest) == 39


def test_windows_are_padded_where_nothing_is_said_or_known():
    long = tiny.row("Maria ran far", marks=tiny.marked("Maria ran", "Maria", "PERSON"), entities=frozenset({"PERSON"}))
    short = tiny.row("cat", {"prompt_injection": 0.0}, weight=0.5)
    made = batch([ENCODER.example(row, random.Random(1)) for row in (long, short)], ENCODER.classes)
    width = len(made.ids[0])
    assert made.mask.tolist() == [[1] * width, [1, 1, 1] + [0] * (width - 3)]
    assert made.ids[1, 3:].tolist() == made.types[1, 3:].tolist() == [0] * (width - 3)
    assert (made.entities[1] == -1).all()
    assert (made.words[0] == -1).all()
    assert (made.words[1, 3:] == -1).all()
    assert made.known[1].tolist() == [1] * ENCODER.classes
    assert made.weights.tolist() == [1, 0.5]
