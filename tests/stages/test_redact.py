"""Redacting: what is replaced, by what, what can be put back, and that nothing slips through unreplaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.metrics import Measurement, Probe, Score, Span
from guard.metrics.score import found
from guard.stages import Redact, Stage, decide
from guard.stages.edit import apply
from guard.stages.placeholders import Placeholders
from guard.stages.redact import edits, redacted

TEXT = "jo@x.com or 078-05-1120, jo@x.com"
EMAIL, SSN, AGAIN = Span(0, 8, "email"), Span(12, 23, "ssn"), Span(25, 33, "email")


def stage(*rulesets: tuple[list[dict], dict]) -> Stage:
    written = [
        {"name": str(number), "rules": rules, "action": {"type": "redact", **action}}
        for number, (rules, action) in enumerate(rulesets)
    ]
    return Stage.model_validate({"name": "input", "kind": "input", "rulesets": written})


def hide(scores: dict[str, Score], *rulesets: tuple[list[dict], dict], text: str = TEXT) -> str | None:
    placeholders = Placeholders()
    measurements: dict[Probe, Measurement] = {Probe(name, "input"): score for name, score in scores.items()}
    texts = redacted(decide(stage(*rulesets), measurements), (text,), placeholders)
    return None if texts is None else texts[0]


ANY = {"metric": "pii", "operator": "not_empty"}
PII = found([EMAIL, SSN, AGAIN])


def test_the_same_value_gets_the_same_placeholder() -> None:
    assert hide({"pii": PII}, ([ANY], {})) == "[EMAIL_1] or [SSN_1], [EMAIL_1]"


def test_only_the_labels_that_the_rule_asks_for_are_replaced() -> None:
    rule = {"metric": "pii", "operator": "any", "target_value": ["ssn"]}
    assert hide({"pii": PII}, ([rule], {})) == "jo@x.com or [SSN_1], jo@x.com"


def test_the_actions_labels_limit_what_is_replaced() -> None:
    assert hide({"pii": PII}, ([ANY], {"labels": ["ssn"]})) == "jo@x.com or [SSN_1], jo@x.com"


def test_nothing_is_replaced_where_none_of_the_actions_labels_was_found() -> None:
    assert hide({"pii": found([EMAIL])}, ([ANY], {"labels": ["ssn"]})) == TEXT


def test_redactions_of_several_rulesets_add_up() -> None:
    emails = {"metric": "pii", "operator": "any", "target_value": ["email"]}
    numbers = {"metric": "pii", "operator": "any", "target_value": ["ssn"]}
    assert hide({"pii": PII}, ([emails], {}), ([numbers], {"mask": "stars"})) == "[EMAIL_1] or ***********, [EMAIL_1]"


def test_a_hash_is_the_same_for_the_same_value_and_another_for_another() -> None:
    text = hide({"pii": PII}, ([ANY], {"mask": "hash"}))
    assert text is not None
    first, ssn, again = text.replace(",", "").replace(" or", "").split()
    assert first == again != ssn
    assert first.startswith("[EMAIL_")


def test_a_condition_beside_found_labels_needs_no_place_of_its_own() -> None:
    rules = [ANY, {"metric": "word_count", "operator": "gt", "target_value": 2}]
    assert hide({"pii": found([SSN]), "word_count": Score(4.0)}, (rules, {})) == "jo@x.com or [SSN_1], jo@x.com"


def test_what_was_found_without_a_place_is_not_passed_on() -> None:
    assert hide({"pii": Score(("ssn",), labels=("ssn",))}, ([ANY], {})) is None
    assert hide({"pii": Score(("ssn", "email"), ("ssn", "email"), (SSN,))}, ([ANY], {})) is None


def test_a_number_without_spans_cannot_be_redacted() -> None:
    rule = {"metric": "toxicity", "operator": "gte", "target_value": 0.5}
    assert hide({"toxicity": Score(0.9)}, ([rule], {})) is None
    assert hide({"toxicity": Score(0.9)}, ([rule], {"labels": ["insult"]})) is None


def test_a_category_of_a_number_without_a_place_is_not_passed_on() -> None:
    rules = [{"metric": "toxicity", "operator": "contains", "target_value": "insult"}, ANY]
    scores = {"toxicity": Score(0.9, labels=("insult",)), "pii": found([SSN])}
    assert hide(scores, (rules, {})) is None


@pytest.mark.parametrize("span", [Span(0, 99, "x"), Span(-1, 3, "x"), Span(3, 3, "x"), Span(0, 1, "x", passage=7),
                                  Span(0, 1, "x", passage=-1)])  # fmt: skip
def test_a_span_that_is_not_in_the_text_is_not_passed_on(span: Span) -> None:
    assert hide({"pii": found([span])}, ([ANY], {})) is None


def test_of_overlapping_spans_the_longest_names_the_whole_and_nothing_stays_readable() -> None:
    score = found([Span(0, 4, "name"), Span(0, 8, "email"), Span(5, 11, "network_info")])
    assert hide({"pii": score}, ([ANY], {})) == "[EMAIL_1][NETWORK_INFO_1] 078-05-1120, jo@x.com"


def test_what_was_found_on_another_side_is_a_condition_and_marks_nothing_here() -> None:
    other = {"metric": "pii", "of": "retrieval", "operator": "not_empty"}
    decision = decide(
        stage(([ANY, other], {})), {Probe("pii", "input"): found([SSN]), Probe("pii", "retrieval"): found([EMAIL])}
    )
    assert redacted(decision, (TEXT,), Placeholders()) == ("jo@x.com or [SSN_1], jo@x.com",)


def test_what_looks_like_a_placeholder_already_is_never_given_somebodys_value() -> None:
    placeholders = Placeholders()
    text = "[EMAIL_1] jo@x.com"
    score = found([Span(10, 18, "email")])
    decision = decide(stage(([ANY], {"restore": True})), {Probe("pii", "input"): score})
    assert redacted(decision, (text,), placeholders) == ("[EMAIL_1] [EMAIL_2]",)
    assert placeholders.restore("[EMAIL_1] and [EMAIL_2]") == "[EMAIL_1] and jo@x.com"


def test_only_what_is_to_be_restored_is_put_back() -> None:
    placeholders = Placeholders()
    kept = placeholders.of("jo@x.com", "email", Redact(type="redact", restore=True))
    lost = placeholders.of("078-05-1120", "ssn", Redact(type="redact"))
    assert placeholders.restore(f"{kept} {lost}") == f"jo@x.com {lost}"


def test_placeholders_are_numbered_across_the_texts_of_a_turn() -> None:
    placeholders = Placeholders()
    action = Redact(type="redact")
    assert [placeholders.of(value, "e-mail", action) for value in ("a", "b", "a")] == [
        "[E_MAIL_1]", "[E_MAIL_2]", "[E_MAIL_1]",
    ]  # fmt: skip


spans = st.lists(
    st.tuples(st.integers(0, 30), st.integers(1, 10), st.sampled_from(["email", "ssn"])).map(
        lambda triple: Span(triple[0], triple[0] + triple[1], triple[2])
    ),
    min_size=1,
    max_size=8,
)


@given(spans)
def test_every_character_outside_the_spans_stays_and_every_one_inside_goes(marked: list[Span]) -> None:
    text = "".join(chr(0x4E00 + number) for number in range(40))
    decision = decide(stage(([ANY], {})), {Probe("pii", "input"): found(marked)})
    changes = edits(decision, (text,), Placeholders())
    assert changes is not None
    covered = {at for span in marked for at in range(span.start, span.end)}
    after = apply(text, changes[0])
    assert [character for character in after if character in text] == [
        character for at, character in enumerate(text) if at not in covered
    ]


@given(st.lists(st.sampled_from(["a@x.com", "b@x.com", "078-05-1120"]), min_size=1, max_size=8))
def test_restoring_gives_back_what_was_hidden(values: list[str]) -> None:
    text, marked = "", []
    for value in values:
        marked.append(Span(len(text), len(text) + len(value), "email"))
        text += value + " "
    placeholders = Placeholders()
    decision = decide(stage(([ANY], {"restore": True})), {Probe("pii", "input"): found(marked)})
    texts = redacted(decision, (text,), placeholders)
    assert texts is not None
    assert not any(value in texts[0] for value in values)
    assert placeholders.restore(texts[0]) == text
