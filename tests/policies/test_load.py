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
from guard.policies import load_policies, load_policy
from guard.policies.document import MAX_BYTES
from guard.policies.plain import MAX_DEPTH

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


def of_rule(problems: Problems, rule: str) -> list[str]:
    return problems(RULESET.replace("{rule}", rule))


def of_action(problems: Problems, action: str) -> list[str]:
    return problems(ACTION.replace("{action}", action))


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{metric: toxcity, operator: gt, target_value: 1}", "no metric 'toxcity'; did you mean 'toxicity'?"),
        ("{metric: pii, operator: anny, target_value: [ssn]}", "'anny' is no operator; did you mean 'any'?"),
        ("{metric: pii, operater: any}", "no field 'operater'; did you mean 'operator'?"),
        ("{operator: not_empty}", "'metric' is missing"),
        (
            "{metric: toxicity, operator: any, target_value: [a]}",
            "any cannot be asked of 'toxicity', which is a number; use gt, lt, gte, lte, eq or neq",
        ),
        (
            "{metric: language, operator: gt, target_value: 1}",
            "gt cannot be asked of 'language', which is one label; use eq, neq or any",
        ),
        (
            "{metric: pii, operator: gte, target_value: 1}",
            "gte cannot be asked of 'pii', which is a list of labels; use all, any, contains, empty or not_empty",
        ),
        ("{metric: pii, operator: contains, target_value: emial}", "'pii' never gives 'emial'; did you mean 'email'?"),
        ("{metric: language, operator: eq, target_value: EN}", "'language' never gives 'EN'; known: en, fr"),
        ("{metric: pii, operator: any, target_value: ssn}", "any needs a list of words with at least one as target_value, not 'ssn'"),
        ("{metric: pii, operator: all, target_value: []}", "all needs a list of words with at least one as target_value, not []"),
        ("{metric: pii, operator: not_empty, target_value: x}", "not_empty compares with nothing; remove target_value"),
        ("{metric: toxicity, operator: gte}", "gte needs a number as target_value"),
        ("{metric: toxicity, operator: gte, target_value: high}", "gte needs a number as target_value, not 'high'"),
        ("{metric: toxicity, operator: gte, target_value: .nan}", "target_value: should be a number, text or a list"),
        ("{metric: injection, of: output, operator: gt, target_value: 1}", "'injection' does not measure output; it measures input"),
        ("{metric: pii, of: inptu, operator: not_empty}", "'inptu' is no of; did you mean 'input'?"),
    ],
)  # fmt: skip
def test_a_rule_that_means_nothing_is_refused_with_its_line_and_the_fix(
    problems: Problems, rule: str, said: str
) -> None:
    assert of_rule(problems, rule) == [f"p.yaml:7: {said}"]


@pytest.mark.parametrize(
    ("action", "said"),
    [
        ("{type: overide, choices: [x]}", "'overide' is no type of action; did you mean 'override'?"),
        ("{choices: [x]}", "'action' says no type; write {type: override, choices: [...]}, {type: redact} or {type: passthrough}"),
        ("{type: override}", "'choices' is missing"),
        ("{type: override, choices: []}", "choices: should hold at least 1"),
        ("{type: override, choices: no}", "choices: should be a list, as [one, two]"),
        ("{type: override, choises: [x]}", "no field 'choises'; did you mean 'choices'?"),
        ("override", "action: should be 'name: value' lines"),
        ("{type: redact, mask: star}", "'star' is no mask; did you mean 'stars'?"),
        ("{type: redact, labels: [ssn, emial]}", "nothing here gives 'emial'; did you mean 'email'?"),
        ("{type: redact, mask: hash, restore: true}", "what is masked with hash cannot be restored; use mask: label"),
        ("{type: passthrough, subscriptions: [{url: here}]}", "url: should be a URL, as https://example.com/hook"),
        ("{type: passthrough, subscriptions: [{url: 'ftp://a.b'}]}", "url: should begin with http:// or https://"),
        ("{type: passthrough, subscriptions: [{url: 'http://a.b', statuses: [blocked]}]}",
         "'blocked' is no statuses, number 1; known: error, failed, not_triggered, paused, skipped, timeout, triggered"),
    ],
)  # fmt: skip
def test_an_action_that_cannot_be_done_is_refused_with_its_line_and_the_fix(
    problems: Problems, action: str, said: str
) -> None:
    assert of_action(problems, action) == [f"p.yaml:8: {said}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("polcy: x\n", "1: no field 'polcy'; did you mean 'policy'?"),
        ("policy: my policy\n",
         "1: policy: may hold letters, digits, '.', '_' and '-' only, and begins with a letter or digit"),
        ("policy: 2026\n", "1: policy: should be text; put it into quotes"),
        ("policy: 2026-01-01\n", "1: 2026-01-01 is read as a date; put it into quotes"),
        ("policy: x\nstages: []\n", "2: stages: should be 'name: value' lines"),
        ("policy: x\nstages:\n  inptu: {}\n",
         "3: no stage 'inptu'; did you mean 'input'? (a name of your own needs a kind: input)"),
        ("policy: x\nstages:\n  input:\n", "3: input: should be 'name: value' lines"),
        ("policy: x\nstages:\n  a: {kind: input}\n  b: {kind: input}\n",
         "1: two stages are of kind 'input'; put their rulesets into one"),
        ("policy: x\nstages:\n  input:\n    timeout: soon\n", "4: timeout: 'soon' is no duration; write 300ms, 2s or 1m"),
        ("policy: x\nstages:\n  input:\n    timeout: -3\n", "4: timeout: should be more than 0"),
        ("policy: x\nstages:\n  input:\n    on_failure: pass\n", "4: 'pass' is no on_failure; known: allow, block"),
        ("policy: x\nstages:\n  input:\n    paused: maybe\n", "4: paused: should be true or false"),
        ("policy: x\napplies_to: {app: [a]}\n", "2: no field 'app'; did you mean 'apps'?"),
        ("policy: x\napplies_to: {apps: a}\n", "2: apps: should be a list, as [one, two]"),
        ("policy: x\nfloors: [a]\n", "2: no ruleset 'a' to make a floor of; there are no rulesets yet"),
        ("policy: x\nextends: nowhere\n", "2: 'nowhere': no such file; give a policy file, a folder of them, or builtin/NAME"),
        ("policy: x\nextends: builtin/basline\n",
         "2: 'builtin/basline': no such built-in policy; did you mean 'builtin/baseline'?"),
        ("policy: x\nmetrics:\n  rivals2: {kind: keyword}\n", "3: no kind of metric 'keyword'; did you mean 'keywords'?"),
        ("policy: x\nmetrics:\n  pii: {kind: keywords}\n", "3: there is a built-in metric 'pii'; give yours another name"),
        ("policy: x\nmetrics:\n  own: 3\n", "3: own: should be 'name: value' lines"),
        # not YAML, or not the YAML that a policy needs
        ("policy: x\npolicy: y\n", "2: is not YAML: 'policy' stands here a second time; join the two"),
        ("policy: x\nstages:\n\tinput: {}\n", "3: is not YAML: a tab stands here; indent with spaces"),
        ("policy: x: y\n", "1: is not YAML: a ':' stands where none can; put the text into quotes, or indent it"),
        ("policy: x\nfloors: [a\nextends: b\n", "3: is not YAML: a list or mapping is not closed; add ']'"),
        ("policy: x\nstages: {input: {\n", "3: is not YAML: ends in the middle of a list or mapping; close it"),
        ("policy: 'x\n", "2: is not YAML: a quote is not closed; add it"),
        ("policy: x\nfloors: [*all]\n",
         "2: is not YAML: '*all' reads as an alias; put text that begins with * into quotes"),
        ("policy: @x\n", "1: is not YAML: begins with a character that has a meaning of its own; put it into quotes"),
        ("policy: x\nstages:\n  input: {}\n output: {}\n",
         "4: is not YAML: is not indented as the lines around it; align it"),
        ("policy: x\n---\npolicy: y\n", "2: is not YAML: holds a second document (---); write one policy a file"),
        ("", "1: holds no 'name: value' lines; write some, such as 'policy: NAME'"),
        ("- policy: x\n", "1: holds no 'name: value' lines; write some, such as 'policy: NAME'"),
        ("policy: x\nfloors: &a [b]\nwithout: *a\n", "3: aliases (*name) are not taken; write it out, or use extends"),
        ("policy: !!python/name:os.system x\n", "1: tags (!name) are not taken; remove it, or put the value into quotes"),
        ("<<: {policy: x}\n", "1: 'policy' cannot be a key; write each key once, as a word, without << and ?"),
        ("policy: \"\\ud800\"\n", "1: holds half a character (a lone surrogate); write the character itself"),
    ],
)  # fmt: skip
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


def test_a_wrong_label_is_found_on_its_own_line(problems: Problems) -> None:
    rule = (
        "metric: pii\n            operator: any\n            target_value:\n              - ssn\n              - emial"
    )
    assert of_rule(problems, rule) == ["p.yaml:11: 'pii' never gives 'emial'; did you mean 'email'?"]


def test_a_redaction_of_a_side_that_no_rule_reads_is_refused(problems: Problems) -> None:
    text = ACTION.replace(FIRST, "{metric: pii, of: retrieval, operator: not_empty}").replace(
        "{action}", "{type: redact}"
    )
    assert problems(text) == [
        "p.yaml:8: nothing of input is measured here, so nothing of it can be redacted; use override"
    ]


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
        "change", [("0.5", "0.6"), ("gte", "gt"), ("name: r", "name: s"), ("policy: p", "policy: q"),
                   ("  input:\n", "  input:\n    timeout: 3s\n"), ("policy: p\n", "policy: p\napplies_to: {apps: [a]}\n")]
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
KEYS = ["policy", "stages", "input", "output", "rulesets", "rules", "metric", "operator", "target_value", "action", "type",
        "choices", "labels", "name", "extends", "floors", "without", "metrics", "kind", "words", "patterns", "model",
        "applies_to", "apps", "timeout", "prompt", "file", "code", "schema", "subscriptions", "url"]  # fmt: skip
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
