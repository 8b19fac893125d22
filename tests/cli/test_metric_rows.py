"""`guard metrics score` and `guard metrics eval`: what is read, written and shown, and how they end."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from guard.cli import main, metric_rows
from guard.metrics import Metric
from guard.metrics.registry import REGISTRY

POLICY = """
policy: shop
metrics:
  rivals: {kind: keywords, words: [Globex]}
  order: {kind: regex, patterns: {number: 'ORD-[0-9]+'}}
stages: {}
"""


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def metrics(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., Ended]:
    """Run `guard metrics …` in the test's folder."""

    def measure(turn, side):
        return float(turn.passages(side)[0])

    known = REGISTRY.child({"read": Metric("read", measure, description="The number that a text is.")})
    monkeypatch.setattr(metric_rows, "REGISTRY", known)
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["guard", "metrics", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return run


def write(name: str, *rows: dict[str, Any]) -> None:
    Path(name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_each_row_comes_back_as_it_was_with_its_scores(metrics):
    rows = [{"text": "0.5 ", "id": 7, "more": {"a": [None, "é"]}}, {"text": "1", "scores": {"old": {"value": 1}}}]
    write("rows.jsonl", *rows)
    ended = metrics(
        "score", "--metric", "read", "--metric", "word_count", "--in", "rows.jsonl", "--out", "out.jsonl.gz"
    )
    first, second = map(json.loads, gzip.decompress(Path("out.jsonl.gz").read_bytes()).splitlines())
    assert ended.status == 0
    assert {name: value for name, value in first.items() if name != "scores"} == rows[0]
    assert first["scores"]["read"] == {"value": 0.5, "labels": [], "spans": []}
    assert list(second["scores"]) == ["old", "read", "word_count"]


def test_rows_before_one_that_cannot_be_read_are_written(metrics):
    Path("rows.jsonl").write_text('{"text": "1"}\n{"text": "2"}\nno row\n', encoding="utf-8")
    ended = metrics("score", "--metric", "read", "--in", "rows.jsonl")
    assert [json.loads(line)["text"] for line in ended.out.splitlines()] == ["1", "2"]
    assert ended.status == 2 and "rows.jsonl:3: not JSON" in ended.err


def test_a_pipe_goes_in_and_out(metrics, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "0.5"}\n')))
    ended = metrics("score", "--metric", "read", "--in", "-", "--out", "-")
    assert json.loads(ended.out)["scores"]["read"]["value"] == 0.5
    assert "1 rows" in ended.err


def test_a_failure_is_written_as_one_and_ends_with_1(metrics):
    write("rows.jsonl", {"text": "0.5"}, {"text": "no number"})
    ended = metrics("score", "--metric", "read", "--in", "rows.jsonl", "--out", "out.jsonl")
    lines = [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert ended.status == 1
    assert list(lines[1]["scores"]["read"]) == ["error"]
    assert "read failed on 1 rows; the first: rows.jsonl:2: ValueError" in " ".join(ended.err.split())


def test_a_policy_s_own_metric_can_be_named(metrics):
    Path("shop.yaml").write_text(POLICY, encoding="utf-8")
    write("rows.jsonl", {"text": "Globex is cheaper"})
    ended = metrics("score", "--metric", "rivals", "--policy", "shop.yaml", "--in", "rows.jsonl")
    assert json.loads(ended.out)["scores"]["rivals"]["value"] == ["Globex"]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--metric", "reed", "--in", "rows.jsonl"], "did you mean 'read'?"),
        (["--metric", "read", "--in", "rows.jsonl", "--side", "inputs"], "no side 'inputs'"),
        (["--metric", "read", "--in", "rows.jsonl", "--out", "rows.jsonl"], "is the file that is read"),
        (["--metric", "read", "--in", "bad.jsonl", "--out", "out.jsonl"], "bad.jsonl:2: not JSON"),
        (["--metric", "read", "--in", "none.jsonl"], "none.jsonl cannot be read"),
    ],
)
def test_what_cannot_be_scored_ends_with_2_and_says_what_to_do(metrics, words, why):
    write("rows.jsonl", {"text": "1"})
    Path("bad.jsonl").write_text('{"text": "1"}\nnope\n', encoding="utf-8")
    ended = metrics("score", *words)
    assert (ended.status, why in ended.err) == (2, True)
    assert Path("rows.jsonl").read_text(encoding="utf-8") == '{"text": "1"}\n'


def test_a_metric_that_cannot_be_made_ready_ends_it_before_any_row(metrics):
    def warm_up():
        raise OSError("no weights")

    metric_rows.REGISTRY.add(Metric("cold", lambda turn, side: 1.0, warm_up=warm_up))
    write("rows.jsonl", {"text": "1"})
    ended = metrics("score", "--metric", "cold", "--in", "rows.jsonl", "--out", "out.jsonl")
    assert (ended.status, Path("out.jsonl").exists()) == (2, False)
    assert "metric 'cold' cannot be made ready: OSError: no weights" in ended.err


def test_labelled_rows_are_measured_and_the_figures_shown_and_written(metrics):
    write(
        "rows.jsonl", *({"text": str(n / 10), "label": int(n > 5), "lang": "de" if n % 2 else "en"} for n in range(10))
    )
    ended = metrics("eval", "--metric", "read", "--in", "rows.jsonl", "--group", "lang", "--json", "out.json")
    assert ended.status == 0
    assert "4 labelled yes, 6 labelled no" in ended.out
    assert "AUROC 1.000" in ended.out
    assert "less than 5 rows" in ended.out
    (found,) = json.loads(Path("out.json").read_text(encoding="utf-8"))["results"]
    assert found["figures"]["at"]["false_positives"]["value"] == pytest.approx(1 / 6)
    assert found["figures"]["at_rates"]["0.01"]["threshold"] == 0.6
    assert list(found["figures"]["groups"]) == ["de", "en"]


def test_rows_that_were_scored_are_not_measured_again(metrics):
    entry = {"value": 0.9, "labels": [], "spans": []}
    write(
        "rows.jsonl", {"label": 1, "scores": {"theirs": entry}}, {"label": 0, "scores": {"theirs": {"error": "late"}}}
    )
    ended = metrics("eval", "--in", "rows.jsonl")
    assert ended.status == 1
    assert "theirs  1 rows" in ended.out
    assert "left out: 1 rows that it failed on; the first: late" in ended.out


def test_spans_are_shown_by_label_exactly_and_overlapping(metrics):
    Path("shop.yaml").write_text(POLICY, encoding="utf-8")
    span = {"start": 8, "end": 13, "label": "ORDER"}
    write("rows.jsonl", {"text": "where is ORD-71?", "truth": [span]}, {"text": "nothing", "truth": []})
    words = ("--metric", "order", "--policy", "shop.yaml", "--label", "truth", "--rename", "ORDER=number")
    ended = metrics("eval", "--in", "rows.jsonl", *words)
    lines = [line.split()[:4] for line in ended.out.splitlines()]
    assert [line for line in lines if line[:1] == ["number"]] == [["number", "1", "1", "0"], ["number", "1", "1", "1"]]
    assert ended.out.index("spans, exactly") < ended.out.index("spans, overlapping")


def test_a_rename_that_is_none_is_refused(metrics):
    ended = metrics("eval", "--in", "rows.jsonl", "--rename", "PERSON")
    assert (ended.status, "THEIRS=OURS" in ended.err) == (2, True)
