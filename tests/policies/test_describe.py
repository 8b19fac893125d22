"""The sentences that say what a policy does, and what one changes against another."""

from __future__ import annotations

import pytest

from guard.metrics.registry import Registry
from guard.policies import describe
from guard.policies.diff import diff
from guard.policies.scope import AppliesTo
from guard.stages import Redact, Rule, Ruleset, Stage

STAGE = Stage(name="input", kind="input")


def rule(metric: str, operator: str, target: object = None, of: str | None = None, **only: str) -> Rule:
    written = {"metric": metric, "operator": operator, "target_value": target, "of": of, "only": only or None}
    return Rule.model_validate(written)


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (rule("toxicity", "gte", 0.9), "toxicity of the input is at least 0.9"),
        (rule("toxicity", "gt", 0.9), "toxicity of the input is more than 0.9"),
        (rule("toxicity", "lt", 0.9), "toxicity of the input is less than 0.9"),
        (rule("toxicity", "lte", 0.9), "toxicity of the input is at most 0.9"),
        (rule("language", "eq", "en", "output"), "language of the output is en"),
        (rule("language", "neq", "en"), "language of the input is not en"),
        (rule("language", "any", ["en", "fr"]), "language of the input is en or fr"),
        (rule("pii", "any", ["ssn", "email", "name"]), "pii of the input finds ssn, email or name"),
        (rule("pii", "all", ["ssn", "email"], "retrieval"), "pii of the retrieved text finds ssn and email"),
        (rule("pii", "contains", "ssn"), "pii of the input finds ssn"),
        (rule("pii", "empty"), "pii of the input finds nothing"),
        (rule("pii", "not_empty"), "pii of the input finds anything"),
        (
            rule("pii", "not_empty", of="tool_call", tool="search", path="$.query"),
            "pii of the tool call (tool search, path $.query) finds anything",
        ),
    ],
)
def test_a_rule_is_said_in_words(written: Rule, sentence: str, metrics: Registry) -> None:
    assert describe.rule(written, STAGE, metrics) == sentence


@pytest.mark.parametrize(
    ("action", "follows"),
    [
        ({"type": "override", "choices": ["No."]}, "the answer is “No.”"),
        ({"type": "override", "choices": ["No.", "Never."]}, "one of 2 fixed answers is given instead"),
        ({"type": "passthrough"}, "the text goes on as it is, and the app is told"),
        ({"type": "redact"}, "what was found is replaced by a placeholder such as [EMAIL_1]"),
        ({"type": "redact", "labels": ["ssn"], "mask": "stars"}, "ssn in it is replaced by as many stars"),
        (
            {"type": "redact", "restore": True},
            "what was found is replaced by a placeholder such as [EMAIL_1], and put back where the answer repeats it",
        ),
        (
            {
                "type": "passthrough",
                "subscriptions": [{"url": "https://a.example/", "statuses": ["failed", "timeout"]}],
            },
            "the text goes on as it is, and the app is told; tells https://a.example/ when failed or timeout",
        ),
    ],
)
def test_a_ruleset_is_said_in_one_sentence(action: dict, follows: str, metrics: Registry) -> None:
    rules = (rule("pii", "any", ["email"]), rule("toxicity", "gt", 0))
    when = "pii of the input finds email and toxicity of the input is more than 0"
    enforced = Ruleset.model_validate({"name": "r", "rules": rules, "action": action})
    assert describe.ruleset(enforced, STAGE, metrics) == f"When {when}, {follows}."
    observed = enforced.model_copy(update={"mode": "observe"})
    assert describe.ruleset(observed, STAGE, metrics) == (
        f"When {when}, it is recorded and nothing else happens (if enforced: {follows})."
    )


def test_a_stage_says_what_a_failed_check_means() -> None:
    rules = Ruleset(name="r", rules=(rule("pii", "not_empty"),))
    one = STAGE.model_copy(update={"rulesets": (rules,), "timeout": 0.3})
    assert describe.stage(one) == (
        "The input is checked: the first ruleset that triggers acts; what cannot be checked within 300 ms is refused."
    )
    other = one.model_copy(update={"on_failure": "allow", "stream": "whole", "timeout": 2.0})
    assert describe.stage(other).endswith(
        "what cannot be checked within 2 s goes on unchecked; a streamed answer is held back until its end."
    )
    observed = one.model_copy(update={"stream": "observe", "check": "alongside"})
    assert describe.stage(observed).endswith(
        "is refused; a streamed answer goes out unread, and what is then found in it is only recorded; "
        "the provider is asked meanwhile, and nothing of its answer is released before."
    )
    hiding = observed.model_copy(update={"rulesets": (rules.model_copy(update={"action": Redact(type="redact")}),)})
    assert describe.stage(hiding).endswith(
        "the provider is asked after it all the same, since something may be redacted first."
    )
    assert describe.stage(one.model_copy(update={"paused": True})) == "The input is not checked: the stage is paused."
    assert describe.stage(STAGE) == "The input is not checked: the stage has no rulesets."


def test_a_policy_says_what_it_is_for(load, write) -> None:
    write("policy: base\nstages: {input: {rulesets: [{name: r, rules: [{metric: pii, operator: empty}]}]}}\n", "b.yaml")
    text = (
        "policy: p\ndescription: |\n  For the\n  shop.\nextends: b\nwithout: [r]\nfloors: [s]\n"
        "applies_to: {apps: [shop-*, till], models: [gpt]}\nmetrics: {rival_names: {kind: keywords, words: [Globex]}}\n"
        "stages: {input: {rulesets: [{name: s, rules: [{metric: rival_names, operator: not_empty}]}]}}\n"
    )
    assert list(describe.policy(load(text))) == [
        "For the shop.",
        "It applies to apps shop-* or till with models gpt.",
        "It builds on b, without r.",
        "Policies built on it cannot take away s.",
        "It has metrics of its own: rival_names (keywords).",
    ]
    assert describe.scope(AppliesTo()) == "every app, model and route"


BEFORE = """\
policy: p
applies_to: {apps: [shop]}
floors: [rude]
metrics:
  names: {kind: keywords, words: [Globex]}
  old: {kind: keywords, words: [x]}
stages:
  input:
    rulesets:
      - name: rude
        rules: [{metric: toxicity, operator: gte, target_value: 0.9}]
        action: {type: override, choices: ["no"]}
      - name: data
        rules: [{metric: pii, operator: any, target_value: [ssn]}, {metric: word_count, operator: gt, target_value: 2}]
        action: {type: redact}
      - name: gone
        rules: [{metric: names, operator: not_empty}]
  tool_result:
    rulesets:
      - name: tool
        rules: [{metric: pii, operator: not_empty}]
"""
AFTER = """\
policy: q
metrics:
  names: {kind: keywords, words: [Initech]}
  new: {kind: regex, patterns: {a: b}}
stages:
  input:
    timeout: 500ms
    on_failure: allow
    rulesets:
      - name: data
        mode: observe
        rules: [{metric: pii, operator: any, target_value: [ssn, email]}, {metric: names, operator: empty}]
        action: {type: redact, mask: stars}
      - name: rude
        rules: [{metric: toxicity, operator: gte, target_value: 0.8}]
        action: {type: override, choices: ["please not"], subscriptions: [{url: "https://a.example"}]}
  output:
    rulesets:
      - name: come
        rules: [{metric: toxicity, operator: gte, target_value: 0.5}]
"""


def test_a_diff_says_every_difference_in_a_sentence(load) -> None:
    changes = [f"{change.kind} {change.where}: {change.text}" for change in diff(load(BEFORE), load(AFTER, "q.yaml"))]
    assert changes == [
        "changed policy: it is called q, not p",
        "changed policy: it applies to every app, model and route, not apps shop",
        "removed policy: rude can now be taken away by policies built on it",
        "changed metric names: its words changed",
        "removed metric old: a metric of kind keywords",
        "added metric new: a metric of kind regex",
        "changed input: what is measured has 500 ms; it was: 2 s",
        "changed input: what cannot be checked goes on unchecked; it was: is refused",
        "removed input / gone: When names of the input finds anything, the text goes on as it is, and the app is told.",
        "changed input / data: triggers where pii of the input finds ssn or email, so more often; "
        "it was: pii of the input finds ssn",
        "changed input / data: triggers only where names of the input finds nothing too, so less often",
        "changed input / data: triggers whether or not word_count of the input is more than 2, so more often",
        "changed input / data: is now only observed, not enforced",
        "changed input / data: what was found is replaced by as many stars; "
        "it was: what was found is replaced by a placeholder",
        "changed input / rude: triggers where toxicity of the input is at least 0.8, so more often; "
        "it was: toxicity of the input is at least 0.9",
        "changed input / rude: its answers are now “please not”; they were “no”",
        "changed input / rude: tells https://a.example/ when triggered; it told nobody",
        "changed input: the order is now data, rude; it was rude, data",
        "removed tool_result: The tool result is checked: the first ruleset that triggers acts; "
        "what cannot be checked within 2 s is refused.",
        "removed tool_result / tool: When pii of the tool result finds anything, the text goes on as it is, "
        "and the app is told.",
        "added output: The output is checked: the first ruleset that triggers acts; "
        "what cannot be checked within 2 s is refused.",
        "added output / come: When toxicity of the output is at least 0.5, the text goes on as it is, "
        "and the app is told.",
    ]


def test_policies_that_say_the_same_do_not_differ(load) -> None:
    assert diff(load(BEFORE), load("# a remark\n" + BEFORE, "same.yaml")) == []


def test_what_a_metric_refers_to_is_a_difference_though_the_policy_reads_the_same(load, write) -> None:
    text = "policy: p\nmetrics: {names: {kind: keywords, file: names.txt}}\n"
    write("Globex", "names.txt")
    before = load(text)
    write("Initech", "names.txt")
    (change,) = diff(before, load(text))
    assert (change.where, change.text) == (
        "metric names", "what it refers to changed (a word list, a prompt or a model)",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "leans"),
    [
        ("gte, target_value: 0.5", "gte, target_value: 0.4", "more"),
        ("lte, target_value: 0.5", "lte, target_value: 0.4", "less"),
        ("gt, target_value: 0.5", "gt, target_value: 0.6", "less"),
        ("lt, target_value: 0.5", "lt, target_value: 0.6", "more"),
        ("gte, target_value: 0.5", "lte, target_value: 0.5", ""),
        ("eq, target_value: 0.5", "eq, target_value: 0.6", ""),
    ],
)
def test_a_moved_threshold_says_which_way_it_leans(load, before: str, after: str, leans: str) -> None:
    text = "policy: p\nstages: {input: {rulesets: [{name: r, rules: [{metric: toxicity, operator: %s}]}]}}\n"
    (change,) = diff(load(text % before), load(text % after, "q.yaml"))
    assert (f", so {leans} often" in change.text) if leans else ("often" not in change.text)


@pytest.mark.parametrize(
    ("before", "after", "leans"),
    [
        ("any, target_value: [ssn, email]", "any, target_value: [ssn]", "less"),
        ("all, target_value: [ssn, email]", "all, target_value: [ssn]", "more"),
        ("all, target_value: [ssn]", "all, target_value: [ssn, email]", "less"),
        ("any, target_value: [ssn]", "any, target_value: [email]", ""),
    ],
)
def test_a_changed_list_of_labels_says_which_way_it_leans(load, before: str, after: str, leans: str) -> None:
    text = "policy: p\nstages: {input: {rulesets: [{name: r, rules: [{metric: pii, operator: %s}]}]}}\n"
    (change,) = diff(load(text % before), load(text % after, "q.yaml"))
    assert (f", so {leans} often" in change.text) if leans else ("often" not in change.text)
