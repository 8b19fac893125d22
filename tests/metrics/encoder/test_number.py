"""The heads that give a number, as metrics: the worst of the text counts, and what offends is named."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.errors import MetricError
from guard.metrics import Cost, Failure, Message, Probe, Score, Turn
from guard.metrics.encoder import encoder, tokenised
from guard.metrics.encoder.facts import facts
from guard.metrics.encoder.number import number
from guard.metrics.measure import measure
from tests.metrics.encoder import tiny

FILLER = "The cat sat on the mat. "
NAMES = tuple(tiny.LABELS)


def score(name: str, text: str, folder: Path) -> Score:
    measured = number(name, "", folder).measure(Turn.of(text), "input")
    assert isinstance(measured, Score)
    return measured


def value(name: str, text: str, folder: Path) -> float:
    found = score(name, text, folder).value
    assert isinstance(found, float)
    return found


def marked(text: str, found: Score) -> list[tuple[str, str]]:
    return [(text[span.start : span.end], span.label) for span in found.spans]


@pytest.mark.parametrize(
    ("name", "word"),
    [("prompt_injection", "attack"), ("toxicity", "insult"), ("sexism", "sexist"), ("harmful_request", "harm")],
)
def test_each_head_answers_its_own_question(name: str, word: str, folder: Path) -> None:
    assert score(name, f"The cat and {word} sat.", folder).value == pytest.approx(1 / (1 + np.exp(-5)), abs=1e-3)
    assert score(name, "The cat and dog sat.", folder).value == pytest.approx(1 / (1 + np.exp(5)), abs=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_the_end_of_a_long_text_is_read(name: str, folder: Path) -> None:
    assert value(name, FILLER * 200, folder) < 0.5
    assert value(name, FILLER * 200 + "attack insult sexist harm", folder) > 0.9


def test_the_value_is_that_of_the_worst_window_and_not_of_all_together(folder: Path) -> None:
    once, often = FILLER * 20 + "An insult ran. ", (FILLER * 20 + "An insult ran. ") * 3
    assert score("toxicity", often, folder).value == score("toxicity", once, folder).value


def test_where_the_model_marks_words_the_spans_are_those_words(folder: Path) -> None:
    text = FILLER * 10 + "An ATTACK ran far. " + FILLER * 10
    assert marked(text, score("prompt_injection", text, folder)) == [("ATTACK", "simple_instruction")]


def test_where_it_marks_none_the_spans_are_the_sentences_that_offend_by_themselves(folder: Path) -> None:
    text = FILLER * 10 + "An insult ran far away. " + FILLER * 10
    assert marked(text, score("toxicity", text, folder)) == [("An insult ran far away.", "insult")]


def test_where_no_sentence_offends_by_itself_the_span_is_the_window(tmp_path: Path) -> None:
    halves = {"hurt": {"toxicity": 4.0}, "insult": {"toxicity": 4.0}}
    folder = tiny.write(tmp_path, adds=halves)
    text = "The cat and dog got hurt. An insult ran far away."
    assert marked(text, score("toxicity", text, folder)) == [(text, "toxicity")]


def test_a_label_that_no_sentence_has_by_itself_is_still_given_and_found(tmp_path: Path) -> None:
    half = {"toxicity/threat": 3.0}
    folder = tiny.write(tmp_path, adds={"hurt": {"toxicity": 10.0, **half}, "insult": half})
    text = "The cat and dog got hurt. An insult ran far away. The cat sat on the mat."
    found = score("toxicity", text, folder)
    assert found.labels == ("threat",)
    assert marked(text, found) == [("The cat and dog got hurt.", "threat")]


def test_each_label_stands_at_the_sentences_that_have_it(tmp_path: Path) -> None:
    labels = {"insult": "toxicity/insult", "hurt": "toxicity/threat"}
    folder = tiny.write(tmp_path, adds={word: {"toxicity": 10.0, label: 10.0} for word, label in labels.items()})
    text = "The cat and dog got hurt. An insult ran far away. The cat sat on the mat."
    found = score("toxicity", text, folder)
    assert marked(text, found) == [("The cat and dog got hurt.", "threat"), ("An insult ran far away.", "insult")]


def test_a_sentence_that_is_read_in_two_windows_is_one_span(folder: Path) -> None:
    text = "".join(f"The cat {'slept' if at % 2 else 'sat'} in the sun. " for at in range(30))
    for at in range(0, 30 * 25, 50):
        end = text.find(". ", at) + 2
        told = text[:end] + "An insult ran far away. " + text[end:]
        assert marked(told, score("toxicity", told, folder)) == [("An insult ran far away.", "insult")]


def test_what_offends_in_no_way_of_its_own_is_marked_with_the_metrics_name(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, adds={"insult": {"toxicity": 10.0}})
    found = score("toxicity", "An insult.", folder)
    assert (found.labels, [span.label for span in found.spans]) == ((), ["toxicity"])


def test_a_head_without_labels_marks_with_its_name(folder: Path) -> None:
    found = score("sexism", "A sexist cat.", folder)
    assert (found.labels, found.by_label) == (("sexism",), {})
    assert number("sexism", "", folder).labels == {"sexism"}


def test_an_attack_always_gets_its_likeliest_label_and_other_text_none(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, adds={"attack": {"prompt_injection": 10.0, "prompt_injection/few_shot": 1.0}})
    assert score("prompt_injection", "An attack.", folder).labels == ("few_shot",)
    assert score("prompt_injection", "A cat.", folder).labels == ()


def test_no_kind_of_attack_is_likelier_than_an_attack(tmp_path: Path) -> None:
    folder = tiny.write(tmp_path, adds={"insult": {"prompt_injection/few_shot": 10.0}})
    found = score("prompt_injection", "An insult.", folder)
    assert set(found.by_label) == set(tiny.LABELS["prompt_injection"])
    assert isinstance(found.value, float)
    assert max(found.by_label.values()) <= found.value < 0.5


def test_a_label_comes_only_where_the_number_is_high_enough_for_it(tmp_path: Path) -> None:
    adds = {"insult": {"toxicity/insult": 10.0, "toxicity/self_harm": 10.0}}
    folder = tiny.write(tmp_path, adds=adds)
    found = score("toxicity", FILLER + "An insult ran far away.", folder)
    assert isinstance(found.value, float)
    assert found.value < 0.5
    assert found.labels == ("self_harm",)  # whose floor is 0
    assert found.by_label["insult"] > 0.9
    assert marked(FILLER + "An insult ran far away.", found) == [("An insult ran far away.", "self_harm")]


def test_a_label_comes_from_its_threshold_on(tmp_path: Path) -> None:
    heads = tiny.heads()
    heads["toxicity"]["labels"]["insult"] = {"threshold": 0.9}
    sure, unsure = ({"insult": {"toxicity": 10.0, "toxicity/insult": 5.0 + more}} for more in (2.5, 2.0))
    assert score("toxicity", "insult", tiny.write(tmp_path / "a", adds=sure, heads=heads)).labels == ("insult",)
    assert score("toxicity", "insult", tiny.write(tmp_path / "b", adds=unsure, heads=heads)).labels == ()


def test_what_is_encoded_or_hidden_is_read_and_found_in_the_text_as_written(folder: Path) -> None:
    hidden = base64.b64encode(b"the attack ran far away").decode()
    text = f"The cat said {hidden} to the dog."
    found = score("prompt_injection", text, folder)
    assert found.value == pytest.approx(0.993, abs=1e-3)
    assert marked(text, found) == [(hidden, "simple_instruction")]
    assert marked("An at\u200btack!", score("prompt_injection", "An at\u200btack!", folder)) == [
        ("at\u200btack", "simple_instruction")
    ]


def test_spans_name_their_passage(folder: Path) -> None:
    turn = Turn(messages=(Message("user", ("The cat.",)), Message("user", ("An attack.",))))
    measured = number("prompt_injection", "", folder).measure(turn, "input")
    assert isinstance(measured, Score)
    assert [(span.start, span.end, span.passage) for span in measured.spans] == [(3, 9, 1)]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", " ", "\0", "\ud800", "a"])
def test_a_text_that_says_nothing_is_harmless(name: str, text: str, folder: Path) -> None:
    assert value(name, text, folder) < 0.5
    assert score(name, text, folder).spans == ()


@given(st.text(st.sampled_from("attack insult hurt. \n!\ud800\0éA"), max_size=200))
@settings(max_examples=40, deadline=None)
def test_any_text_gets_numbers_between_0_and_1_and_spans_within_it(text: str) -> None:
    for name in NAMES:
        found = score(name, text, _FOLDER)
        assert isinstance(found.value, float)
        assert 0 <= found.value <= 1
        assert all(0 <= span.start < span.end <= len(text) and 0 <= span.score <= 1 for span in found.spans)


@pytest.fixture(autouse=True)
def _remember(folder: Path) -> None:
    """Hypothesis takes no fixture of one test for all of its examples."""
    global _FOLDER
    _FOLDER = folder


_FOLDER = Path()


async def test_all_heads_share_one_pass_however_many_are_asked(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = encoder(folder)
    passes: list[object] = []
    run = type(model.graph).run
    monkeypatch.setattr(type(model.graph), "run", lambda self, *given: passes.append(given) or run(self, *given))
    metrics = {name: number(name, "", folder) for name in NAMES}
    text = "The dog ran far away and then it slept for hours in the warm sun near the river."
    measured = await measure([Probe(name, "input") for name in NAMES], Turn.of(text), metrics)
    assert all(isinstance(one, Score) for one in measured.values())
    assert len(passes) == 1


async def test_a_text_that_is_too_long_is_a_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokenised, "MOST_TOKENS", 100)
    probe = Probe("toxicity", "input")
    measured = await measure([probe], Turn.of("The dog ran. " * 80), {"toxicity": number("toxicity", "", folder)})
    assert isinstance(measured[probe], Failure)
    assert "more than 100 tokens" in measured[probe].error


@pytest.mark.parametrize("name", NAMES)
def test_the_metric_says_what_it_is(name: str, folder: Path) -> None:
    metric = number(name, "what it is", folder)
    assert (metric.kind, metric.windowed, metric.cost) == ("number", True, Cost.MODEL)
    assert metric.labels == set(tiny.LABELS[name] or (name,))
    assert metric.shared == facts(folder).model == score(name, "The cat.", folder).model


def test_other_weights_or_thresholds_are_another_version(folder: Path, tmp_path: Path) -> None:
    heads = tiny.heads()
    heads["toxicity"]["labels"]["insult"] = {"threshold": 0.9}
    stricter = tiny.write(tmp_path / "heads", heads=heads)
    other = tiny.write(tmp_path / "weights", adds={})
    assert len({number("toxicity", "", one).version for one in (folder, stricter, other)}) == 3
    assert number("sexism", "", folder).version == number("sexism", "", stricter).version


def test_a_head_that_the_model_lacks_is_refused(folder: Path) -> None:
    with pytest.raises(MetricError, match="gives no number 'tone'"):
        number("tone", "", folder)


def test_making_a_metric_loads_no_weights_and_warming_it_up_shows_what_is_wrong(tmp_path: Path) -> None:
    (tiny.write(tmp_path) / "model.onnx").write_bytes(b"other")
    metric = number("toxicity", "", tmp_path)
    assert metric.warm_up
    with pytest.raises(MetricError, match=r"model\.onnx is not the file"):
        metric.warm_up()
