"""Errors name file, line and the nearest valid word, and nothing but a PolicyError comes out of a file."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from guard.errors import PolicyError
from guard.metrics.registry import Registry
from guard.policies import Policy, load_policies, load_policy
from guard.policies.document import MAX_BYTES
from guard.policies.plain import MAX_DEPTH
from guard.policies.scope import AppliesTo
from guard.stages import Override, Redact, Rule, Ruleset, Stage, Subscription

Problems = Callable[..., list[str]]

RULESET = """\
policy: p
stages:
  input:
    rulesets:
      - name: r
        rules:
          - {rule}
"""
FIRST = "{metric: pii, operator: not_empty}"
ACTION = RULESET.replace("{rule}", FIRST) + "        action: {action}\n"


def refused(group: str) -> list[Any]:
    """What people write wrongly and what they are told, of one group of refused.yaml."""
    table = YAML(typ="safe").load(Path(__file__).with_name("refused.yaml"))
    return [pytest.param(row["written"], row["said"], id=row["said"]) for row in table[group]]


@pytest.mark.parametrize(("rule", "said"), refused("rules"))
def test_a_rule_that_means_nothing_is_refused_with_its_line_and_the_fix(
    problems: Problems, rule: str, said: str
) -> None:
    assert problems(RULESET.replace("{rule}", rule)) == [f"p.yaml:7: {said}"]


@pytest.mark.parametrize(("action", "said"), refused("actions"))
def test_an_action_that_cannot_be_done_is_refused_with_its_line_and_the_fix(
    problems: Problems, action: str, said: str
) -> None:
    assert problems(ACTION.replace("{action}", action)) == [f"p.yaml:8: {said}"]


@pytest.mark.parametrize(("text", "said"), refused("files"))
def test_what_cannot_be_used_is_refused_with_its_line_and_the_fix(problems: Problems, text: str, said: str) -> None:
    assert problems(text) == [f"p.yaml:{said}"]


def test_a_file_that_is_not_utf_8_is_refused_with_the_line(problems: Problems) -> None:
    assert problems(b"policy: x\ndescription: caf\xe9\n") == ["p.yaml:2: is not UTF-8; save it as UTF-8"]


def test_a_byte_order_mark_does_no_harm(problems: Problems) -> None:
    assert problems(b"\xef\xbb\xbfpolicy: x\n") == []


def test_a_file_that_is_too_large_is_refused(problems: Problems) -> None:
    text = "policy: x\ndescription: " + "y" * MAX_BYTES
    assert problems(text) == ["p.yaml:1: is larger than 1,000,000 bytes; put long lists into files of their own"]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 600])
def test_a_file_that_is_nested_too_deeply_is_refused(problems: Problems, depth: int) -> None:
    (problem,) = problems("policy: x\nmetrics: {a: {b: " + "[" * depth + "]" * depth + "}}\n")
    assert "nested" in problem


def test_every_problem_of_a_file_is_named_at_once(problems: Problems) -> None:
    text = RULESET.replace("{rule}", "{metric: a, operator: not_empty}") + "          - {metric: b, operator: empty}\n"
    assert [line.split(";")[0] for line in problems(text)] == ["p.yaml:7: no metric 'a'", "p.yaml:8: no metric 'b'"]


def test_a_list_that_is_empty_is_a_problem_beside_a_list_with_one(problems: Problems) -> None:
    text = RULESET.replace("{rule}", "{metric: pii, operator: anny}") + "      - {name: s, rules: []}\n"
    assert problems(text) == [
        "p.yaml:7: operator cannot be 'anny'; did you mean 'any'?", "p.yaml:8: rules: should hold at least 1",
    ]  # fmt: skip


def test_a_wrong_label_is_found_on_its_own_line(problems: Problems) -> None:
    rule = (
        "metric: pii\n            operator: any\n            target_value:\n              - ssn\n              - emial"
    )
    assert problems(RULESET.replace("{rule}", rule)) == ["p.yaml:11: 'pii' never gives 'emial'; did you mean 'email'?"]


def test_a_redaction_of_a_side_that_no_rule_reads_is_refused(problems: Problems) -> None:
    text = ACTION.replace(FIRST, "{metric: pii, of: retrieval, operator: not_empty}").replace(
        "{action}", "{type: redact}"
    )
    assert problems(text) == [
        "p.yaml:8: nothing of input is measured here, so nothing of it can be redacted; use override"
    ]


def test_a_redaction_by_a_metric_that_is_unknown_is_one_problem(problems: Problems) -> None:
    text = ACTION.replace("metric: pii", "metric: pyi").replace("{action}", "{type: redact, labels: [emial]}")
    assert problems(text) == ["p.yaml:7: no metric 'pyi'; did you mean 'pii'?"]


def test_restoring_on_the_way_out_is_refused_since_it_would_undo_the_redaction(problems: Problems) -> None:
    text = ACTION.replace("input", "output").replace("{action}", "{type: redact, restore: true}")
    assert problems(text) == ["p.yaml:8: restoring in output would undo the redaction; remove it, or redact in input"]


def test_a_metric_that_cannot_be_made_is_a_problem_of_the_rule_that_names_it(write: Callable[..., Path]) -> None:
    def broken() -> Any:
        raise ImportError("No module named 'presidio_analyzer'")

    with pytest.raises(PolicyError, match=r"p\.yaml:7: 'pii' cannot be used here: ImportError: No module named"):
        load_policy(write(RULESET.replace("{rule}", FIRST)), metrics=Registry({"pii": broken}))


def test_a_file_that_is_not_there_is_named() -> None:
    with pytest.raises(PolicyError, match=r"^/nowhere/p\.yaml:1: no such file; give a policy file, a folder"):
        load_policies("/nowhere/p.yaml")


def test_a_policy_may_be_named_without_its_suffix(write: Callable[..., Path]) -> None:
    assert load_policy(write("policy: x\n").with_suffix("")).name == "x"


class TestFolders:
    """A folder holds many policies, each with a name of its own."""

    def test_every_policy_of_a_folder_is_loaded_and_cases_and_hidden_files_are_not(self, write, tmp_path) -> None:
        write("policy: a\n", "one.yaml")
        write("policy: b\n", "two.yml")
        write("cases: []\n", "one.cases.yaml")
        write("policy: c\n", ".three.yaml")
        write("notes", "readme.md")
        assert [policy.name for policy in load_policies(tmp_path).policies] == ["a", "b"]

    def test_two_policies_of_one_name_are_refused(self, write, tmp_path) -> None:
        write("policy: a\n", "one.yaml")
        write("policy: a\n", "two.yaml")
        with pytest.raises(PolicyError) as caught:
            load_policies(tmp_path)
        assert caught.value.problems == (
            f"{tmp_path}/two.yaml:1: {tmp_path}/one.yaml holds a policy 'a' too; give one another name",
        )

    def test_the_problems_of_all_files_come_together_and_each_once(self, write, tmp_path) -> None:
        write("policy: a\nfloors: [x]\n", "base.yaml")
        write("policy: b\nextends: base\n", "built.yaml")
        write("policy: c\nstage: {}\n", "other.yaml")
        with pytest.raises(PolicyError) as caught:
            load_policies(tmp_path)
        assert [line.split("/")[-1].split(";")[0] for line in caught.value.problems] == [
            "base.yaml:2: no ruleset 'x' to make a floor of", "other.yaml:2: no field 'stage'",
        ]  # fmt: skip

    def test_an_empty_folder_is_refused(self, tmp_path) -> None:
        with pytest.raises(PolicyError, match="holds no policy; add one"):
            load_policies(tmp_path)


class TestRevision:
    """The revision is a hash of what a policy says."""

    TEXT = RULESET.replace("{rule}", "{metric: toxicity, operator: gte, target_value: 0.5}")

    def test_the_same_content_has_the_same_revision_whatever_its_layout(self, load) -> None:
        spaced = "# a remark\n" + self.TEXT.replace("policy: p\n", "policy:    p\n\n")
        assert load(self.TEXT).revision == load(spaced).revision

    @pytest.mark.parametrize(
        "change",
        [("0.5", "0.6"), ("gte", "gt"), ("name: r", "name: s"), ("policy: p", "policy: q"),
         ("  input:\n", "  input:\n    timeout: 3s\n"), ("policy: p\n", "policy: p\napplies_to: {apps: [a]}\n")],
    )  # fmt: skip
    def test_whatever_changes_what_it_says_changes_the_revision(self, load, change) -> None:
        assert load(self.TEXT).revision != load(self.TEXT.replace(*change)).revision

    def test_what_it_extends_is_part_of_the_revision(self, load, write) -> None:
        built = "policy: q\nextends: p.yaml\n"
        write(self.TEXT)
        before = load(built, "q.yaml").revision
        write(self.TEXT.replace("0.5", "0.6"))
        assert load(built, "q.yaml").revision != before


scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["pii", "toxicity", "gte", "any", "redact", "override", "builtin/baseline", "p.yaml", "..", "a\0b",
                     "x" * 300, "[", "${x}", "300ms", "regex", "keywords", "/", "."]),
)  # fmt: skip
MODELS = (Policy, Stage, Ruleset, Rule, Override, Redact, Subscription, AppliesTo)
KEYS = sorted(
    {field for model in MODELS for field in model.model_fields} | {"input", "kind", "words", "patterns", "model"}
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)


def whole() -> dict[str, Any]:
    rule = {"metric": "pii", "operator": "any", "target_value": ["ssn"]}
    action = {"type": "override", "choices": ["no"], "subscriptions": [{"url": "https://example.com"}]}
    stage = {"timeout": "300ms", "rulesets": [{"name": "r", "rules": [rule], "action": action, "mode": "enforce"}]}
    return {
        "policy": "p", "extends": "base.yaml", "floors": ["r"], "without": [], "applies_to": {"apps": ["*"]},
        "metrics": {"own": {"kind": "keywords", "words": ["a"]}}, "stages": {"input": stage, "output": {}},
    }  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A whole policy of which one or two parts, anywhere, are something else."""
    data = whole()
    for _ in range(draw(st.integers(1, 2))):
        node: Any = data
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None:
                break
            if not isinstance(node[key], (dict, list)) or not node[key] or draw(st.booleans()):
                node[key] = draw(values)
                break
            node = node[key]
    out = StringIO()
    YAML(typ="safe").dump(data, out)
    return out.getvalue()


def only_policy_errors(folder: Path, content: bytes, metrics: Registry) -> None:
    file = folder / "p.yaml"
    (folder / "base.yaml").write_text("policy: base\nstages:\n  input: {}\n")
    file.write_bytes(content)
    try:
        load_policy(file, metrics=metrics)
    except PolicyError as error:
        assert error.problems
        for problem in error.problems:
            assert "\n" not in problem
            where, _, line = problem.partition(": ")[0].rpartition(":")
            assert where.endswith(".yaml") and int(line) > 0


FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


@FUZZ
@given(st.text() | st.text(alphabet="policystage: \n\t-[]{}&*!|>'\"%@`#?,~.09\\x\r\ufeff\x85", max_size=60))
def test_no_text_makes_the_loader_raise_anything_but_a_policy_error(tmp_path, metrics, text) -> None:
    only_policy_errors(tmp_path, text.encode("utf-8", "surrogatepass"), metrics)


@FUZZ
@given(st.binary(max_size=60))
def test_no_bytes_make_the_loader_raise_anything_but_a_policy_error(tmp_path, metrics, content) -> None:
    only_policy_errors(tmp_path, content, metrics)


@FUZZ
@given(damaged())
def test_no_damage_to_a_policy_makes_the_loader_raise_anything_but_a_policy_error(tmp_path, metrics, text) -> None:
    only_policy_errors(tmp_path, text.encode("utf-8", "surrogatepass"), metrics)
