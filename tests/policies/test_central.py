"""Bundles from a control plane: nothing of one counts before all of it was found good, and the last good one stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.errors import PolicyError, SettingsError
from guard.policies.bundle import Bundle, Envelope, Release, digest_of, seal
from guard.policies.central import CentralSource, Following
from guard.policies.live import LivePolicies
from guard.policies.signature import Signer, Trust

SIGNER = Signer.new()


def policy(words: int, name: str = "support") -> str:
    rules = f"[{{metric: word_count, operator: gt, target_value: {words}}}]"
    return f"policy: {name}\nstages: {{input: {{rulesets: [{{name: long, rules: {rules}}}]}}}}\n"


def bundle(sequence: int = 1, text: str | None = None, **more: Any) -> Bundle:
    text = policy(sequence) if text is None else text
    release = Release(policy="support", version=1, text=digest_of(text))
    fields = {"project": "shop", "environment": "production", "releases": (release,), "texts": {digest_of(text): text}}
    return Bundle(**{"sequence": sequence, "issued_at": 1.0, **fields, **more})


class Central:
    """What a test wants central to answer: an envelope, some bytes, or an error."""

    def __init__(self) -> None:
        self.now: Envelope | bytes | httpx.HTTPError = seal(bundle(), SIGNER)
        self.status = 200
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        if isinstance(self.now, httpx.HTTPError):
            raise self.now
        if isinstance(self.now, Envelope):
            etag = f'"{self.now.digest}"'
            if request.headers.get("if-none-match") == etag:
                return httpx.Response(304)
            return httpx.Response(self.status, content=self.now.model_dump_json(), headers={"etag": etag})
        return httpx.Response(self.status, content=self.now)

    def release(self, made: Bundle, signer: Signer = SIGNER) -> None:
        self.now = seal(made, signer)


@pytest.fixture
def central() -> Central:
    return Central()


@pytest.fixture
def source(central: Central, tmp_path: Path) -> Callable[..., CentralSource]:
    """A source that follows it; another one is a proxy that was restarted."""

    def make(project: str = "shop", trust: str = SIGNER.public) -> CentralSource:
        following = Following("http://central", project, "production", "gk-proxy", Trust([trust]))
        return CentralSource(following, cache=tmp_path / "cache", transport=httpx.MockTransport(central))

    return make


def live_of(source: CentralSource) -> LivePolicies:
    live = LivePolicies(source)
    live.load()
    return live


def in_force(source: CentralSource) -> int:
    assert source.active is not None
    return source.active.bundle.sequence


def test_a_newer_bundle_comes_in_force_and_the_same_one_is_not_sent_again(central: Central, source) -> None:
    live = live_of(one := source())
    before = live.current.policies[0].revision
    live.look()
    assert live.current.policies[0].revision == before
    central.release(bundle(2))
    live.look()
    assert (in_force(one), live.status.error) == (2, None)
    assert live.current.policies[0].revision != before
    assert central.asked[0].headers["authorization"] == "Bearer gk-proxy"
    assert float(central.asked[-1].url.params["wait"]) > 0


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda: seal(bundle(2), Signer.new()), "its signature is of none of the keys"),
        (
            lambda: Envelope(payload=bundle(2).model_dump_json(), signature=seal(bundle(3), SIGNER).signature),
            "signature",
        ),
        (lambda: Envelope(payload=bundle(2).model_dump_json(), signature="!!"), "signature"),
        (lambda: seal(bundle(2, project="bank"), SIGNER), "is of bank/production, not of shop/production"),
        (lambda: seal(bundle(2, environment="staging"), SIGNER), "is of shop/staging"),
        (lambda: seal(bundle(2, texts={digest_of(policy(2)): policy(9)}), SIGNER), "holds texts that are not those"),
        (lambda: seal(bundle(2, texts={}), SIGNER), "holds texts that are not those"),
        (lambda: seal(bundle(2, text=policy(2, "other")), SIGNER), "calls itself 'other'"),
        (lambda: seal(bundle(2, text="policy: support\nextends: /etc/passwd\n"), SIGNER), "no other file to build on"),
        (lambda: b"<html>", "is no signed bundle"),
        (lambda: httpx.ConnectError("connection refused"), "cannot be fetched: connection refused"),
    ],
)
def test_what_is_not_good_is_refused_whole_and_what_is_in_force_stays(
    central: Central, source, make: Callable[[], Any], why: str
) -> None:
    live = live_of(one := source())
    central.now = make()
    live.look()
    assert why in (live.status.error or "")
    assert (in_force(one), len(live.current.policies)) == (1, 1)
    central.release(bundle(3))
    live.look()
    assert (in_force(one), live.status.error) == (3, None)


def test_a_payload_of_another_format_or_with_more_in_it_is_refused(central: Central, source) -> None:
    live = live_of(source())
    for more in ({"format": 2}, {"deny": ["everything"]}):
        payload = json.dumps({**json.loads(bundle(2).model_dump_json()), **more})
        central.now = Envelope(payload=payload, signature=SIGNER.sign(payload.encode()))
        live.look()
        assert "is central newer than this Guard?" in (live.status.error or "")


def test_an_older_sequence_is_refused_also_after_a_restart(central: Central, source) -> None:
    central.release(bundle(5))
    live = live_of(source())
    central.release(bundle(4))
    live.look()
    assert "its sequence 4 is not above 5" in (live.status.error or "")
    restarted = source()
    live_of(restarted)
    assert in_force(restarted) == 5


def test_another_bundle_of_the_same_sequence_is_refused(central: Central, source) -> None:
    live = live_of(source())
    central.release(bundle(1, text=policy(99)))
    live.look()
    assert "its sequence 1 is not above 1" in (live.status.error or "")


def test_a_start_while_central_is_away_goes_on_with_the_last_good_bundle(central: Central, source) -> None:
    live_of(source())
    central.now = httpx.ConnectError("connection refused")
    live = live_of(restarted := source())
    assert in_force(restarted) == 1
    live.look()
    assert "connection refused" in (live.status.error or "")
    central.release(bundle(2))
    live.look()
    assert (in_force(restarted), live.status.error) == (2, None)


def test_a_first_start_while_central_is_away_is_an_error(central: Central, source) -> None:
    central.now = httpx.ConnectError("connection refused")
    with pytest.raises(PolicyError, match="cannot be fetched"):
        source().load()


@pytest.mark.parametrize(("status", "fix"), [(401, "role proxy"), (404, "was something put in force"), (500, "stays")])
def test_a_refusal_names_the_fix(central: Central, source, status: int, fix: str) -> None:
    central.status = status
    with pytest.raises(PolicyError, match=f"answered {status}; .*{fix}"):
        source().load()


def test_a_kept_bundle_that_was_tampered_with_is_not_taken(central: Central, source) -> None:
    one = source()
    live_of(one)
    kept = json.loads(one.file.read_text())
    one.file.write_text(json.dumps({**kept, "payload": kept["payload"].replace("word_count", "char_count")}))
    central.now = httpx.ConnectError("connection refused")
    with pytest.raises(PolicyError, match="cannot be fetched"):
        source().load()


def test_what_could_not_be_loaded_is_not_kept_for_the_next_start(central: Central, source) -> None:
    live = live_of(source())
    central.release(bundle(2, text="policy: support\nextends: builtin/gone\n"))
    live.look()
    assert "no such built-in policy" in (live.status.error or "")
    central.now = httpx.ConnectError("connection refused")
    restarted = source()
    live_of(restarted)
    assert in_force(restarted) == 1


def test_what_is_no_public_key_is_no_trust() -> None:
    for key in ("", "ed25519:", "ed25519:AAAA", "rsa:" + SIGNER.public):
        with pytest.raises(SettingsError, match="central_trust"):
            Trust([key])
    assert not Trust([]).holds(b"x", SIGNER.sign(b"x"))


def test_a_new_signing_key_is_followed_while_both_are_trusted(central: Central, tmp_path: Path) -> None:
    new = Signer.new()
    following = Following("http://central", "shop", "production", "k", Trust([SIGNER.public, new.public]))
    one = CentralSource(following, cache=tmp_path, transport=httpx.MockTransport(central))
    live = live_of(one)
    central.release(bundle(2), new)
    live.look()
    assert in_force(one) == 2


def test_a_signing_key_is_for_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    file = tmp_path / "central.pem"
    SIGNER.write(file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert Signer.read(file).public == SIGNER.public
    with pytest.raises(SettingsError, match="cannot be written"):
        Signer.new().write(file)
    file.write_text("-----BEGIN nonsense")
    with pytest.raises(SettingsError, match="holds no private key"):
        Signer.read(file)
