"""Remarks on what is allowed but hardly meant, each with its line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from guard.metrics import Cost
from guard.metrics.registry import BUILT_IN, REGISTRY, Registry
from guard.policies import reach
from guard.policies.lint import lint, lint_together
from tests.fakes import fixed

STOP = "{type: override, choices: [no]}"
HIDE = "{type: redact}"

Remarks = Callable[..., list[str]]


@pytest.fixture
def remarks(write, metrics: Registry, tmp_path, monkeypatch: pytest.MonkeyPatch) -> Remarks:
    """The remarks on a policy, without the folder; its cases and its other stage are in order unless they are given."""
    monkeypatch.setattr("guard.policies.lint._shares", dict)
    metrics.add(fixed("prompt_injection", 0.1))
    metrics.add(replace(fixed("judged", 0.1), cost=Cost.REMOTE))

    def remarks(text: str, cases: str | None = "") -> list[str]:
        if cases is not None:
            write(cases or "cases: [{name: a, stage: input, text: a, passes: true}]\n", "p.cases.yaml")
        found = lint(write(text), metrics=metrics).remarks
        return [remark.replace(f"{tmp_path}/", "") for remark in found if "no case triggers" not in remark or cases]

    return remarks


def stages(*rulesets: str, fields: str = "stream: window") -> str:
    """An input stage, its fields on line 5 and the first ruleset on line 7; each ruleset is "[rules] action"."""
    other = "  output: {rulesets: [{name: o, rules: [{metric: toxicity, operator: gt, target_value: 0.9}]}]}"
    lines = ["policy: p", "stages:", other, "  input:", f"    {fields}"]
    lines += ["    rulesets:"] if rulesets else []
    for number, text in enumerate(rulesets):
        rules, _, action = text.rpartition("] ")
        lines.append(f"      - {{name: r{number}, rules: {rules}], action: {action}}}")
    return "\n".join(lines) + "\n"


def rule(metric: str, operator: str = "not_empty", target: object = None) -> str:
    return f"{{metric: {metric}, operator: {operator}" + (f", target_value: {target}}}" if target is not None else "}")


PII = rule("pii")


def test_a_policy_that_is_in_order_has_no_remarks(remarks: Remarks) -> None:
    assert remarks(stages(f"[{rule('rivals')}] {STOP}", f"[{PII}] {HIDE}")) == []


@pytest.mark.parametrize("action", [HIDE, "{type: passthrough}"])
def test_an_override_behind_what_lets_its_text_go_on(remarks: Remarks, action: str) -> None:
    does = "redacts" if action == HIDE else "passes on"
    assert remarks(stages(f"[{PII}] {action}", f"[{rule('rivals')}] {STOP}")) == [
        f"p.yaml:8: 'r1' does not act on a text that 'r0' {does}, since that comes first; move it up"
    ]


def test_what_is_only_observed_keeps_nothing_from_acting(remarks: Remarks) -> None:
    text = stages(f"[{PII}] {HIDE}", f"[{rule('rivals')}] {STOP}")
    assert remarks(text.replace("name: r0,", "name: r0, mode: observe,")) == []
    assert remarks(text.replace("name: r1,", "name: r1, mode: observe,")) == []


def test_a_ruleset_behind_one_that_asks_for_less_never_acts(remarks: Remarks) -> None:
    text = stages(f"[{PII}] {STOP}", f"[{rule('rivals')}, {PII}] {STOP}", f"[{PII}] {STOP}")
    never = "never acts: 'r0' comes first and triggers whenever it does; move it up"
    assert remarks(text) == [f"p.yaml:8: 'r1' {never}", f"p.yaml:9: 'r2' {never}"]


@pytest.mark.parametrize(
    ("operator", "target", "holds"),
    [("gte", 1.5, False), ("gt", 1, False), ("gte", 1, True), ("lt", 0, False), ("lte", 0, True), ("lte", -1, False),
     ("eq", 2, False), ("eq", 1, True), ("neq", 2, True)],
)  # fmt: skip
def test_a_target_that_a_probability_never_reaches(remarks: Remarks, operator: str, target: float, holds: bool) -> None:
    found = remarks(stages(f"[{rule('prompt_injection', operator, target)}] {STOP}"))
    said = (
        f"p.yaml:7: 'prompt_injection {operator} {target}' never holds: prompt_injection is between 0 and 1; "
        "write a target_value in between"
    )
    assert found == ([] if holds else [said])


def test_every_number_that_a_model_of_ours_gives_is_known_as_a_probability() -> None:
    models = {name for name in BUILT_IN if REGISTRY[name].kind == "number" and REGISTRY[name].cost == Cost.MODEL}
    assert models == reach.PROBABILITIES


def test_a_threshold_that_many_ordinary_texts_reach(remarks: Remarks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.policies.lint._shares", lambda: {"toxicity": {"0.001": 0.8, "0.01": 0.411}})
    text = stages(f"[{rule('toxicity', 'gte', 0.4)}] {STOP}")
    assert remarks(text) == [
        "p.yaml:7: 'toxicity gte 0.4' holds for more than 1% of ordinary texts, says the model's card; "
        "write 0.42 or more, or mode: observe"
    ]
    assert remarks(text.replace("0.4}", "0.42}")) == []
    assert remarks(text.replace("gte", "lte")) == []
    assert remarks(stages(f"[{rule('toxicity', 'gte', 0.4)}, {rule('word_count', 'gt', 9)}] {STOP}")) == []
    assert remarks(text.replace("name: r0,", "name: r0, mode: observe,")) == []


def test_a_count_has_no_such_bounds(remarks: Remarks) -> None:
    assert remarks(stages(f"[{rule('word_count', 'gt', 1000)}] {STOP}")) == []


@pytest.mark.parametrize(
    ("first", "second", "together"),
    [
        (("toxicity", "gte", 0.9), ("toxicity", "lt", 0.5), False),
        (("toxicity", "lt", 0.5), ("toxicity", "gte", 0.5), False),
        (("toxicity", "gt", 0.5), ("toxicity", "eq", 0.5), False),
        (("toxicity", "gte", 0.5), ("toxicity", "lte", 0.5), True),
        (("toxicity", "gte", 0.5), ("word_count", "lt", 0.1), True),
        (("toxicity", "gte", 0.2), ("toxicity", "lt", 0.5), True),
        (("language", "eq", "en"), ("language", "eq", "fr"), False),
        (("pii", "empty"), ("pii", "any", "[ssn]"), False),
        (("pii", "contains", "ssn"), ("pii", "any", "[email]"), True),
    ],
)
def test_rules_that_exclude_each_other(remarks: Remarks, first, second, together: bool) -> None:
    found = remarks(stages(f"[{rule(*first)}, {rule(*second)}] {STOP}"))
    assert (found == []) == together
    assert together or "never hold together; remove one, or make two rulesets of them" in found[0]


def test_answers_that_say_nothing_or_the_same_twice(remarks: Remarks) -> None:
    assert remarks(stages(f"[{PII}] {{type: override, choices: [No, ' ', No]}}")) == [
        "p.yaml:7: one of its answers is empty, which an app may show as an error; write a sentence",
        "p.yaml:7: two of its answers are the same; remove one",
    ]


def test_an_answer_that_a_comma_cut_in_two(remarks: Remarks) -> None:
    assert remarks(stages(f"[{PII}] {{type: override, choices: [I'm sorry, I can't say. Ask another way.]}}")) == [
        "p.yaml:7: 'I'm sorry' ends without a full stop: in [a, b] each comma begins an answer; put answers into quotes"
    ]
    assert remarks(stages(f"[{PII}] {{type: override, choices: [No, Never]}}")) == []


def test_a_redaction_of_what_may_have_no_place(remarks: Remarks) -> None:
    text = stages(f"[{rule('toxicity', 'gt', 0.5)}] {HIDE}")
    assert remarks(text) == [
        "p.yaml:7: toxicity may name no place in the text, and then the whole text is refused; use override"
    ]
    assert remarks(stages(f"[{rule('toxicity', 'gt', 0.5)}, {PII}] {HIDE}")) == []


def test_a_policy_that_only_observes(remarks: Remarks) -> None:
    text = "policy: p\nstages:\n" + "".join(
        f"  {kind}: {{rulesets: [{{name: {kind}, mode: observe, rules: [{PII}]}}]}}\n" for kind in ("input", "output")
    )
    assert remarks(text) == ["p.yaml:1: only observes: whatever it finds goes on; set mode: enforce where you trust it"]


def test_a_side_that_is_not_checked(remarks: Remarks) -> None:
    text = f"policy: p\nstages:\n  input: {{rulesets: [{{name: r, rules: [{PII}]}}]}}\n"
    assert remarks(text) == ["p.yaml:2: has no output stage, so the output is not checked; add one"]
    assert remarks(stages(fields="rulesets: []")) == [
        "p.yaml:4: the input is not checked by a stage without rulesets; write some, or remove it"
    ]
    assert remarks(stages(f"[{PII}] {HIDE}", fields="paused: true")) == [
        "p.yaml:5: the input is not checked while the stage is paused; resume it"
    ]


def test_a_stage_that_fails_open(remarks: Remarks) -> None:
    assert remarks(stages(f"[{PII}] {HIDE}", fields="on_failure: allow")) == [
        "p.yaml:5: what cannot be checked goes on unchecked; set on_failure: block"
    ]


def test_a_stage_that_reads_streams_only_once_they_are_out(remarks: Remarks) -> None:
    assert remarks(stages(f"[{PII}] {STOP}", fields="stream: observe")) == [
        "p.yaml:5: what a streamed answer says has gone out when it is read; set stream: window"
    ]


def test_a_redaction_that_is_to_be_checked_alongside(remarks: Remarks) -> None:
    assert remarks(stages(f"[{PII}] {STOP}", fields="check: alongside")) == []
    assert remarks(stages(f"[{PII}] {HIDE}", fields="check: alongside")) == [
        "p.yaml:5: has no effect beside a redaction, which has to come first; set check: before"
    ]


def test_a_question_over_the_network_with_too_little_time(remarks: Remarks) -> None:
    text = stages(f"[{rule('judged', 'gt', 0.5)}] {STOP}", fields="timeout: 300ms")
    assert remarks(text) == ["p.yaml:5: judged asks over the network, and 0.3 s are rarely enough; set timeout: 5s"]
    assert remarks(text.replace("300ms", "5s")) == []


def test_a_metric_that_no_rule_asks_for(remarks: Remarks) -> None:
    text = stages(f"[{PII}] {HIDE}") + "metrics:\n  spare: {kind: keywords, words: [x]}\n"
    assert remarks(text) == ["p.yaml:9: no rule asks for the metric 'spare'; remove it, or write a rule"]


class TestCases:
    """A policy wants cases: what must trigger, and what must pass."""

    TEXT = stages(f"[{PII}] {HIDE}", f"[{rule('rivals')}] {HIDE}")

    def test_a_policy_without_cases(self, remarks: Remarks) -> None:
        assert remarks(self.TEXT, None) == [
            "p.yaml:1: has no test cases; write p.cases.yaml beside it: what must trigger, what must pass"
        ]

    def test_a_ruleset_that_no_case_triggers_and_a_policy_without_near_misses(self, remarks: Remarks) -> None:
        cases = "cases: [{name: a, stage: input, text: a@b.c, triggers: r0}]\n"
        assert remarks(self.TEXT, cases) == [
            "p.yaml:1: no case triggers o or r1; add one to p.cases.yaml for each",
            "p.yaml:1: no case passes; add near misses to p.cases.yaml: what must not trigger",
        ]


def test_what_is_inherited_is_remarked_on_where_it_is_written(remarks: Remarks, write) -> None:
    write(stages(f"[{PII}] {{type: override, choices: ['']}}"), "base.yaml")
    assert remarks("policy: q\nextends: base\n") == []


def test_two_policies_of_the_same_scope(load) -> None:
    text = "policy: %s\napplies_to: {apps: [%s]}\n"
    three = [load(text % pair, f"{pair[0]}.yaml") for pair in (("a", "x"), ("c", "y"), ("b", "x"))]
    (remark,) = lint_together(three)
    assert remark.endswith(
        "b.yaml:1: applies to apps x, as 'a' does; 'a' wins by its name and 'b' never applies: "
        "narrow the applies_to of one"
    )
