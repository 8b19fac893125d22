"""What a policy built on another may change, and that no way of writing it hollows out a floor."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.guard import Guard
from guard.policies import LoadedPolicy
from guard.stages import Override

STOP = "{type: override, choices: [no]}"
HIDE = "{type: redact}"


def rulesets(*written: str, key: str = "input", fields: str = "") -> str:
    """A stage; each ruleset is "name metric action mode"."""
    lines = [f"  {key}:", *([f"    {fields}"] if fields else []), *(["    rulesets:"] if written else [])]
    for text in written:
        name, metric, action, *mode = text.split()
        operator = "operator: gte, target_value: 0" if metric == "toxicity" else "operator: not_empty"
        lines.append(f"      - name: {name}\n        rules: [{{metric: {metric}, {operator}}}]")
        lines.append(f"        action: { {'stop': STOP, 'hide': HIDE, 'pass': '{type: passthrough}'}[action] }")
        lines += [f"        mode: {one}" for one in mode]
    return "\n".join(lines) + "\n"


def names(policy: LoadedPolicy) -> list[str]:
    return [ruleset.name for ruleset in policy.stage("input").rulesets]


@pytest.fixture
def base(write) -> Callable[..., None]:
    def base(*written: str, floors: Sequence[str] = (), head: str = "", fields: str = "") -> None:
        text = f"policy: base\nfloors: [{', '.join(floors)}]\n{head}stages:\n{rulesets(*written, fields=fields)}"
        write(text, "base.yaml")

    return base


def child(*written: str, head: str = "", **stage: str) -> str:
    return f"policy: p\nextends: base\n{head}" + (f"stages:\n{rulesets(*written, **stage)}" if written or stage else "")


class TestBuilding:
    """What is added, replaced and taken away."""

    def test_everything_of_the_base_is_there_and_the_childs_comes_first(self, base, load) -> None:
        base("a pii stop", "b rivals stop")
        assert names(load(child("c toxicity stop"))) == ["c", "a", "b"]

    def test_a_ruleset_of_the_same_name_replaces_the_bases(self, base, load) -> None:
        base("a pii stop", "b rivals stop")
        policy = load(child("b pii hide"))
        assert names(policy) == ["b", "a"]
        assert policy.stage("input").rulesets[0].rules[0].metric == "pii"

    def test_a_ruleset_is_taken_away_by_its_name(self, base, load) -> None:
        base("a pii stop", "b rivals stop")
        assert names(load(child(head="without: [a]\n"))) == ["b"]

    def test_only_the_settings_that_are_written_replace_the_bases(self, base, load) -> None:
        base("a pii stop", fields="timeout: 5s")
        stage = load(child(fields="refusal: not now")).stage("input")
        assert (stage.timeout, stage.refusal) == (5.0, "not now")

    def test_a_stage_of_the_childs_own_is_added(self, base, load) -> None:
        base("a pii stop")
        policy = load(child("b pii stop", key="output"))
        assert (names(policy), policy.has("output")) == (["a"], True)

    def test_the_bases_scope_is_not_inherited(self, base, load) -> None:
        base("a pii stop", head="applies_to: {apps: [x]}\n")
        assert load(child()).policy.applies_to.apps == ("*",)

    def test_a_chain_is_followed_and_every_floor_on_it_holds(self, base, load, write) -> None:
        base("a pii stop", floors=["a"])
        write("policy: mid\nextends: base\nfloors: [m]\nstages:\n" + rulesets("m rivals stop"), "mid.yaml")
        policy = load("policy: p\nextends: mid\nstages:\n" + rulesets("c toxicity stop"))
        assert names(policy) == ["a", "m", "c"]
        assert policy.policy.floors == ("a", "m")

    @pytest.mark.parametrize("text", ["policy: p\nextends: p\n", "policy: p\nextends: two\n"])
    def test_a_circle_is_refused(self, problems, write, text) -> None:
        write("policy: two\nextends: p.yaml\n", "two.yaml")
        (problem,) = problems(text)
        assert "comes back to a policy on the way; break the circle" in problem

    def test_a_chain_that_is_too_long_is_refused(self, problems, write) -> None:
        write("policy: p0\n", "p0.yaml")
        for number in range(1, 10):
            write(f"policy: p{number}\nextends: p{number - 1}\n", f"p{number}.yaml")
        assert problems("policy: p\nextends: p7\n") == []
        (problem,) = problems("policy: p\nextends: p9\n")
        assert "more than 8 policies in a row" in problem

    def test_what_is_wrong_with_the_base_is_said_of_the_base(self, base, problems) -> None:
        base("a pyi stop")
        assert problems(child()) == ["base.yaml:7: no metric 'pyi'; did you mean 'pii'?"]

    def test_a_ruleset_that_the_base_does_not_have_cannot_be_taken_away(self, base, problems) -> None:
        base("secrets pii stop")
        assert problems(child(head="without: [secret]\n")) == [
            "p.yaml:3: no ruleset 'secret' in base; did you mean 'secrets'?"
        ]


class TestFloors:
    """Every way of hollowing out a floor that was thought of is closed."""

    def test_a_floor_cannot_be_taken_away(self, base, problems) -> None:
        base("f pii stop", floors=["f"])
        assert problems(child(head="without: [f]\n")) == ["p.yaml:3: 'f' is a floor of base and cannot be taken away"]

    def test_a_floor_cannot_be_replaced(self, base, problems) -> None:
        base("f pii stop", floors=["f"])
        assert problems(child("f pii stop observe")) == [
            "p.yaml:6: 'f' is a floor of base; give yours another name; both then apply"
        ]

    @pytest.mark.parametrize(
        ("field", "doing"),
        [
            ("paused: true", "pausing it"),
            ("on_failure: allow", "letting failed checks pass"),
            ("stream: window", "releasing a streamed answer before all of it is read"),
            ("stream: observe", "releasing a streamed answer unread"),
            ("check: alongside", "asking the provider before the check is over"),
            ("lookback: 7", "reading messages together with fewer of the earlier ones"),
        ],
    )
    def test_a_floors_stage_cannot_be_weakened(self, base, problems, field, doing) -> None:
        base("f pii stop", floors=["f"], fields="stream: whole")
        assert problems(child(fields=field)) == [
            f"p.yaml:5: {doing} would hollow out the floor 'f' of base; remove it",
        ]

    def test_a_floors_stage_can_be_made_firmer(self, base, load) -> None:
        base("f pii stop", floors=["f"], fields="stream: observe")
        assert load(child(fields="stream: window")).stage("input").stream == "window"

    def test_a_stage_reads_the_roles_that_its_base_reads_and_its_own(self, base, load) -> None:
        base("f pii stop", floors=["f"], fields="reads: [system]")
        assert load(child(fields="reads: [assistant]")).stage("input").reads == ("system", "assistant")
        assert load(child(fields="reads: []")).stage("input").reads == ("system",)

    def test_a_stage_without_floors_may_be_paused(self, base, load) -> None:
        base("a pii stop")
        assert load(child(fields="paused: true")).stage("input").paused

    def test_a_second_stage_of_the_floors_kind_cannot_take_its_place(self, base, problems) -> None:
        base("f pii stop", floors=["f"])
        assert problems(child("x pii stop observe", key="mine", fields="kind: input")) == [
            "p.yaml:4: base calls its input stage 'input'; call it that here too"
        ]

    def test_a_floors_stage_cannot_become_one_of_another_kind(self, base, problems) -> None:
        base("f pii stop", floors=["f"])
        assert problems(child("x pii stop", fields="kind: output")) == [
            "p.yaml:4: 'input' is a stage of another kind in base; give yours another name"
        ]

    def test_a_floors_metric_cannot_be_declared_anew(self, problems, write) -> None:
        write("policy: base\nmetrics:\n  own: {kind: keywords, words: [x]}\n", "base.yaml")
        assert problems("policy: p\nextends: base\nmetrics:\n  own: {kind: keywords, words: [y]}\n") == [
            "p.yaml:4: base has a metric 'own' already; give yours another name"
        ]

    def test_a_floor_that_is_only_observed_is_refused_where_it_is_declared(self, problems) -> None:
        assert problems("policy: p\nfloors: [f]\nstages:\n" + rulesets("f pii stop observe")) == [
            "p.yaml:2: 'f' is only observed, so as a floor it holds nothing; set mode: enforce"
        ]

    def test_a_floor_where_failed_checks_pass_is_refused_so_that_no_short_timeout_opens_it(self, problems) -> None:
        assert problems("policy: p\nfloors: [f]\nstages:\n" + rulesets("f pii stop", fields="on_failure: allow")) == [
            "p.yaml:2: 'f' stands in stage 'input', which lets failed checks pass; set on_failure: block"
        ]

    def test_an_inherited_ruleset_can_be_made_a_floor(self, base, load) -> None:
        base("a pii stop")
        assert load(child(head="floors: [a]\n")).policy.floors == ("a",)


class TestOrder:
    """In which order the rulesets of base and child decide."""

    def test_nothing_of_the_childs_that_lets_text_go_on_comes_before_a_floor(self, base, load) -> None:
        base("a rivals stop", "f pii hide", "b rivals hide", floors=["f"])
        assert names(load(child("allow toxicity pass", "x rivals stop"))) == ["a", "f", "allow", "x", "b"]

    def test_an_override_at_the_top_of_the_childs_comes_before_a_redaction_which_would_let_its_text_go_on(
        self, base, load
    ) -> None:
        base("a rivals stop", "f pii hide", floors=["f"])
        assert names(load(child("x rivals stop", "watch pii stop observe", "y pii hide"))) == [
            "a", "x", "watch", "f", "y",
        ]  # fmt: skip

    def test_a_base_keeps_its_own_order(self, base, load) -> None:
        base("injection rivals stop", "f pii hide", floors=["f"])
        assert names(load(child())) == ["injection", "f"]

    def test_a_replaced_ruleset_gets_no_place_before_a_floor(self, base, load) -> None:
        base("a rivals stop", "f pii stop", floors=["f"])
        assert names(load(child("a toxicity pass"))) == ["f", "a"]


kinds = st.sampled_from(["stop", "hide", "pass", "stop observe", "hide observe"])
written = st.lists(st.tuples(st.sampled_from(["pii", "rivals", "toxicity"]), kinds), max_size=3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(written, written, st.sampled_from(["stop", "hide"]), st.integers(0, 3))
async def test_whatever_a_child_adds_a_floor_still_stops_or_hides_what_it_is_for(
    base, load, below, above, action, at
) -> None:
    """Where the base alone stops the text or hides the address, no child passes the address on."""
    of_base = [f"b{number} {metric} {kind}" for number, (metric, kind) in enumerate(below)]
    of_base.insert(min(at, len(of_base)), f"f pii {action}")
    of_child = [f"c{number} {metric} {kind}" for number, (metric, kind) in enumerate(above)]
    base(*of_base, floors=["f"])
    alone, built = load("policy: q\nextends: base\n"), load(child(*of_child) if of_child else child())
    text = "mail jo@x.com about Acme"
    before, after = await Guard(alone).acheck(text), await Guard(built).acheck(text)
    if isinstance(before.decision.action, Override):
        assert not after.allowed
    elif "jo@x.com" not in before.text:
        assert "jo@x.com" not in after.text
