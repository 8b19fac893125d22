"""Whatever is sent to the routes that OpenAPI describes, no answer is an error of the server's."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings, strategies
from starlette.testclient import TestClient

from guard.central.app import create_app
from guard.central.settings import CentralSettings
from guard.policies.signature import Signer
from tests.central.conftest import first_key

schemathesis = pytest.importorskip("schemathesis")
pytestmark = pytest.mark.slow

#: Rows as they are uploaded: JSON a line, and anything else.
ROWS = strategies.one_of(
    strategies.lists(strategies.dictionaries(strategies.text(max_size=5), strategies.text(max_size=9)), max_size=5).map(
        lambda rows: "\n".join(map(json.dumps, rows)).encode()
    ),
    strategies.binary(max_size=200),
)
schemathesis.openapi.media_type("application/x-ndjson", ROWS)
#: Requests for each route.
EXAMPLES = 20


@pytest.fixture
def served(central_url: str, tmp_path: Path):
    """Central in process with a project, a stage and a policy in force; a client and an admin's key."""
    Signer.new().write(tmp_path / "central.pem")
    given = CentralSettings(
        database=central_url, signing_key=str(tmp_path / "central.pem"), code_folder=str(tmp_path / "code"), rate=0
    )
    key = asyncio.run(first_key(given))
    with TestClient(create_app(given), raise_server_exceptions=False) as client:
        headers = {"authorization": f"Bearer {key}"}
        for method, path, body in (
            ("POST", "/projects", {"name": "shop"}),
            ("POST", "/projects/shop/stages", {"name": "front"}),
            ("PUT", "/projects/shop/policies/support", {"text": "policy: support\n"}),
            ("POST", "/projects/shop/policies/support/versions", {}),
            ("PUT", "/projects/shop/environments/production/policies/support", {"version": 1}),
        ):
            assert client.request(method, f"/api/v1{path}", json=body, headers=headers).is_success
        yield client, headers


def test_no_request_makes_central_fail(served) -> None:
    client, headers = served
    schema = schemathesis.openapi.from_dict(client.app.openapi())
    failed: list[str] = []
    asked = 0

    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @schemathesis_given(operation)
        def attempt(case) -> None:
            nonlocal asked
            asked += 1
            for name in ("project", "stage", "policy", "environment"):
                # Half of the time what exists, else whatever came up.
                known = {"project": "shop", "stage": "front", "policy": "support", "environment": "production"}[name]
                if name in (case.path_parameters or {}) and asked % 2:
                    case.path_parameters[name] = known
            if "wait" in (case.query or {}):
                case.query["wait"] = 0
            sent = case.as_transport_kwargs(base_url="http://central")
            response = client.request(
                sent["method"], sent["url"], params=sent.get("params"), json=sent.get("json"),
                headers={**{k: v for k, v in (sent.get("headers") or {}).items() if k.isascii()}, **headers},
                content=sent.get("data") if isinstance(sent.get("data"), (bytes, str)) else None,
            )  # fmt: skip
            if response.status_code >= 500:
                failed.append(f"{sent['method']} {sent['url']} {sent.get('json')!r}: {response.text[:200]}")

        attempt()
    assert asked > 200
    assert failed == []


def schemathesis_given(operation):
    """Hypothesis' `given` with cases of one operation."""
    from hypothesis import given

    return given(operation.as_strategy())
