"""`guard policy`: what is shown, and with which exit status it ends."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from guard.cli import main

POLICY = """\
policy: shop
description: For the shop.
floors: [data]
metrics:
  rivals: {kind: keywords, words: [Globex]}
stages:
  input:
    rulesets:
      - name: rivals
        rules: [{metric: rivals, operator: not_empty}]
        action: {type: override, choices: [Only our own., We only know us.]}
      - name: data
        rules: [{metric: pii, operator: any, target_value: [email]}]
        action: {type: redact, restore: true}
  output:
    rulesets:
      - name: long
        rules: [{metric: word_count, operator: gt, target_value: 50}]
        action: {type: override, choices: ["[too long]"]}
"""
CASES = """\
cases:
  - {name: a rival, stage: input, text: Is Globex better?, triggers: rivals}
  - {name: an address, stage: input, text: to jo@example.com, becomes: 'to [EMAIL_1]', triggers: data}
  - {name: a global word, stage: input, text: the globe, passes: true}
  - {name: a long answer, stage: output, text: x, scores: {word_count: 51}, triggers: long}
"""


class Ended(NamedTuple):
    status: int
    out: str
    err: str


@pytest.fixture
def guard(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Callable[..., Ended]:
    """Run `guard policy …` in the test's folder, on a terminal of 100 columns."""
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)

    def guard(*words: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["guard", "policy", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return Ended(int(ended.value.code or 0), said.out, said.err)

    return guard


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.cases.yaml").write_text(CASES)
    file = tmp_path / "shop.yaml"
    file.write_text(POLICY)
    return file


class TestTest:
    """`guard policy test`."""

    @pytest.mark.parametrize("path", ["shop.yaml", "shop", "shop.cases.yaml", "."])
    def test_cases_that_come_out_as_expected_end_with_0(self, guard, shop: Path, path: str) -> None:
        ended = guard("test", path)
        assert ended.status == 0
        assert "✓ an address  redacted by 'data'" in ended.out
        assert "4 of 4 cases came out as expected" in ended.out

    def test_a_case_that_comes_out_otherwise_ends_with_1_and_says_where_what_and_why(self, guard, shop: Path) -> None:
        shop.write_text(POLICY.replace("Globex", "Initech"))
        ended = guard("test", "shop.yaml")
        assert ended.status == 1
        assert "✗ a rival" in ended.out
        assert (
            "shop.cases.yaml:2: expected 'rivals' to trigger. Stage input passed: no ruleset triggered.\n" in ended.out
        )
        assert "3 of 4 cases came out as expected" in ended.out

    def test_text_in_brackets_is_shown_as_it_is(self, guard, shop: Path) -> None:
        shop.with_suffix(".cases.yaml").write_text(CASES.replace("[EMAIL_1]", "[red]"))
        assert "expected it to become 'to [red]'; it became 'to [EMAIL_1]'" in guard("test", "shop.yaml").out

    def test_where_there_are_no_cases_at_all_it_ends_with_2(self, guard, shop: Path) -> None:
        shop.with_suffix(".cases.yaml").unlink()
        ended = guard("test", "shop.yaml")
        assert ended.status == 2
        assert ended.err == ("shop.yaml:1: has no test cases; write NAME.cases.yaml beside the policy NAME.yaml\n")

    def test_a_folder_is_tried_where_there_are_cases(self, guard, shop: Path) -> None:
        shop.with_name("other.yaml").write_text(POLICY.replace("shop", "other"))
        ended = guard("test", ".")
        assert (ended.status, "other@" in ended.out) == (0, False)


@pytest.mark.parametrize("verb", ["test", "lint", "explain"])
def test_a_policy_that_cannot_be_used_ends_with_2_and_a_plain_line_for_each_problem(
    guard, shop: Path, verb: str
) -> None:
    shop.write_text(POLICY.replace("metric: pii", "metric: pil").replace("gt,", "gtt,"))
    ended = guard(verb, "shop.yaml")
    assert ended.status == 2
    assert ended.err == "shop.yaml:18: operator cannot be 'gtt'; did you mean 'gt'?\n"
    assert ended.out == ""


def test_a_policy_that_is_not_there_ends_with_2(guard) -> None:
    assert guard("explain", "nowhere.yaml") == (
        2, "", "nowhere.yaml:1: no such file; give a policy file, a folder of them, or builtin/NAME\n",
    )  # fmt: skip


class TestLint:
    """`guard policy lint`."""

    def test_a_policy_in_order_ends_with_0(self, guard, shop: Path) -> None:
        assert guard("lint", "shop.yaml") == (0, "remarks: 0\n", "")

    def test_remarks_end_with_1_each_on_a_line_of_its_own(self, guard, shop: Path) -> None:
        shop.write_text(POLICY.replace("[Only our own., We only know us.]", "['']"))
        shop.with_suffix(".cases.yaml").unlink()
        ended = guard("lint", "shop.yaml")
        assert ended.status == 1
        assert ended.out == (
            "shop.yaml:11: one of its answers is empty, which an app may show as an error; write a sentence\n"
            "shop.yaml:1: has no test cases; write shop.cases.yaml beside it: what must trigger, what must pass\n"
            "remarks: 2\n"
        )

    def test_policies_of_a_folder_are_looked_at_together(self, guard, shop: Path) -> None:
        shop.with_name("other.yaml").write_text(POLICY.replace("shop", "other"))
        shop.with_name("other.cases.yaml").write_text(CASES)
        ended = guard("lint", ".")
        assert ended.status == 1
        assert "shop.yaml:1: applies to every app, model and route, as 'other' does" in ended.out


class TestExplain:
    """`guard policy explain`."""

    def test_it_says_what_the_policy_does(self, guard, shop: Path) -> None:
        out = " ".join(guard("explain", "shop.yaml").out.split())
        for sentence in (
            "For the shop.",
            "It applies to every app, model and route.",
            "Policies built on it cannot take away data.",
            "1. rivals When rivals of the input finds anything, one of 2 fixed answers is given instead.",
            "2. data (cannot be taken away) When pii of the input finds email, what was found is replaced by a "
            "placeholder such as [EMAIL_1], and put back where the answer repeats it.",
            "When word_count of the output is more than 50, the answer is “[too long]”.",
        ):
            assert sentence in out

    def test_no_line_is_longer_than_the_terminal(self, guard, shop: Path) -> None:
        assert max(map(len, guard("explain", "shop.yaml").out.splitlines())) <= 100

    def test_with_a_text_it_says_what_would_become_of_it_and_why(self, guard, shop: Path) -> None:
        ended = guard("explain", "shop.yaml", "--text", "to jo@example.com")
        assert ended.status == 0
        assert "redacted the text by ruleset 'data'" in ended.out
        assert "goes on as: to [EMAIL_1]" in ended.out
        assert "not triggered" in ended.out

    def test_the_text_may_stand_at_another_stage(self, guard, shop: Path) -> None:
        ended = guard("explain", "shop.yaml", "--text", "word " * 51, "--stage", "output")
        assert "answer: [too long]" in ended.out

    def test_a_stage_that_does_not_exist_ends_with_2(self, guard, shop: Path) -> None:
        ended = guard("explain", "shop.yaml", "--text", "x", "--stage", "inptu")
        assert (ended.status, ended.err) == (2, "--stage: no stage 'inptu'; did you mean 'input'?\n")


class TestDiff:
    """`guard policy diff`."""

    @pytest.fixture
    def stricter(self, shop: Path) -> Path:
        file = shop.with_name("stricter.yaml")
        file.write_text(POLICY.replace("target_value: 50", "target_value: 40").replace("Globex", "globe"))
        return file

    def test_it_says_what_changes(self, guard, shop: Path, stricter: Path) -> None:
        ended = guard("diff", "shop.yaml", "stricter.yaml")
        assert ended.status == 0
        assert "~ metric rivals\n  its words changed\n" in ended.out
        assert (
            "~ output / long\n  triggers where word_count of the output is more than 40, so more often; it was:"
            in ended.out
        )

    def test_with_cases_it_says_which_come_out_otherwise(self, guard, shop: Path, stricter: Path) -> None:
        out = guard("diff", "shop.yaml", "stricter.yaml", "--cases").out
        assert "~ case a rival: was answered by 'rivals', now passed" in out
        assert "~ case a global word: was passed, now answered by 'rivals'" in out
        assert "2 of 4 cases come out otherwise" in out

    def test_a_stage_that_only_one_of_them_has_can_be_tried_too(self, guard, shop: Path, stricter: Path) -> None:
        stricter.write_text(POLICY.partition("  output:")[0])
        out = guard("diff", "shop.yaml", "stricter.yaml", "--cases").out
        assert "- output" in out
        assert "~ case a long answer: was answered by 'long', now not checked" in out

    def test_policies_that_say_the_same(self, guard, shop: Path) -> None:
        out = guard("diff", "shop.yaml", "shop.yaml", "--cases").out
        assert "Both say the same." in out
        assert "0 of 8 cases come out otherwise" in out
