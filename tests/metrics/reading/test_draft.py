from __future__ import annotations

from guard.metrics.reading.draft import Draft, Edit


def where(draft: Draft, wanted: str) -> tuple[int, int]:
    start = draft.text.index(wanted)
    assert draft.origin is not None
    return draft.origin(start, start + len(wanted))


def test_a_draft_without_edits_is_the_same_draft() -> None:
    draft = Draft("abc")
    assert draft.edited([]) is draft


def test_unedited_text_maps_to_exactly_its_characters() -> None:
    draft = Draft("one two three").edited([Edit(4, 7, "2")])
    assert draft.text == "one 2 three"
    assert where(draft, "one") == (0, 3)
    assert where(draft, "ree") == (10, 13)


def test_a_part_of_an_edit_maps_to_the_whole_of_what_it_replaced() -> None:
    draft = Draft("say XYZ now").edited([Edit(4, 7, "a secret")])
    assert where(draft, "cre") == (4, 7)
    assert where(draft, "y a") == (2, 7)


def test_a_part_of_an_aligned_edit_maps_to_its_own_characters() -> None:
    draft = Draft("say 53cr37").edited(Edit(4 + at, 5 + at, char, aligned=True) for at, char in enumerate("secret"))
    assert where(draft, "cre") == (6, 9)


def test_what_was_dropped_belongs_to_no_neighbour() -> None:
    draft = Draft("a--b").edited([Edit(1, 2, ""), Edit(2, 3, "")])
    assert where(draft, "a") == (0, 1)
    assert where(draft, "b") == (3, 4)
    assert where(draft, "ab") == (0, 4)


def test_spans_map_through_several_rounds_of_edits() -> None:
    draft = (
        Draft("x <secret> y").edited([Edit(2, 10, "65 66")]).edited([Edit(2, 4, "A"), Edit(4, 5, ""), Edit(5, 7, "B")])
    )
    assert draft.text == "x AB y"
    assert where(draft, "A") == (2, 10)
    assert where(draft, "y") == (11, 12)


def test_an_empty_span_stays_empty() -> None:
    draft = Draft("ab").edited([Edit(1, 2, "xyz")])
    assert draft.origin is not None
    assert draft.origin(0, 0) == (0, 0)
    assert draft.origin(2, 2) == (1, 1)
