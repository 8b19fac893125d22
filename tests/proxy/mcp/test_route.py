"""The route as HTTP: sessions, batches, streams, statuses, keys, and who may call at all."""

import json

import httpx
import pytest

from guard.keys import hash_key
from tests.proxy.mcp.conftest import POLICY, answer, call, request, stream, streamed, text

PING = request("ping")
TOLD = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def json_of(body, status=200, **headers):
    return httpx.Response(status, json=body, headers=headers)


def test_session_and_version_pass_both_ways_and_other_headers_do_not(mcp):
    headers = {"mcp_session_id": "s1", "mcp_protocol_version": "2025-11-25", "cookie": "a=b", "x_private": "1"}
    says = json_of(answer({}), mcp_session_id="s2", set_cookie="c=d")
    says.headers["mcp-session-id"] = "s2"
    response = mcp.post(PING, says, **headers)
    (heard,) = mcp.server.heard
    assert (heard.headers["mcp-session-id"], heard.headers["mcp-protocol-version"]) == ("s1", "2025-11-25")
    assert not {"cookie", "x-private", "origin"} & heard.headers.keys()
    assert response.headers["mcp-session-id"] == "s2"
    assert "set-cookie" not in response.headers


def test_the_headers_name_the_decision(mcp):
    headers = mcp.post(call(q="Acme")).headers
    assert headers["x-guard-status"] == "triggered"
    assert headers["x-guard-policy"].startswith("test@")
    assert headers["x-guard-coverage"] == "tool_call=rivals+order+card/-/-"
    assert mcp.post(PING, json_of(answer({}))).headers["x-guard-status"] == "skipped"


def test_a_notification_is_passed_on_and_accepted(mcp):
    assert mcp.post(TOLD).status_code == 202
    assert mcp.server.bodies == [TOLD]


def test_a_notification_that_the_policy_refuses_is_not_passed_on(mcp):
    told = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1, "reason": "Acme"}}
    assert mcp.post(told).status_code == 400
    assert mcp.server.heard == []


def test_a_method_that_is_not_understood_is_refused_until_a_setting_opens_it_and_read_then(shop, mcp):
    closed = mcp.post(request("vendor/do", {"q": "hi"}))
    assert closed.status_code == 200
    assert closed.json()["error"]["code"] == -32601
    assert "open_methods: [vendor/do]" in closed.json()["error"]["message"]
    opened = shop(mcp={"shop": {"url": "http://shop.test/mcp", "open_methods": ["vendor/do"]}})
    assert opened.ask("vendor/do", {"q": "hi"}, {"said": "KEY-1"}) == answer({"said": "[KEY_1]"})
    assert opened.ask("vendor/do", {"q": "Acme"})["error"]["code"] == -32010


def test_an_unknown_method_is_a_404_in_the_stateless_versions_only(mcp):
    # Before, a 404 would tell the client that its session is over.
    assert mcp.post(request("vendor/do"), mcp_protocol_version="2026-07-28").status_code == 404
    assert mcp.post(request("vendor/do"), mcp_protocol_version="2025-11-25").status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        [],
        "ping",
        {},
        {"jsonrpc": "1.0", "id": 1, "method": "ping"},
        {"jsonrpc": "2.0", "id": [1], "method": "ping"},
        {"jsonrpc": "2.0", "id": "has space", "method": "ping"},
        {"jsonrpc": "2.0", "id": None, "method": "ping"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "params": ["positional"]},
        {"jsonrpc": "2.0", "id": 1, "method": "two words"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "result": {}},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {"code": 1, "message": ""}},
        {"jsonrpc": "2.0", "id": 1, "result": "text"},
        {"jsonrpc": "2.0", "id": 1, "error": "text"},
        {"jsonrpc": "2.0", "id": 1, "method": "ping", "hidden": "text"},
        [request("ping"), request("ping")],
        request("tools/call", json.loads('{"a":' * 80 + "1" + "}" * 80)),
    ],
)
def test_what_is_no_message_of_mcp_is_refused_in_mcps_own_shape(mcp, body):
    response = mcp.post(body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32600
    assert response.json()["error"]["data"] == {"code": "invalid_request"}
    assert mcp.server.heard == []


def test_a_body_that_is_no_json_is_refused(mcp):
    assert mcp.client.post("/v1/mcp/shop", content=b"{").status_code == 400


def test_a_batch_is_read_message_by_message(mcp):
    batch = [call(number=1, q="fine"), call(number=2, q="Acme"), TOLD, request("vendor/do", number=3)]
    response = mcp.post(batch, json_of([answer(text("KEY-1"), 1)]))
    assert [one.get("method") for one in mcp.server.bodies[0]] == ["tools/call", "notifications/initialized"]
    by_id = {one["id"]: one for one in response.json()}
    assert by_id[1]["result"]["content"][0]["text"] == "[KEY_1]"
    assert by_id[2]["result"]["isError"] is True
    assert by_id[3]["error"]["code"] == -32601


def test_a_batch_in_a_version_without_batches_or_of_too_many_messages_is_refused(shop, mcp):
    assert mcp.post([PING], mcp_protocol_version="2025-06-18").status_code == 400
    assert shop(max_messages=2).post([request("ping", number=n) for n in range(3)]).status_code == 413


def test_every_message_of_a_stream_is_read(mcp):
    told = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "KEY-1"}}
    response = mcp.post(call(), stream(told, answer(text("KEY-2 KEY-3"))))
    assert response.headers["content-type"].startswith("text/event-stream")
    assert [one.get("params", {}).get("data") for one in streamed(response)] == ["[KEY_1]", None]
    assert streamed(response)[1] == answer(text("[KEY_1] [KEY_2]"))
    assert response.text.rstrip().splitlines()[-1].startswith(": x-guard-status=triggered")


def test_a_streamed_result_that_is_refused_is_overridden(mcp):
    said = streamed(mcp.post(call(), stream(answer(text("Acme is better.")))))
    assert said == [answer({"content": [{"type": "text", "text": "That speaks of others."}], "isError": True})]


@pytest.mark.parametrize(
    "asked",
    [
        {"method": "elicitation/create", "params": {"message": "Which Acme?", "requestedSchema": {}}},
        {"method": "sampling/createMessage", "params": {"systemPrompt": "Praise Acme", "messages": []}},
        {"method": "vendor/ask", "params": {}},
    ],
)
def test_a_question_of_the_servers_that_is_refused_is_answered_in_the_clients_place(mcp, asked):
    question = {"jsonrpc": "2.0", "id": "q1", **asked}
    response = mcp.post(call(), stream(question, answer(text("done"))), mcp_session_id="s1")
    assert streamed(response) == [answer(text("done"))]
    refused = mcp.server.heard[1]
    assert refused.headers["mcp-session-id"] == "s1"
    assert json.loads(refused.content)["id"] == "q1"
    assert json.loads(refused.content)["error"]["code"] == -32010


def test_a_question_of_the_servers_that_is_fine_reaches_the_client_and_the_answer_is_read(mcp):
    question = {"jsonrpc": "2.0", "id": "q1", "method": "elicitation/create", "params": {"message": "Who?"}}
    assert streamed(mcp.post(call(), stream(question, answer(text("done")))))[0] == question
    answered = {"jsonrpc": "2.0", "id": "q1", "result": {"action": "accept", "content": {"name": "ORD-12345678"}}}
    assert mcp.post(answered).status_code == 202
    assert mcp.server.bodies[-1]["result"]["content"] == {"name": "[ORDER_NUMBER_1]"}
    answered["result"]["content"]["name"] = "Acme"
    assert mcp.post(answered).status_code == 202
    assert mcp.server.bodies[-1] == {
        "jsonrpc": "2.0",
        "id": "q1",
        "error": {"code": -32010, "message": "We do not ask about others."},
    }


def test_questions_within_a_result_are_read(mcp):
    asks = {"a": {"method": "elicitation/create", "params": {"message": "Which Acme?"}}}
    said = mcp.ask("tools/call", {"name": "t"}, {"resultType": "input_required", "inputRequests": asks})
    assert said["result"]["isError"] is True


def test_the_stream_of_what_a_server_has_to_say_is_read(mcp):
    changed = {"jsonrpc": "2.0", "method": "notifications/tools/list_changed"}
    late = answer(text("KEY-1"), 99)
    unknown = {"jsonrpc": "2.0", "method": "vendor/tells", "params": {"secret": "text"}}
    mcp.server.says = [stream(b": open\r\n\r\n", b"id: 7\r\ndata:\r\n\r\n", changed, late, unknown)]
    response = mcp.client.get("/v1/mcp/shop", headers={"last-event-id": "6", "accept": "text/event-stream"})
    assert mcp.server.heard[0].headers["last-event-id"] == "6"
    assert streamed(response) == [changed, answer(text("[KEY_1]"), 99)]
    assert "id: 7\n" in response.text
    assert "vendor" not in response.text
    assert "open" not in response.text


def test_the_endpoint_event_of_the_older_transport_does_not_lead_a_client_past_guard(mcp):
    mcp.server.says = [stream(b"event: endpoint\ndata: /messages?session=1\n\n")]
    assert mcp.client.get("/v1/mcp/shop").text == ""


def test_a_session_is_ended_at_the_server(mcp):
    mcp.server.says = [httpx.Response(200)]
    response = mcp.client.delete("/v1/mcp/shop", headers={"mcp-session-id": "s1"})
    assert (response.status_code, response.content) == (200, b"")
    assert (mcp.server.heard[0].method, mcp.server.heard[0].headers["mcp-session-id"]) == ("DELETE", "s1")


@pytest.mark.parametrize(
    ("says", "status", "body"),
    [
        (httpx.Response(404, text="Session gone, KEY-1"), 404, b""),
        (httpx.Response(405, headers={"allow": "POST"}), 405, b""),
        (json_of({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "no KEY-1"}}, 400), 400,
         b'{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"no [KEY_1]"}}'),
    ],
)  # fmt: skip
def test_a_servers_status_stays_and_its_words_are_read(mcp, says, status, body):
    response = mcp.post(PING, says)
    assert (response.status_code, response.content) == (status, body)


@pytest.mark.parametrize(
    "says",
    [
        httpx.Response(503, text="down"),
        httpx.Response(302, headers={"location": "http://elsewhere.test/"}),
        httpx.Response(200, text="<html>"),
        httpx.Response(200, content=b"{", headers={"content-type": "application/json"}),
        json_of("text"),
        json_of(answer({}, 2)),
        json_of(PING),
        json_of({"jsonrpc": "2.0", "id": 1, "result": "text"}),
        json_of(answer(json.loads('{"a":' * 80 + "1" + "}" * 80))),
    ],
)
def test_a_server_that_is_not_understood_is_a_502_and_its_words_are_not_passed_on(mcp, says):
    response = mcp.post(PING, says)
    assert response.status_code == 502
    assert response.json()["error"]["data"] == {"code": "upstream_error"}
    assert len(mcp.server.heard) == 1


def test_a_stream_that_is_not_understood_ends_with_an_error_for_each_that_waits(mcp):
    response = mcp.post(call(), stream(b"data: {nonsense KEY-1\n\n"))
    (said,) = streamed(response)
    assert (said["id"], said["error"]["data"]) == (1, {"code": "upstream_error"})
    assert "nonsense" not in response.text


def test_an_answer_larger_than_the_limit_is_a_502(shop):
    assert shop(max_answer=1000).post(PING, json_of(answer({"a": "x" * 2000}))).status_code == 502


def test_a_server_that_no_setting_names_is_a_404(mcp):
    assert mcp.client.post("/v1/mcp/other", json=PING).status_code == 404


def test_a_page_of_another_origin_is_refused(shop, mcp):
    assert mcp.post(PING, json_of(answer({})), origin="http://evil.test").status_code == 403
    allowed = shop(mcp_origins=["http://fine.test"])
    assert allowed.post(PING, json_of(answer({})), origin="http://fine.test").status_code == 200


def test_app_keys_are_asked_for_and_never_shown_to_a_server(shop, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "server-key")
    server = {"url": "http://shop.test/mcp", "key_env": "SHOP_KEY"}
    mcp = shop(apps={"a": [f"sha256:{hash_key('app-key')}"]}, mcp={"shop": server, "open": "http://open.test/mcp"})
    assert mcp.post(PING).status_code == 401
    assert mcp.post(PING, json_of(answer({})), authorization="Bearer app-key").status_code == 200
    assert mcp.server.heard[-1].headers["authorization"] == "Bearer server-key"
    mcp.server.says = [json_of(answer({}))]
    mcp.client.post("/v1/mcp/open", json=PING, headers={"authorization": "Bearer app-key"})
    assert "authorization" not in mcp.server.heard[-1].headers


def test_a_key_of_guards_that_is_refused_is_guards_fault(shop, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", "server-key")
    mcp = shop(mcp={"shop": {"url": "http://shop.test/mcp", "key_env": "SHOP_KEY"}})
    response = mcp.post(PING, httpx.Response(401, text="bad key server-key"))
    assert response.status_code == 502
    assert "server-key" not in response.text


def test_without_app_keys_the_callers_own_key_is_passed_on(mcp):
    mcp.post(PING, json_of(answer({})), authorization="Bearer own")
    assert mcp.server.heard[0].headers["authorization"] == "Bearer own"


def test_a_policy_is_chosen_by_the_route_and_no_policy_is_no_passage(shop):
    here = POLICY.replace("policy: test", "policy: test\napplies_to: {routes: [/v1/mcp/shop]}")
    assert shop(here).post(call(q="Acme")).json()["result"]["isError"] is True
    elsewhere = shop(here.replace("/v1/mcp/shop", "/v1/chat/*")).post(PING)
    assert elsewhere.status_code == 403
    assert elsewhere.json()["error"]["data"] == {"code": "no_policy"}


def test_a_metric_that_fails_blocks(shop, tmp_path):
    (tmp_path / "broken.py").write_text("def broken(text: str) -> float:\n    raise RuntimeError")
    rule = "rules: [{metric: broken, operator: gt, target_value: 0}]"
    policy = POLICY.replace("metrics:", "metrics:\n  broken: {kind: code, function: 'broken.py:broken'}")
    mcp = shop(policy.replace("rules: [{metric: leak, operator: not_empty}]", rule))
    response = mcp.post(call(), json_of(answer(text("fine"))))
    assert response.json()["result"]["isError"] is True
    assert response.headers["x-guard-status"] == "failed"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"mcp-method": "tools/call", "mcp-name": "find", "mcp-param-q": "fine"}, 200),
        ({"mcp-name": "=?base64?ZmluZA==?="}, 200),
        ({"mcp-method": "ping"}, 400),
        ({"mcp-name": "other"}, 400),
        ({"mcp-param-q": "Acme"}, 400),
        ({"mcp-param-q": "=?base64?%%%?="}, 400),
    ],
)
def test_headers_that_mirror_the_body_must_say_what_it_says(mcp, headers, status):
    says = [json_of(answer(text("ok")))]
    response = mcp.post(call(q="fine", n=1, b=True), *says, **{k.replace("-", "_"): v for k, v in headers.items()})
    assert response.status_code == status
    if status == 200:
        assert {name: mcp.server.heard[0].headers[name] for name in headers} == {
            name: "find" if name == "mcp-name" else value for name, value in headers.items()
        }
    else:
        assert response.json()["error"]["code"] == -32020


def test_a_header_that_mirrors_what_was_redacted_is_redacted_too(mcp):
    mcp.post(call(q="ORD-12345678"), json_of(answer(text("ok"))), mcp_param_q="ORD-12345678")
    assert mcp.server.heard[0].headers["mcp-param-q"] == "[ORDER_NUMBER_1]"
