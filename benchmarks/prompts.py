"""Prompts that differ, as users' do: what was read before costs nothing, so a text that is sent twice measures that."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

SENTENCES = """I ordered a pair of running shoes two weeks ago and they still have not arrived.
The tracking page has said that the parcel is in transit since last Monday.
Could you find out where it is and tell me when I can expect it?
I need them for a race on Saturday, and the forecast promises rain.
My neighbour said that nobody rang at the door all day.
If they come too late I would rather pick up another pair in a shop near the station.
The invoice shows the right size, but the colour is not the one that I chose.
Do you also sell laces that fit this model, and are they included in the price?
Last year the same thing happened with a jacket for my daughter.
I paid with a gift card, so please tell me how a refund would work in that case.
The shop in our town closes at six, which is too early for me on most days.
We will be on holiday in the second half of the month.
Thank you for looking into this; I know that it is a busy season for you.
Is it possible to change the address while the parcel is on its way?
The soles of the old pair were worn out after four hundred kilometres.""".splitlines()
COLOURS = ("red", "blue", "green", "black", "white", "brown", "grey", "orange", "purple", "silver")
THINGS = ("shoes", "jacket", "lamp", "kettle", "tent", "bicycle", "chair", "keyboard", "camera", "umbrella", "mirror")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "December")
#: Sentences of a prompt of about 128 tokens.
SENTENCES_IN_128 = 7


def prompt(number: int, sentences: int = SENTENCES_IN_128) -> str:
    """A prompt of about 128 tokens, or of so many sentences, another one for each number."""
    random = Random(number)
    thing = f"{random.choice(COLOURS)} {random.choice(THINGS)}"
    # Told apart by words and a day: a number that only counts would look like an account's or a telephone's.
    about = f"About the {thing} that I ordered on {random.choice(MONTHS)} {random.randint(1, 28)}:"
    return " ".join((about, *random.sample(SENTENCES, sentences)))


def conversation(number: int, turns: int) -> list[dict[str, str]]:
    """The messages of a conversation up to the user's last one. Those of all but the last turn are always the same."""
    messages = [{"role": "system", "content": "Be helpful."}]
    for turn in range(1, turns):
        messages += [
            {"role": "user", "content": prompt(-turn)},
            {"role": "assistant", "content": "It is on its way and should arrive tomorrow. " * 3},
        ]
    return [*messages, {"role": "user", "content": prompt(number)}]


def bodies(turns: int = 1) -> Iterator[dict[str, Any]]:
    """Requests whose last message differs, also from those of conversations of another length."""
    yield from ({"model": "canned", "messages": conversation(number, turns)} for number in count(turns * 1_000_000))


def body(number: int, sentences: int) -> dict[str, Any]:
    """A request of one prompt of so many sentences, another one for each number."""
    return {"model": "canned", "messages": [{"role": "user", "content": prompt(number, sentences)}]}
