"""How far an output keeps to its context. In the tiny model a word is supported where the context has it."""

from __future__ import annotations

from pathlib import Path

import pytest

from guard.metrics import Failure, Message, Score, Turn
from guard.metrics.encoder import Encoder, evidence
from guard.metrics.encoder.adherence import context_adherence, grounds
from guard.metrics.encoder.facts import facts
from tests.metrics.encoder import tiny

DOCUMENT = "The cat sat on the mat in the warm sun. Then it slept for hours near the river."


def score(turn: Turn, folder: Path) -> Score:
    measured = context_adherence(folder).measure(turn, "output")
    assert isinstance(measured, Score)
    return measured


def value(turn: Turn, folder: Path) -> float:
    found = score(turn, folder).value
    assert isinstance(found, float)
    return found


def said(turn: Turn, found: Score) -> list[str]:
    return [turn.output[span.passage][span.start : span.end] for span in found.spans]


def test_an_output_that_its_context_supports_scores_high(folder: Path) -> None:
    found = score(Turn(documents=(DOCUMENT,), output=("The cat slept in the sun. It sat near the river.",)), folder)
    assert isinstance(found.value, float)
    assert found.value > 0.9
    assert (found.spans, found.labels) == ((), ())


def test_one_unsupported_sentence_makes_it_low_and_is_named(folder: Path) -> None:
    turn = Turn(documents=(DOCUMENT,), output=("The cat slept in the sun. Then the dog ran to the river.",))
    found = score(turn, folder)
    assert value(turn, folder) < 0.1
    assert said(turn, found) == ["dog ran to"]
    assert found.labels == ("unsupported",)


def test_where_the_model_marks_no_words_the_sentence_is_named(tmp_path: Path) -> None:
    columns = [column for column in tiny.TOKEN_COLUMNS if column != "context_adherence"]
    folder = tiny.write(tmp_path, token_columns=[*columns, "other"])
    turn = Turn(documents=(DOCUMENT,), output=("The cat slept in the sun. Then the dog ran far.",))
    assert said(turn, score(turn, folder)) == ["Then the dog ran far."]


def test_support_anywhere_in_a_long_context_is_found(folder: Path) -> None:
    filler = "A committee met on tuesday for the budget. " * 40
    for documents in ((filler + DOCUMENT + filler,), (filler, DOCUMENT, filler), (DOCUMENT + filler,)):
        assert value(Turn(documents=documents, output=("The cat slept in the sun.",)), folder) > 0.9
    assert value(Turn(documents=(filler,), output=("The cat slept in the sun.",)), folder) < 0.1


def test_a_sentence_is_held_against_the_windows_that_share_its_rare_words_and_no_more(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs: list[tuple[int, int]] = []
    pair = Encoder.pair
    monkeypatch.setattr(Encoder, "pair", lambda self, *both: pairs.append(tuple(map(len, both))) or pair(self, *both))
    long = "A committee met on tuesday for the budget. " * 40
    score(Turn(documents=(long,), output=("The cat sat on the mat. A dog ran far away.",)), folder)
    size = facts(folder).pair
    assert len(pairs) == 2 * evidence.WINDOWS
    assert all(context + response + 3 <= size.tokens and response <= size.response for context, response in pairs)


def test_a_sentence_longer_than_the_model_reads_is_judged_whole(folder: Path) -> None:
    long = "the cat sat on the mat and then " * 6
    for place, words in enumerate(("dog", "ran", "far")):
        output = f"{long[: 40 * place]} {words} {long[40 * place :]}"
        turn = Turn(documents=(DOCUMENT + " and then",), output=(output,))
        assert words in " ".join(said(turn, score(turn, folder)))


def test_the_worst_of_several_outputs_counts_and_spans_name_theirs(folder: Path) -> None:
    turn = Turn(documents=(DOCUMENT,), output=("The cat slept in the sun.", "The dog sat."))
    found = score(turn, folder)
    assert value(turn, folder) < 0.1
    assert (said(turn, found), [span.passage for span in found.spans]) == (["dog"], [1])


def test_spans_are_those_of_the_text_as_written(folder: Path) -> None:
    turn = Turn(documents=(DOCUMENT,), output=("The c\u200bat and the d\u200bog sat.",))
    assert "d\u200bog" in said(turn, score(turn, folder))
    assert "c\u200bat" not in said(turn, score(turn, folder))


MESSAGES = (Message("system", ("app",)), Message("user", ("user",)), Message("assistant", ("model",)))


def test_documents_and_tool_results_count_and_messages_only_where_there_are_none() -> None:
    tool = Message("tool", ("tool",))
    assert grounds(Turn(messages=(*MESSAGES, tool), documents=("document",))) == ["document", "tool"]
    assert grounds(Turn(messages=(*MESSAGES, tool))) == ["tool"]
    assert grounds(Turn(messages=MESSAGES, documents=(" ",))) == ["app", "user"]


@pytest.mark.parametrize("turn", [Turn(output=("The cat.",)), Turn(output=("The cat.",), messages=MESSAGES[2:])])
def test_without_a_context_it_fails_and_says_so(turn: Turn, folder: Path) -> None:
    measured = context_adherence(folder).measure(turn, "output")
    assert isinstance(measured, Failure)
    assert "no context" in measured.error


def test_a_context_that_has_no_tokens_fails_too(folder: Path) -> None:
    measured = context_adherence(folder).measure(Turn(output=("The cat.",), documents=("\u200b\0",)), "output")
    assert isinstance(measured, Failure)


@pytest.mark.parametrize("output", ["", " \n", "\0"])
def test_an_output_that_claims_nothing_is_supported(output: str, folder: Path) -> None:
    assert score(Turn(documents=(DOCUMENT,), output=(output,)), folder).value == 1


def test_the_metric_reads_outputs_only_and_whole(folder: Path) -> None:
    metric = context_adherence(folder)
    assert (metric.kind, metric.windowed, metric.sides) == ("number", False, {"output"})
    assert metric.labels == {"unsupported"}
    assert metric.warm_up
    metric.warm_up()
