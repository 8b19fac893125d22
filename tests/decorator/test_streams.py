"""What a protected handler yields."""

from __future__ import annotations

import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import closing
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage
from openai.types.chat import ChatCompletionChunk

import guard
from guard.metrics import Metric, Score, Side, Turn
from tests.decorator.shapes import BAD, FILLER, POLICY, chunk, pieces
from tests.fakes import SORRY, guard_of, override, policy_of, rule


def test_a_stream_goes_out_while_the_handler_is_still_at_it():
    made = []

    @guard.protect(policy=POLICY)
    def chat(question: str) -> Generator[str]:
        for number in range(100):
            made.append(number)
            yield FILLER

    stream = chat("hi")
    assert next(stream) == FILLER
    assert len(made) < 20
    stream.close()


def endless(closed: list[bool]) -> Iterator[str]:
    try:
        yield from [FILLER] * 20
        yield from "a bomb "
        while True:
            yield FILLER
    finally:
        closed.append(True)


async def endless_later(closed: list[bool]) -> AsyncIterator[str]:
    with closing(endless(closed)) as stream:  # type: ignore[type-var] - it is a generator
        for piece in stream:
            yield piece


async def test_nothing_of_what_is_blocked_goes_out_and_the_handler_is_closed():
    closed: list[bool] = []
    where = {"policy": POLICY, "input": lambda closed: "hi"}
    for stream in (
        list(guard.protect(**where)(endless)(closed)),
        [piece async for piece in guard.protect(**where)(endless_later)(closed)],
    ):
        assert stream[-1] == f"\n\n{SORRY}"
        assert set(stream[:-1]) == {FILLER}
        assert 0 < len(stream[:-1]) <= 20
    assert closed == [True, True]


async def test_an_abandoned_stream_closes_the_handlers():
    closed = []

    @guard.protect(policy=POLICY)
    async def chat(question: str) -> AsyncGenerator[str]:
        try:
            while True:
                yield FILLER
        finally:
            closed.append(True)

    stream = chat("hi")
    assert await anext(stream) == FILLER
    await stream.aclose()
    assert closed == [True]


def breaks(question: str) -> Iterator[str]:
    yield "jo@x.io, "
    yield "I "
    raise LookupError("mine")


async def breaks_later(question: str) -> AsyncIterator[str]:
    for piece in breaks(question):
        yield piece


async def test_what_a_handler_said_before_it_broke_off_still_comes():
    got: list[str] = []
    with pytest.raises(LookupError, match="mine"):
        got.extend(guard.protect(policy=POLICY)(breaks)("hi"))
    with pytest.raises(LookupError, match="mine"):
        async for piece in guard.protect(policy=POLICY)(breaks_later)("hi"):
            got.append(piece)
    assert got == ["[EMAIL_1], ", "I "] * 2


async def test_what_went_out_of_a_stream_that_nobody_waited_for_is_recorded():
    async def chat(question: str) -> AsyncGenerator[str]:
        while True:
            yield FILLER

    def chat_now(question: str) -> Generator[str]:
        while True:
            yield FILLER

    kept, events = guard_of(policy_of(BAD, output=[override("bad")]))
    stream = guard.protect(kept)(chat)("hi")
    assert await anext(stream) == FILLER
    await stream.aclose()
    stream = guard.protect(kept)(chat_now)("hi")
    assert next(stream) == FILLER
    stream.close()
    assert [event.status for event in events] == ["not_triggered"] * 2


def test_a_generator_runs_in_the_callers_thread():

    ran = []

    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[str]:
        ran.append(threading.current_thread())
        yield "x"

    list(chat("hi"))
    assert ran == [threading.current_thread()]


def test_pieces_of_which_a_redaction_leaves_nothing_are_not_sent():
    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[str]:
        yield from ["", *pieces("al@x.io is it", 2)]

    assert list(chat("hi")) == ["", "[EMAIL_1]", " ", "is", " i", "t"]


def test_chunks_of_a_completion_keep_their_shape():
    text = f"{FILLER}al@x.io {FILLER}"

    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[ChatCompletionChunk]:
        yield chunk("", role="assistant")
        yield from map(chunk, pieces(text))
        yield chunk(None)

    chunks = list(chat("hi"))
    assert "".join(one.choices[0].delta.content or "" for one in chunks) == text.replace("al@x.io", "[EMAIL_1]")
    assert all(type(one) is ChatCompletionChunk and one.id == "c1" for one in chunks)
    assert chunks[0].choices[0].delta.role == "assistant"


def test_a_blocked_stream_of_chunks_ends_as_a_filtered_one_does():
    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[ChatCompletionChunk]:
        yield from map(chunk, pieces(f"a bomb {FILLER}"))

    [last] = list(chat("hi"))
    assert last.choices[0].delta.content == SORRY
    assert last.choices[0].finish_reason == "content_filter"
    assert last.id == "c1"
    [refused] = list(chat("a bomb"))
    assert type(refused) is ChatCompletionChunk
    assert refused.choices[0].delta.content == SORRY


async def test_chunks_of_langchain_are_read_too():
    @guard.protect(policy=POLICY)
    async def chat(messages: list[BaseMessage]) -> AsyncIterator[AIMessageChunk]:
        for piece in pieces(f"al@x.io {messages[-1].content} {FILLER}"):
            yield AIMessageChunk(content=piece)

    got = [piece async for piece in chat([HumanMessage("jo@x.io")])]
    assert "".join(str(piece.content) for piece in got) == f"[EMAIL_2] jo@x.io {FILLER}"
    [refused] = [piece async for piece in chat([HumanMessage("a bomb")])]
    assert refused == AIMessageChunk(content=SORRY)


def test_the_choices_of_a_stream_are_read_each_on_its_own():
    def delta(index: int, text: str) -> dict[str, Any]:
        return {"choices": [{"index": index, "delta": {"content": text}}]}

    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[dict[str, Any]]:
        for one, other in zip(pieces("al@x.io is one"), pieces("jo@x.io is two"), strict=True):
            yield delta(0, one)
            yield delta(1, other)

    texts = {0: "", 1: ""}
    for one in chat("hi"):
        texts[one["choices"][0]["index"]] += one["choices"][0]["delta"]["content"]
    assert texts == {0: "[EMAIL_1] is one", 1: "[EMAIL_2] is two"}


def test_a_path_finds_the_text_of_every_piece():
    @guard.protect(policy=POLICY, output="text")
    def chat(question: str) -> Iterator[dict[str, Any]]:
        for number, piece in enumerate(pieces("al@x.io is it")):
            yield {"text": piece, "number": number}

    got = list(chat("hi"))
    assert [one["number"] for one in got] == [0, 1, 2]
    assert "".join(one["text"] for one in got) == "[EMAIL_1] is it"
    assert list(chat("a bomb")) == [{"text": SORRY}]


def test_streamed_tool_calls_are_refused_where_a_stage_would_have_to_read_them():
    def chat(question: str) -> Iterator[ChatCompletionChunk]:
        yield chunk(None, tool_calls=[{"index": 0, "id": "1", "function": {"name": "f", "arguments": "{"}}])

    assert len(list(guard.protect(policy=POLICY)(chat)("hi"))) == 1
    reading = guard.protect(policy=policy_of(BAD, tool_call=[override("bad")]))(chat)
    with pytest.raises(guard.SettingsError, match="return the answer whole"):
        list(reading("hi"))


def test_a_piece_of_unknown_shape_stops_the_stream():
    @guard.protect(policy=POLICY)
    def chat(question: str) -> Iterator[Any]:
        yield "fine "
        yield 7

    got = []
    with pytest.raises(guard.SettingsError, match=r"\(int\)"):
        for piece in chat("hi"):
            got.append(piece)
    assert got == ["fine "]


def test_the_output_is_measured_with_what_was_asked():
    def measure(turn: Turn, side: Side) -> Score:
        return Score(float(turn.messages[0].parts == ("hi",)))

    policy = policy_of(Metric("m", measure), output=[override(rule("m", "gt", 0.5))])
    assert guard.protect(policy=policy)(lambda question: question)("hi") == SORRY
