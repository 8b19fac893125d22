"""`guard central serve` over TLS, and a proxy that follows it there, with certificates made on the spot."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from guard.tls import trusting
from tests.central.process import Command, eventually
from tests.central.test_policies import text
from tests.certificates import Authority
from tests.test_serve import ask, serving

pytestmark = pytest.mark.slow


def test_central_answers_over_tls_those_who_show_a_certificate_and_a_proxy_follows_it_there(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.signs("server")
    shows = authority.signs_whole("proxy")
    command = Command(tmp_path, tls_certificate=certificate, tls_key=key, tls_client_ca=authority.file)
    admin, public = command.init()
    verify = trusting(str(authority.file), str(shows))
    with command.serving(verify), command.client(admin, verify) as client:
        for wrong in (True, trusting(str(authority.file), "")):
            with pytest.raises(httpx.TransportError):
                httpx.get(f"{command.url}/healthz", verify=wrong)
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{command.port}/healthz")
        client.post("/projects", json={"name": "shop"})
        client.put("/projects/shop/policies/support", json={"text": text(3)})
        client.post("/projects/shop/policies/support/versions", json={})
        client.put("/projects/shop/environments/production/policies/support", json={"version": 1})
        client.post("/projects/shop/apps", json={"name": "web"})
        proxy_key, app_key = (
            client.post("/projects/shop/keys", json={"name": role, "role": role, **more}).json()["key"]
            for role, more in (("proxy", {}), ("app", {"app": "web"}))
        )
        follows = {
            "central": command.url, "central_key": proxy_key, "central_trust": f'["{public}"]', "project": "shop",
            "central_ca": authority.file, "central_certificate": shows, "central_cache": tmp_path / "cache",
        }  # fmt: skip
        with serving(tmp_path, **follows) as (_, proxy):
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
            said = {"authorization": f"Bearer {app_key}"}
            answer = httpx.post(f"{proxy}/v1/chat/completions", json=body, headers=said).raise_for_status()
            assert answer.headers["x-guard-policy"].startswith("support@")
            assert ask(proxy).status_code == 401
            fleet = eventually(lambda: client.get("/fleet").json()["items"])
            assert (fleet[0]["lags"], fleet[0]["wrong"]) == (0, False)
