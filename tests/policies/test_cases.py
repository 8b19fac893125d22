"""Policy test cases: what can be written, what is refused, and what each expectation demands."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from guard.errors import PolicyError
from guard.guard import Guard
from guard.policies import LoadedPolicy
from guard.policies.cases import CaseFile, read_cases
from guard.policies.trial import attempt

POLICY = """\
policy: p
applies_to: {apps: [support-*]}
stages:
  input:
    timeout: 10ms
    rulesets:
      - name: rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: ["no rivals", "let us not"]}
      - name: hide
        rules: [{metric: pii, operator: any, target_value: [email]}]
        action: {type: redact}
      - name: rude
        mode: observe
        rules: [{metric: toxicity, operator: gte, target_value: 0.8}]
        action: {type: override, choices: ["mind your words"]}
      - name: french
        rules: [{metric: language, operator: eq, target_value: fr}]
        action: {type: override, choices: ["en anglais"]}
  answers:
    kind: output
    on_failure: allow
    rulesets:
      - name: rude
        rules: [{metric: toxicity, operator: gte, target_value: 0.8}]
        action: {type: override, choices: ["sorry"]}
"""


@pytest.fixture
def policy(load) -> LoadedPolicy:
    return load(POLICY)


@pytest.fixture
def complaints(write, policy: LoadedPolicy, tmp_path) -> Callable[[str], list[str]]:
    def complaints(text: str) -> list[str]:
        try:
            read_cases(write(text, "p.cases.yaml"), policy)
        except PolicyError as error:
            return [problem.replace(f"{tmp_path}/", "") for problem in error.problems]
        return []

    return complaints


@pytest.fixture
def wrong(policy: LoadedPolicy) -> Callable[..., object]:
    """What a case's expectations have to complain about, without the sentence of explanation."""

    async def wrong(stage: str = "input", **written: object) -> list[str]:
        (case,) = CaseFile.model_validate({"cases": [{"name": "c", "stage": stage, **written}]}).cases
        trial = await attempt(case, policy, Guard)
        assert trial.passed == (not trial.problems)
        return [problem.partition(". Stage")[0] for problem in trial.problems]

    return wrong


class TestWriting:
    """What a cases file may hold."""

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("- {name: c, stage: input, text: x}",
             "2: cases, number 1: expects nothing; write triggers, passes, status, becomes or answers_one_of"),
            ("- {name: c, stage: input, passes: true}",
             "2: cases, number 1: write a text, or messages, output, documents or tool_calls"),
            ("- {name: c, stage: input, text: x, output: y, passes: true}",
             "2: cases, number 1: write either text, or messages, output, documents and tool_calls"),
            ("- {name: c, stage: inptu, text: x, passes: true}", "2: p has no stage 'inptu'; did you mean 'input'?"),
            ("- {name: c, stage: input, text: x, triggers: rivls}",
             "2: stage input has no ruleset 'rivls'; did you mean 'rivals'?"),
            ("- {name: c, stage: input, text: x, trigger: rivals}", "2: no field 'trigger'; did you mean 'triggers'?"),
            ("- {name: c, stage: input, text: x, passes: false}",
             "2: passes: can only be true; where something should happen, write triggers"),
            ("- {name: c, stage: input, text: x, status: blocked}",
             "2: status cannot be 'blocked'; known: error, failed, not_triggered, paused, skipped, timeout, triggered"),
            ("- {name: c, stage: input, text: x, passes: true}\n  - {name: c, stage: input, text: y, passes: true}",
             "3: two cases are called 'c'; give one another name"),
            ("- name: c\n    stage: input\n    passes: true\n    scores: {toxcity: 1}",
             "5: no rule of p asks for a metric 'toxcity'; did you mean 'toxicity'?"),
            ("- {name: c, stage: input, passes: true, scores: {toxicity: high}}",
             "2: 'toxicity' gives a number; write such a one, or {failed: why} or {late: why}"),
            ("- {name: c, stage: input, passes: true, scores: {pii: email}}",
             "2: 'pii' gives a list of labels; write such a one, or {failed: why} or {late: why}"),
            ("- {name: c, stage: input, passes: true, scores: {toxicity: {failed: x, late: y}}}",
             "2: toxicity: should be a number, a label, a list of labels, {failed: why} or {late: why}"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_tried_is_refused_with_its_line_and_the_fix(self, complaints, text: str, said: str) -> None:
        assert complaints(f"cases:\n  {text}\n") == [f"p.cases.yaml:{said}"]

    def test_a_file_without_cases_is_told_what_to_write(self, complaints) -> None:
        assert complaints("case: []\n") == ["p.cases.yaml:1: no field 'case'; did you mean 'cases'?"]

    def test_each_case_knows_its_line(self, write, policy) -> None:
        first, second = (
            "{name: a, stage: input, text: x, passes: true}",
            "{name: b, stage: answers, text: y, passes: true}",
        )
        file = write(f"cases:\n  - {first}\n\n  - {second}\n", "p.cases.yaml")
        assert read_cases(file, policy).lines == (f"{file}:2", f"{file}:4")


class TestTriggers:
    """`triggers` names the ruleset that acts, or is observed."""

    async def test_the_ruleset_that_decides_triggers(self, wrong) -> None:
        assert await wrong(text="Acme", triggers="rivals") == []

    async def test_one_that_does_not_trigger_fails_the_case_and_the_explanation_follows(self, policy) -> None:
        (case,) = CaseFile.model_validate(
            {"cases": [{"name": "c", "stage": "input", "text": "x", "triggers": "rivals"}]}
        ).cases
        assert (await attempt(case, policy, Guard)).problems == (
            "expected 'rivals' to trigger. Stage input passed: no ruleset triggered.",
        )

    async def test_one_that_another_pre_empts_fails_the_case(self, wrong) -> None:
        assert await wrong(text="Acme", triggers="french", scores={"language": "fr"}) == [
            "expected 'french' to trigger and decide; 'rivals' did"
        ]

    async def test_every_redaction_triggers(self, wrong) -> None:
        assert await wrong(text="jo@x.com", triggers=["hide"]) == []

    async def test_an_observed_one_triggers_though_it_does_not_act(self, wrong) -> None:
        assert await wrong(text="x", triggers="rude", passes=True, scores={"toxicity": 0.9}) == []

    async def test_one_that_could_not_be_checked_has_not_triggered(self, wrong) -> None:
        (problem,) = await wrong(text="x", triggers="french", scores={"language": {"failed": "no model"}})
        assert problem == "expected 'french' to trigger"


class TestPasses:
    """`passes` is the near miss: unchanged, and nothing triggers that is not named."""

    async def test_a_text_that_nothing_minds_passes(self, wrong) -> None:
        assert await wrong(text="hello", passes=True) == []

    async def test_a_text_that_is_answered_or_changed_does_not(self, wrong) -> None:
        for text in ("Acme", "jo@x.com"):
            assert await wrong(text=text, passes=True) == ["expected it to pass unchanged"]

    async def test_a_text_that_an_observed_ruleset_minds_does_not(self, wrong) -> None:
        assert await wrong(text="x", passes=True, scores={"toxicity": 0.9}) == [
            "expected nothing to trigger; 'rude' did"
        ]

    async def test_a_text_that_goes_on_only_since_a_check_failed_does_not(self, wrong) -> None:
        assert await wrong("answers", output="x", passes=True, scores={"toxicity": {"late": "slow"}}) == [
            "expected it to pass unchanged"
        ]


class TestOtherExpectations:
    """`status`, `becomes`, `answers_one_of`, and the scope."""

    async def test_the_status_is_compared(self, wrong) -> None:
        late = {"toxicity": {"late": "slow"}}
        assert await wrong("answers", text="x", status="timeout", scores=late) == []
        assert await wrong("answers", text="x", status="failed", scores=late) == ["expected status failed, got timeout"]

    async def test_what_a_redaction_makes_of_it_is_compared(self, wrong) -> None:
        assert await wrong(text="to jo@x.com", becomes="to [EMAIL_1]") == []
        assert await wrong(text="to jo@x.com", becomes="to [EMAIL]") == [
            "expected it to become 'to [EMAIL]'; it became 'to [EMAIL_1]'"
        ]

    async def test_every_answer_that_may_be_given_must_be_among_those_named(self, wrong) -> None:
        both = ["no rivals", "let us not"]
        assert await wrong(text="Acme", answers_one_of=both) == []
        assert await wrong(text="Acme", answers_one_of=both[:1]) == ["expected another answer than 'let us not'"]
        assert await wrong(text="x", answers_one_of=both) == ["expected an answer"]

    async def test_a_label_that_is_given_has_no_place_so_it_is_refused_rather_than_redacted(
        self, wrong, policy
    ) -> None:
        refusal = policy.stage("input").refusal
        assert await wrong(text="x", triggers="hide", answers_one_of=[refusal], scores={"pii": ["email"]}) == []

    async def test_a_policy_that_does_not_apply_to_the_cases_app_fails_the_case(self, wrong) -> None:
        assert await wrong(text="x", passes=True, app="support-bot") == []
        assert await wrong(text="x", passes=True, app="sales", model="gpt") == [
            "the policy does not apply to app 'sales', model 'gpt'; see its applies_to"
        ]

    async def test_a_whole_turn_can_be_written(self, wrong) -> None:
        messages = [{"role": "system", "content": "Acme"}, {"role": "user", "content": [{"type": "text", "text": "x"}]}]
        assert await wrong(messages=messages, passes=True) == []
        assert await wrong(messages=[*messages, {"role": "user", "content": "Acme"}], triggers="rivals") == []

    async def test_a_case_has_all_the_time_it_needs_whatever_the_stages_timeout(self, load, metrics) -> None:
        from tests.fakes import slow

        metrics.add(slow("slow", 0.1))
        text = POLICY.replace("metric: toxicity, operator: gte", "metric: slow, operator: gte")
        (case,) = CaseFile.model_validate(
            {"cases": [{"name": "c", "stage": "input", "text": "x", "passes": True}]}
        ).cases
        assert (await attempt(case, load(text), Guard)).problems == ()
