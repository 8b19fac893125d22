"""`@guard.protect`: one body behind every kind of handler."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import guard
from guard.metrics import Metric, Score
from tests.decorator.shapes import FILLER, POLICY, pieces
from tests.fakes import SORRY, broken, fixed, guard_of, override, policy_of, redact, rule, spotting

Face = Callable[..., Any]


def sync_face(answer: Callable[[str], str]) -> Face:
    def handler(question: str) -> str:
        """Answers."""
        return answer(question)

    return handler


def async_face(answer: Callable[[str], str]) -> Face:
    async def handler(question: str) -> str:
        """Answers."""
        await asyncio.sleep(0)
        return answer(question)

    return handler


def generator_face(answer: Callable[[str], str]) -> Face:
    def handler(question: str) -> Iterator[str]:
        """Answers."""
        yield from pieces(answer(question))

    return handler


def async_generator_face(answer: Callable[[str], str]) -> Face:
    async def handler(question: str) -> AsyncIterator[str]:
        """Answers."""
        for piece in pieces(answer(question)):
            await asyncio.sleep(0)
            yield piece

    return handler


FACES = [sync_face, async_face, generator_face, async_generator_face]
every_face = pytest.mark.parametrize("face", FACES, ids=["sync", "async", "generator", "async generator"])


async def said(result: Any) -> str:
    """What a handler of any kind said, as one string."""
    if isinstance(result, AsyncIterator):
        return "".join([piece async for piece in result])
    if isinstance(result, Iterator):
        return await asyncio.to_thread("".join, result)
    return await result if inspect.isawaitable(result) else result


async def ask(face: Callable[..., Face], question: str, answer: Callable[[str], str], **options: Any) -> str:
    protected = guard.protect(**{"policy": POLICY, **options})(face(answer))
    return await said(protected(question))


@every_face
async def test_what_triggers_nothing_passes_as_it_is(face):
    assert await ask(face, "hello", lambda question: f"{question}, {FILLER * 20}") == f"hello, {FILLER * 20}"


@every_face
async def test_a_handler_is_not_called_when_its_input_is_blocked_and_the_policys_text_is_answered(face):
    called = []
    assert await ask(face, "a bomb", lambda question: called.append(question) or "never") == SORRY
    assert called == []


@every_face
async def test_a_handler_gets_the_redacted_input_and_the_caller_his_own_words_back(face):
    heard = []
    answer = await ask(face, "I am jo@x.io", lambda question: heard.append(question) or f"Mail to {question[5:]}.")
    assert heard == ["I am [EMAIL_1]"]
    assert answer == "Mail to jo@x.io."


@every_face
async def test_the_caller_gets_the_redacted_output(face):
    assert await ask(face, "hi", lambda question: f"{FILLER}al@x.io {FILLER}") == f"{FILLER}[EMAIL_1] {FILLER}"


@every_face
async def test_an_answer_that_is_blocked_is_replaced(face):
    answer = await ask(face, "hi", lambda question: f"{FILLER}a bomb {FILLER}")
    assert answer == SORRY


@every_face
async def test_a_block_raises_where_that_was_asked_for(face):
    for question, answer in [("a bomb", "no"), ("hi", "a bomb")]:
        with pytest.raises(guard.Blocked) as caught:
            await ask(face, question, lambda question, answer=answer: answer, on_block="raise")
        assert caught.value.text == SORRY
        assert caught.value.decision.blocked


@every_face
async def test_a_function_says_what_a_block_becomes(face):
    assert await ask(face, "a bomb", str, on_block=lambda verdict: f"<{verdict.text}>") == f"<{SORRY}>"


@every_face
async def test_the_handlers_exceptions_pass_through_untouched(face):
    error = LookupError("mine")

    def fails(question: str) -> str:
        raise error

    with pytest.raises(LookupError) as caught:
        await ask(face, "hi", fails)
    assert caught.value is error


@every_face
async def test_a_check_that_fails_blocks_and_does_not_call_the_handler(face):
    called = []
    policy = policy_of(broken("m"), input=[override(rule("m", "gt", 0.5))])
    answer = await ask(face, "hi", lambda question: called.append(question) or "never", policy=policy)
    assert answer.startswith("This could not be checked")
    assert called == []


@every_face
def test_a_protected_handler_looks_like_the_handler(face):
    handler = face(str)
    protected = guard.protect(POLICY)(handler)
    assert protected.__name__ == "handler"
    assert protected.__doc__ == "Answers."
    assert inspect.signature(protected) == inspect.signature(handler)
    for asks in (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction):
        assert asks(protected) == asks(handler)


@every_face
async def test_calls_at_the_same_time_do_not_mix(face):
    protected = guard.protect(POLICY)(face(lambda question: f"To {question} {FILLER}"))
    names = [f"n{number}@x.io" for number in range(20)]
    answers = await asyncio.gather(*(asyncio.create_task(said_in_thread(protected, name)) for name in names))
    assert answers == [f"To {name} {FILLER}" for name in names]


async def said_in_thread(protected: Face, question: str) -> str:
    if inspect.iscoroutinefunction(protected) or inspect.isasyncgenfunction(protected):
        return await said(protected(question))
    return await said(await asyncio.to_thread(protected, question))


@every_face
async def test_every_stage_records_one_event_of_one_request(face):
    kept, events = guard_of(POLICY)
    await ask(face, "hello", lambda question: FILLER * 20, policy=kept)
    assert [event.kind for event in events] == ["input", "output"]
    assert len({event.request for event in events}) == 1


def written(folder: Path, name: str) -> Path:
    """A policy file for the app `name`, that answers its name to everything longer than three characters."""
    file = folder / f"{name}.yaml"
    file.write_text(f"""
policy: {name}
applies_to: {{apps: ["{name}", ""]}}
stages:
  input:
    rulesets:
      - name: long
        rules: [{{metric: char_count, operator: gt, target_value: 3}}]
        action: {{type: override, choices: [{name}]}}
""")
    return file


def test_the_app_is_whose_policy_applies(tmp_path):
    for app in ("shop", "bank"):
        written(tmp_path, app)
    for app in ("shop", "bank"):
        assert guard.protect(tmp_path, app=app)(sync_face(str))("hello") == app
    with pytest.raises(guard.NoPolicy):
        guard.protect(tmp_path, app="zoo")(sync_face(str))("hello")


def test_a_method_is_protected_as_a_function_is():
    class Bot:
        name = "Bo"

        @guard.protect(policy=POLICY)
        def chat(self, question: str) -> str:
            return f"{self.name}: {question}"

    assert Bot().chat("hi") == "Bo: hi"
    assert Bot().chat("a bomb") == SORRY
    assert Bot().chat(question="a bomb") == SORRY


def test_a_policy_is_a_file_a_folder_a_guard_or_a_loaded_one(tmp_path):
    file = written(tmp_path, "short")
    loaded = guard.load_policy(file)
    for policy in (file, str(file), tmp_path, loaded, guard.load_policies(tmp_path), guard.Guard(loaded)):
        assert guard.protect(policy)(sync_face(str))("hello") == "short"


@pytest.mark.parametrize("policy", [sync_face(str), 7])
def test_what_is_no_policy_is_refused_with_the_right_way_to_write_it(policy):
    with pytest.raises(guard.SettingsError, match=r"@guard\.protect\(policy="):
        guard.protect(policy)


def test_a_wrong_on_block_is_refused():
    with pytest.raises(guard.SettingsError, match="'answer', 'raise'"):
        guard.protect(POLICY, on_block="ignore")  # type: ignore[arg-type]


def test_a_policy_file_that_is_missing_is_reported_where_the_handler_is_decorated():
    with pytest.raises(guard.PolicyError, match="no such file"):
        guard.protect(policy="nowhere.yaml")


@every_face
async def test_what_a_policy_measures_with_is_loaded_once_and_before_the_first_call_is_checked(face):
    warmed: list[bool] = []

    def warm_up() -> None:
        time.sleep(0.02)  # so that the other calls come meanwhile
        warmed.append(True)

    metric = Metric("cold", lambda turn, side: Score(float(not warmed)), warm_up=warm_up)
    protected = guard.protect(policy_of(metric, input=[override(rule("cold", "gt", 0.5))]))(face(str))
    assert warmed == []
    assert await asyncio.gather(*(said_in_thread(protected, "hi") for _ in range(3))) == ["hi"] * 3
    assert warmed == [True]


@every_face
async def test_a_metric_that_cannot_be_loaded_stops_the_call(face):
    def warm_up() -> None:
        raise OSError("no weights")

    policy = policy_of(fixed("m", 0.0, warm_up=warm_up), input=[override(rule("m", "gt", 0.5))])
    with pytest.raises(guard.PolicyError, match="no weights"):
        await ask(face, "hi", str, policy=policy)


def test_a_handler_does_not_see_what_was_put_back_into_earlier_answers():
    seen: list[Any] = []

    @guard.protect(policy_of(spotting("email", r"\w+@\w+\.org"), input=[redact("email", restore=True)]))
    def answer(messages: list[dict[str, str]]) -> str:
        seen.extend(messages)
        return "done, [EMAIL_1]"

    said = [("user", "write to a@x.org"), ("assistant", "wrote to a@x.org"), ("user", "again")]
    assert answer([{"role": role, "content": content} for role, content in said]) == "done, a@x.org"
    assert "a@x.org" not in str(seen)
