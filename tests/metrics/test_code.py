from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from pydantic import ValidationError

from guard.errors import MetricError
from guard.metrics import Cost, Failure, Measurement, Message, Metric, Probe, Score, Side, Span, Turn
from guard.metrics.function import of_function
from guard.metrics.measure import measure
from guard.metrics.own import metric as own
from guard.metrics.registry import REGISTRY, Registry, make


def code(folder: Path, source: str, function: str = "check", **settings: Any) -> Metric:
    (folder / "checks.py").write_text(dedent(source), encoding="utf-8")
    return make("mine", {"kind": "code", "function": f"checks.py:{function}", **settings}, folder)


async def measured(metric: Metric, turn: Turn, side: Side = "output") -> Measurement:
    probe = Probe(metric.name, side)
    return (await measure([probe], turn, {metric.name: metric}))[probe]


async def value(metric: Metric, *texts: str) -> object:
    score = await measured(metric, Turn(output=texts))
    assert isinstance(score, Score), score
    return score.value


async def error(metric: Metric, *texts: str) -> str:
    failure = await measured(metric, Turn(output=texts))
    assert isinstance(failure, Failure), failure
    return failure.error


async def test_a_function_of_a_text_reads_each_passage_and_the_highest_number_counts(tmp_path: Path) -> None:
    metric = code(tmp_path, "def check(text): return len(text)")
    assert (metric.name, metric.kind, metric.cost) == ("mine", "number", Cost.LOCAL)
    assert await value(metric, "one", "three") == 5.0
    assert await value(metric) == 0.0


async def test_labels_of_several_passages_add_up(tmp_path: Path) -> None:
    metric = code(tmp_path, "def check(text): return text.split()", gives="labels", labels=["a", "b", "c"])
    assert metric.labels == {"a", "b", "c"}
    assert await value(metric, "a b", "b c") == ("a", "b", "c")


async def test_one_label_is_given_for_all_passages_together(tmp_path: Path) -> None:
    metric = code(tmp_path, "def check(text): return 'long' if len(text) > 6 else 'short'", gives="label")
    assert await value(metric, "one", "two") == "long"


async def test_a_function_of_a_text_reads_it_normalised_and_decoded_where_asked_for(tmp_path: Path) -> None:
    source = "def check(text): return 'secret word' in text"
    encoded = base64.b64encode(b"the secret word is x").decode()
    assert await value(code(tmp_path, source), "s\u200becr\u0435t word") == 1.0
    assert await value(code(tmp_path, source), encoded) == 0.0
    assert await value(code(tmp_path, source, decoded=True), encoded) == 1.0


async def test_spans_of_a_function_of_a_text_are_mapped_back(tmp_path: Path) -> None:
    source = """
        from guard.metrics import Span, Score
        def check(text):
            at = text.find("secret")
            return Score(("s",), ("s",), (Span(at, at + 6, "s"),)) if at >= 0 else []
    """
    score = await measured(code(tmp_path, source, gives="labels"), Turn(output=("none", "s\u200becret")))
    assert isinstance(score, Score)
    assert score.spans == (Span(0, 7, "s", passage=1),)


async def test_a_function_of_a_turn_gets_the_turn_and_the_side(tmp_path: Path) -> None:
    metric = code(tmp_path, "def check(turn, side): return [side, turn.labels['app']]", gives="labels")
    turn = Turn(output=("x",), labels={"app": "support"})
    score = await measured(metric, turn)
    assert isinstance(score, Score)
    assert score.value == ("output", "support")


@pytest.mark.parametrize(
    "signature",
    ["*, index, node_input, node_output, **kwargs", "*, node_input, node_output", "*, node_input, **rest"],
)
async def test_galileos_form_gets_input_and_output_as_texts(tmp_path: Path, signature: str) -> None:
    output = "node_output" if "node_output" in signature else "rest['node_output']"
    metric = code(tmp_path, f"def check({signature}): return node_input + '|' + {output}", gives="label")
    turn = Turn(messages=(Message("user", ("hi", "you")), Message("assistant", ("no",))), output=("hello",))
    score = await measured(metric, turn)
    assert isinstance(score, Score)
    assert score.value == "hi\nyou|hello"


async def test_async_functions_are_awaited(tmp_path: Path) -> None:
    metric = code(tmp_path, "import asyncio\nasync def check(text):\n  await asyncio.sleep(0)\n  return len(text)")
    assert metric.cost == Cost.REMOTE
    assert await value(metric, "one", "three") == 5.0
    quick = code(tmp_path, "async def check(turn, side): return 2", cost="free")
    assert await value(quick, "x") == 2.0


async def test_a_bool_is_one_or_zero(tmp_path: Path) -> None:
    assert await value(code(tmp_path, "def check(text): return text == 'x'"), "x") == 1.0


@pytest.mark.parametrize(
    ("source", "gives", "why"),
    [
        ("def check(text): return 'high'", "number", "gave 'high', and its kind is number"),
        ("def check(text): return 1", "labels", "gave 1.0, and its kind is labels"),
        ("def check(text): return ['a']", "label", "its kind is label"),
        ("def check(text): return None", "number", "not NoneType"),
        ("def check(text): return float('nan')", "number", "no number"),
        ("def check(text): raise KeyError('gone')", "number", "KeyError: 'gone'"),
        ("def check(turn, side): return {}", "number", "not dict"),
        ("async def check(text): return 'high'", "number", "its kind is number"),
    ],
)
async def test_what_is_no_score_is_a_failure(tmp_path: Path, source: str, gives: str, why: str) -> None:
    assert why in await error(code(tmp_path, source, gives=gives), "x")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def chekc(text): return 1", r"no function 'check' in checks.py; did you mean 'chekc'\?"),
        ("check = 3", "no function 'check' in checks.py; it defines none"),
        ("def check(): return 1", r"the function takes \(\); write f\(text\)"),
        ("def check(a, b, c): return 1", r"takes \(a, b, c\); write f\(text\), f\(turn, side\) or scorer_fn"),
        ("def check(*, text): return 1", r"takes \(text\); write"),
        ("def check(text)", "does not load: SyntaxError"),
        ("import no_such_module", "does not load: ModuleNotFoundError"),
        ("raise SystemExit(1)", "does not load: SystemExit"),
    ],
)
def test_a_function_that_cannot_be_used_is_refused_with_the_fix(tmp_path: Path, source: str, why: str) -> None:
    with pytest.raises(MetricError, match=f"metric 'mine': .*{why}"):
        code(tmp_path, source)


def test_a_missing_file_or_module_is_refused_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(MetricError, match=r"none.py cannot be read: .*; give a path relative to the policy"):
        make("mine", {"kind": "code", "function": "none.py:check"}, tmp_path)
    with pytest.raises(
        MetricError, match=r"no module 'no.such': .*; install its package, or give the path of a .py file"
    ):
        make("mine", {"kind": "code", "function": "no.such:check"}, tmp_path)


@pytest.mark.parametrize("function", ["checks.py", "checks.py:", ":check", "checks.py:not a name"])
def test_a_function_is_named_by_file_or_module_and_name(tmp_path: Path, function: str) -> None:
    with pytest.raises(ValidationError, match="function"):
        make("mine", {"kind": "code", "function": function}, tmp_path)


async def test_a_function_of_a_package_is_found() -> None:
    metric = make("size", {"kind": "code", "function": "tests_of_code_metric:Sizes.of", "cost": "free"}, Path())
    assert await value(metric, "four") == 4.0


@pytest.fixture(autouse=True)
def _package(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.mktemp("package")
    (folder / "tests_of_code_metric.py").write_text("class Sizes:\n  @staticmethod\n  def of(text): return len(text)")
    monkeypatch.syspath_prepend(str(folder))


async def test_a_changed_file_is_loaded_anew_under_another_version(tmp_path: Path) -> None:
    before = code(tmp_path, "def check(text): return 1")
    after = code(tmp_path, "def check(text): return 2")
    assert (await value(before, "x"), await value(after, "x")) == (1.0, 2.0)
    assert before.version != after.version
    assert after.version == code(tmp_path, "def check(text): return 2").version
    assert after.version != code(tmp_path, "def check(text): return 2", decoded=True).version


def test_dataclasses_in_a_file_work(tmp_path: Path) -> None:
    code(
        tmp_path,
        """
        from __future__ import annotations
        from dataclasses import dataclass
        @dataclass(slots=True)
        class Found:
            count: int
        def check(text): return Found(1).count
        """,
    )


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Registry:
    """What the decorator adds to, so that nothing stays behind in the registry of the process."""
    fresh = REGISTRY.child({})
    monkeypatch.setattr("guard.metrics.own.REGISTRY", fresh)
    return fresh


async def test_the_decorator_registers_and_gives_the_function_back(registry: Registry) -> None:
    @own(name="loud", sides=["input"], cost=Cost.FREE)
    def shouting(text: str) -> bool:
        """Whether somebody shouts."""
        return text.isupper()

    assert shouting("HI")
    metric = registry["loud"]
    assert (metric.kind, metric.sides, metric.cost) == ("number", {"input"}, Cost.FREE)
    assert metric.description == "Whether somebody shouts."
    score = await measured(metric, Turn.of("HELP"), "input")
    assert isinstance(score, Score)
    assert score.value == 1.0


async def test_the_bare_decorator_takes_the_functions_name(registry: Registry) -> None:
    @own
    async def passages(turn: Turn, side: Side) -> int:
        await asyncio.sleep(0)
        return len(turn.passages(side))

    assert await value(registry["passages"], "a", "b") == 2.0


def test_the_same_function_may_be_registered_twice_but_no_other_under_its_name(registry: Registry) -> None:
    def one(text: str) -> int:
        return 1

    own(one)
    own(one)
    assert registry["one"].kind == "number"
    with pytest.raises(MetricError, match="there is a metric 'one' already"):
        own(name="one", kind="labels")(one)
    with pytest.raises(MetricError, match="there is a metric 'word_count' already"):
        own(name="word_count")(one)


def test_what_is_no_function_is_refused() -> None:
    with pytest.raises(MetricError, match="is no function; write"):
        of_function(3, "three")  # type: ignore[arg-type]


def test_a_file_that_another_thread_is_loading_is_waited_for(tmp_path: Path) -> None:
    source = "import time\ntime.sleep(0.2)\ndef check(text): return len(text)\n"
    (tmp_path / "checks.py").write_text(source, encoding="utf-8")
    told = {"kind": "code", "function": "checks.py:check"}
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: make("mine", told, tmp_path), range(4)))
    assert len({metric.version for metric in made}) == 1
