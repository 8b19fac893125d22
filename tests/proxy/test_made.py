"""What a model makes that is no text, in every protocol, whole and streamed: counted, held, and refused by a policy."""

import json
from dataclasses import replace

import pytest

from guard.guard import Guard
from guard.metrics.unread import unread
from tests.fakes import SORRY, Recorded, ScriptedUpstream, fixed, override, policy_of, rule, spotting, streamed
from tests.fakes import redact as redacting
from tests.proxy.test_unread import chat, messages, responses

HELLO = {"type": "text", "text": "draw me a cat"}
PICTURE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
DRAWN = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "AAAA"}
CITED = {"type": "container_file_citation", "container_id": "c", "file_id": "f", "filename": "plot.csv"}
MADE = {"type": "bash_code_execution_output", "file_id": "file_1"}
RAN = {
    "type": "bash_code_execution_tool_result",
    "tool_use_id": "t",
    "content": {"type": "bash_code_execution_result", "stdout": "done", "content": [MADE]},
}
UNREAD = unread()
NO_MEDIA = override(rule("unread", "any", ["image", "audio", "file"]), name="no media")
BAD = spotting("bad", "bomb")


class Makes:
    """Gives this whole answer, or these events."""

    def __init__(self, whole, *events):
        self.whole, self.events, self.closed = whole, events, False

    async def complete(self, path, body, headers):
        return self.whole

    async def stream(self, path, body, headers):
        self.closed = True
        for event in self.events:
            yield event
        self.closed = False

    async def aclose(self):
        pass


def chunk(**delta):
    return {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}


def completion(**message):
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "c", "object": "chat.completion", "model": "m", "choices": [choice]}


def spoken():
    """A chat that answers by a sound, which comes in pieces, with its transcript."""
    pieces = [
        chunk(audio={"id": "a", "transcript": "mi"}),
        chunk(audio={"data": "AAAA"}),
        chunk(audio={"data": "BBBB"}),
    ]
    return Makes(completion(content=None, audio={"id": "a", "data": "AAAABBBB", "transcript": "mi"}), *pieces)


def drawn():
    """A chat that answers by a picture beside a text."""
    pieces = [chunk(content="Here is your cat."), chunk(images=[{**PICTURE, "index": 0}])]
    return Makes(completion(content="Here is your cat.", images=[PICTURE]), *pieces)


def _response(*output):
    return {"id": "r", "object": "response", "status": "completed", "model": "m", "output": list(output)}


def _event(number, kind, **fields):
    return {"type": f"response.{kind}", "sequence_number": number, **fields}


def generated():
    """A response whose item is a picture, of which a first sketch comes before the whole."""
    begun = {**DRAWN, "status": "in_progress", "result": None}
    sketch = {"partial_image_b64": "AA", "partial_image_index": 0, "item_id": "ig_1", "output_index": 0}
    return Makes(
        _response(DRAWN),
        _event(0, "created", response={**_response(), "status": "in_progress"}),
        _event(1, "output_item.added", output_index=0, item=begun),
        _event(2, "image_generation_call.partial_image", **sketch),
        _event(3, "output_item.done", output_index=0, item=DRAWN),
        _event(4, "completed", response=_response(DRAWN)),
    )


def cited():
    """A response that links to a file which the provider's tool wrote."""
    said = {"type": "output_text", "text": "See the table.", "annotations": [CITED], "logprobs": []}
    item = {"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}
    where = {"item_id": "m", "output_index": 0, "content_index": 0}
    return Makes(
        _response(item),
        _event(0, "created", response={**_response(), "status": "in_progress"}),
        _event(1, "output_item.added", output_index=0, item={**item, "content": []}),
        _event(2, "content_part.added", **where, part={**said, "text": "", "annotations": []}),
        _event(3, "output_text.delta", **where, delta="See the table."),
        _event(4, "output_text.annotation.added", **where, annotation_index=0, annotation=CITED),
        _event(5, "output_text.done", **where, text="See the table."),
        _event(6, "content_part.done", **where, part=said),
        _event(7, "output_item.done", output_index=0, item=item),
        _event(8, "completed", response=_response(item)),
    )


def ran():
    """A message with the result of a sandbox, which names a file that was made there."""
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}
    return Makes(
        {**message, "content": [RAN], "stop_reason": "end_turn"},
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": RAN},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    )


EVERY = pytest.mark.parametrize(
    ("asked", "makes", "kind"),
    [(chat, spoken, "audio"), (chat, drawn, "image"), (responses, generated, "image"), (responses, cited, "file"),
     (messages, ran, "file")],
)  # fmt: skip
EACH_WAY = pytest.mark.parametrize("stream", [False, True])


@pytest.fixture
def asking(client):
    """Ask under a policy; the answer and the events that were recorded."""

    def ask(upstream, policy, asked=chat, **more):
        caller, recorded = client(upstream), Recorded()
        caller.app.state.proxy = replace(caller.app.state.proxy, guard=Guard(policy, recorder=recorded))
        route, body = asked(HELLO, **more)
        return caller.post(route, json=body), recorded.events

    return ask


def coverage(response):
    """What the answer says of its checks, at its end where it is a stream."""
    if "event-stream" not in response.headers["content-type"]:
        return response.headers["x-guard-coverage"]
    comments = [line for line in response.text.splitlines() if line.startswith(": x-guard")]
    return comments[-1].split("x-guard-coverage=")[1].split(" x-guard-read=")[0]


@EACH_WAY
@EVERY
def test_it_is_counted_once_by_kind_in_the_answer_and_in_the_event(asking, asked, makes, kind, stream):
    response, events = asking(makes(), policy_of(BAD, UNREAD, output=[override("bad")]), asked, stream=stream)
    assert response.status_code == 200
    assert coverage(response).endswith(f"unread:output={kind}:1")
    assert {kind: 1} in [event.unread for event in events if event.kind == "output"]


@EACH_WAY
@EVERY
def test_a_policy_that_refuses_it_answers_instead_and_nothing_of_it_goes_out(asking, asked, makes, kind, stream):
    upstream = makes()
    response, events = asking(
        upstream, policy_of(BAD, UNREAD, output=[override("bad"), NO_MEDIA]), asked, stream=stream
    )
    assert SORRY in response.text
    assert not any(part in response.text for part in ("AAAA", "file_id", '"AA"'))
    assert events[-1].ruleset == "no media"
    # The provider is not asked to go on with what nobody will get.
    assert upstream.closed == stream


@EACH_WAY
@EVERY
def test_one_that_refuses_other_kinds_lets_it_out_as_it_is(asking, asked, makes, kind, stream):
    videos = override(rule("unread", "any", ["video"]))
    response, _ = asking(makes(), policy_of(UNREAD, output=[videos]), asked, stream=stream)
    assert SORRY not in response.text
    assert "AAAA" in response.text or "file_id" in response.text


@EACH_WAY
@pytest.mark.parametrize(("text", "passes"), [("Here is your cat.", True), ("Here is your bomb.", False)])
def test_a_rule_on_the_text_beside_it_is_asked_of_the_whole_answer_before_it_goes_out(asking, text, passes, stream):
    both = override(rule("unread", "any", ["image"]), rule("bad"))
    upstream = Makes(completion(content=text, images=[PICTURE]), chunk(images=[PICTURE]), chunk(content=text))
    response, _ = asking(upstream, policy_of(BAD, UNREAD, output=[both]), stream=stream)
    assert ("AAAA" in response.text, SORRY in response.text) == (passes, not passes)


@EACH_WAY
def test_what_is_to_be_redacted_of_it_has_no_place_so_it_is_refused(asking, stream):
    policy = policy_of(UNREAD, output=[redacting(rule("unread", "any", ["image"]))])
    response, _ = asking(drawn(), policy, stream=stream)
    assert "AAAA" not in response.text
    assert "could not be checked" in response.text


@EACH_WAY
def test_under_observe_a_stream_of_it_goes_out_and_a_whole_answer_is_refused(asking, stream):
    policy = policy_of(UNREAD, settings={"stream": "observe"}, output=[NO_MEDIA])
    response, events = asking(drawn(), policy, stream=stream)
    assert ("AAAA" in response.text) == stream
    assert events[-1].outcomes[0]["status"] == "triggered"


@EACH_WAY
def test_where_the_policy_asks_it_of_callers_too_both_must_hold(asking, stream):
    picky = override(rule("unread", "any", ["image"]), rule("who", "eq", "mallory"))
    for name, passes in (("mallory", False), ("trudy", True)):
        metric = replace(fixed("who", name), of_turn=True)
        response, _ = asking(drawn(), policy_of(metric, UNREAD, output=[picky]), stream=stream)
        assert ("AAAA" in response.text) == passes


def test_text_that_had_gone_out_stays_and_the_refusal_follows_it(asking):
    text = "Here is your cat. " * 40
    upstream = Makes(None, chunk(content=text), chunk(images=[PICTURE]))
    response, _ = asking(upstream, policy_of(BAD, UNREAD, output=[override("bad"), NO_MEDIA]), stream=True)
    said = streamed(response)
    assert said.text.startswith("Here is your cat.")
    assert said.text.endswith(SORRY)
    assert (said.finish, said.done) == ("content_filter", True)


@EACH_WAY
@pytest.mark.parametrize(
    "beside",
    [
        {"reasoning_details": [{"type": "reasoning.encrypted", "data": "AAAA"}]},
        {"thinking_blocks": [{"type": "redacted_thinking", "data": "AAAA"}]},
        {"annotations": [{"type": "url_citation", "url_citation": {"url": "https://a.example/cat.png"}}]},
        {"citations": [{"type": "document", "document": {"text": "a cat"}}]},
        {"audio": None, "images": []},
    ],
)
def test_what_is_sent_back_only_or_is_text_after_all_does_not_count(asking, beside, stream):
    upstream = Makes(completion(content="hi", **beside), chunk(content="hi", **beside))
    response, _ = asking(upstream, policy_of(BAD, UNREAD, output=[override("bad"), NO_MEDIA]), stream=stream)
    assert "unread:output" not in coverage(response)
    assert SORRY not in response.text


@EACH_WAY
@pytest.mark.parametrize(
    ("beside", "kind"),
    [
        ({"content": [{"type": "image", "b64_json": "AAAA"}]}, "image"),
        ({"media": [{"b64_json": "AAAA"}]}, "image"),
        ({"video": {"url": "data:video/mp4;base64,AAAA"}}, "video"),
        ({"file": {"file_data": "AAAA", "filename": "a.pdf"}}, "file"),
        ({"part": {"inline": {"media_type": "audio/wav", "data": "AAAA"}}}, "audio"),
        ({"blob": {"data": "AAAA"}}, "other"),
    ],
)
def test_fields_that_no_protocol_describes_are_looked_into_as_well(asking, beside, kind, stream):
    upstream = Makes(completion(**beside), chunk(**beside))
    response, _ = asking(upstream, policy_of(BAD, UNREAD, output=[override("bad")]), stream=stream)
    assert coverage(response).endswith(f"unread:output={kind}:1")


def test_litellms_pictures_are_refused_on_the_side_on_which_they_stand(client):
    no_pictures = """
policy: test
stages:
  %s:
    rulesets:
      - name: no pictures
        rules: [{metric: unread, operator: contains, target_value: image}]
        action: {type: override, choices: [No pictures.]}
"""
    for side, kind in (("input", "request"), ("output", "response")):
        asked = {"input_type": kind, "texts": ["hi"], "images": ["https://a.example/a.png"]}
        caller = client(ScriptedUpstream(), policy=no_pictures % side)
        told = caller.post("/beta/litellm_basic_guardrail_api", json=asked)
        assert told.json()["action"] == "BLOCKED"
        other = {**asked, "input_type": "response" if kind == "request" else "request"}
        assert caller.post("/beta/litellm_basic_guardrail_api", json=other).json()["action"] == "NONE"
        assert json.dumps(dict(told.headers)).count("image:1") == 1
