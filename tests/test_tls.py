"""TLS: files are tried before anything starts, mistakes are told with what to do, changed files come in force."""

from __future__ import annotations

import logging
import ssl
import threading
from datetime import timedelta
from pathlib import Path
from socket import create_server, socket

import httpx
import pytest

from guard import tls as tls_module
from guard.central.settings import CentralSettings
from guard.errors import SettingsError
from guard.settings import Settings
from guard.tls import Tls, trusting
from tests.certificates import Authority
from tests.test_serve import ask, serving


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are looked at for each connection."""
    monkeypatch.setattr(tls_module, "LOOK", 0.0)


@pytest.mark.parametrize("settings", [Settings, CentralSettings])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"tls_certificate": "a.pem"}, "tls_key: goes with tls_certificate"),
        ({"tls_key": "a.pem"}, "tls_key: goes with tls_certificate"),
        ({"tls_client_ca": "a.pem"}, "set tls_certificate and tls_key too"),
    ],
)
def test_half_of_tls_is_refused(settings, given, said):
    with pytest.raises(SettingsError, match=said):
        settings.load(**given)


def test_a_file_that_is_not_there_is_named_with_its_setting(authority: Authority) -> None:
    certificate, key = authority.signs("server")
    for given, setting in (
        (("no.pem", str(key)), "tls_certificate: no.pem cannot be read"),
        ((str(certificate), "no.pem"), "tls_key: no.pem cannot be read"),
        ((str(certificate), str(key), "no.pem"), "tls_client_ca: no.pem cannot be read"),
    ):
        with pytest.raises(SettingsError, match=setting):
            Tls(*given).context()


def test_a_key_of_another_certificate_one_with_a_passphrase_and_what_is_no_pem_are_told_with_what_to_do(
    authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.signs("server")
    _, other = authority.signs("other")
    _, locked = authority.signs("locked", passphrase=b"word")
    nothing = tmp_path / "nothing.pem"
    nothing.write_bytes(b"\x30\x82")
    for given, said in (
        ((str(certificate), str(other)), "does not belong to"),
        ((str(certificate), str(locked)), "openssl pkey -in"),
        ((str(nothing), str(key)), "openssl x509 -inform der"),
        ((str(certificate), str(key), str(nothing)), "tls_client_ca: .* holds no certificate"),
    ):
        with pytest.raises(SettingsError, match=said):
            Tls(*given).context()


def test_a_certificate_that_has_ended_is_warned_of(authority: Authority) -> None:
    assert Tls(*map(str, authority.signs("server"))).warning() is None
    ended = Tls(*map(str, authority.signs("server", ends_in=timedelta(days=-1))))
    assert "renew it" in (ended.warning() or "")


def test_a_renewed_certificate_is_shown_to_the_next_caller(authority: Authority, at_once: None) -> None:
    context = Tls(*map(str, authority.signs("server")))()
    assert shown(context, authority) == shown(context, authority)
    before = shown(context, authority)
    authority.signs("server")
    assert shown(context, authority) != before


def test_a_renewal_that_is_half_written_leaves_the_last_good_one(
    authority: Authority, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    certificate, key = authority.signs("server")
    context = Tls(str(certificate), str(key))()
    before = shown(context, authority)
    old = key.read_bytes()
    authority.signs("server")
    new = key.read_bytes()
    key.write_bytes(old)
    with caplog.at_level(logging.WARNING, "guard.tls"):
        assert shown(context, authority) == before
    assert "does not belong to" in caplog.text
    assert "PRIVATE" not in caplog.text
    key.write_bytes(new)
    assert shown(context, authority) != before


def test_an_authority_that_is_taken_away_lets_its_callers_in_no_more(
    authority: Authority, at_once: None, tmp_path: Path
) -> None:
    other = Authority(tmp_path, "other")
    trusted = tmp_path / "clients.pem"
    trusted.write_bytes(authority.file.read_bytes())
    certificate, key = authority.signs("server")
    context = Tls(str(certificate), str(key), str(trusted))()
    old, new = authority.signs_whole("old-app"), other.signs_whole("new-app")
    assert shown(context, authority, old)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(context, authority, new)
    trusted.write_bytes(other.file.read_bytes())
    assert shown(context, authority, new)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        shown(context, authority, old)


def test_what_a_proxy_trusts_of_central_is_told_with_its_setting(authority: Authority, tmp_path: Path) -> None:
    assert trusting("", "") is True
    with pytest.raises(SettingsError, match=r"central_ca: no\.pem"):
        trusting("no.pem", "")
    with pytest.raises(SettingsError, match=r"central_certificate: no\.pem"):
        trusting("", "no.pem")
    assert isinstance(trusting(str(authority.file), str(authority.signs_whole("proxy"))), ssl.SSLContext)


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_proxy_answers_over_tls_those_who_show_a_certificate_and_renews_its_own(
    authority: Authority, tmp_path: Path, workers: str
) -> None:
    stranger = Authority(tmp_path, "stranger")
    certificate, key = authority.signs("server")
    client = trusting(str(authority.file), str(authority.signs_whole("app")))
    options = {"tls_certificate": certificate, "tls_key": key, "tls_client_ca": authority.file}
    with serving(tmp_path, "--workers", workers, verify=client, **options) as (_, url):
        assert url.startswith("https://")
        assert ask(url, verify=client).json()["object"] == "chat.completion"
        assert httpx.get(f"{url}/metrics", verify=client).status_code == 200
        for wrong in (trusting(str(authority.file), ""), trusting("", str(authority.signs_whole("app")))):
            with pytest.raises(httpx.TransportError):
                ask(url, verify=wrong)
        with pytest.raises(httpx.TransportError):
            ask(url, verify=trusting(str(authority.file), str(stranger.signs_whole("thief"))))
        with pytest.raises(httpx.TransportError):
            ask(url.replace("https", "http"))
        address = ("127.0.0.1", int(url.rpartition(":")[2]))
        before = peer(address, client)
        authority.signs("server")
        until = 200
        while peer(address, client) == before and until:
            until -= 1
            threading.Event().wait(0.1)
        assert until, "the renewed certificate was never shown"


def shown(context: ssl.SSLContext, authority: Authority, certificate: Path | None = None) -> bytes:
    """The certificate that a server with this context shows, once both have said a word over it."""
    with create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_answer, args=(listener, context), daemon=True)
        thread.start()
        try:
            trusted = trusting(str(authority.file), str(certificate or ""))
            return peer(listener.getsockname(), trusted)
        finally:
            thread.join(10)


def peer(address: tuple[str, int], context: ssl.SSLContext) -> bytes:
    with socket() as plain:
        plain.settimeout(10)
        plain.connect(address)
        with context.wrap_socket(plain, server_hostname="127.0.0.1") as opened:
            opened.sendall(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            # In TLS 1.3 a server refuses a certificate only after the client's handshake has ended.
            if not opened.recv(1):
                raise ConnectionError("closed")
            return opened.getpeercert(True) or b""


def _answer(listener: socket, context: ssl.SSLContext) -> None:
    plain, _ = listener.accept()
    # Over memory, as asyncio's and uvloop's servers do it.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    connection = context.wrap_bio(incoming, outgoing, server_side=True)
    with plain:
        plain.settimeout(10)
        while True:
            try:
                connection.do_handshake()
                break
            except ssl.SSLWantReadError:
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
            except ssl.SSLError:
                plain.sendall(outgoing.read())
                return
        connection.write(b"ok")
        plain.sendall(outgoing.read())
        plain.recv(65536)
