"""TLS: a server's files, tried before anything starts and read again when they change; what a client trusts."""

from __future__ import annotations

import logging
import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from guard.errors import SettingsError

log = logging.getLogger(__name__)

#: Seconds between looks whether the files have changed, made when somebody connects.
LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Tls:
    """A server's certificate chain and its key, and the authorities that sign its callers' certificates; PEM files.

    uvicorn is given it as `ssl_context_factory`: each worker makes its own context of the files, and follows them.
    """

    certificate: str
    key: str
    client_ca: str = ""

    def __call__(self, config: Any = None, default: Callable[[], ssl.SSLContext] | None = None) -> ssl.SSLContext:
        """The context to serve with. Raises SettingsError."""
        return _Followed(self).first

    def context(self) -> ssl.SSLContext:
        """The files as they stand now. Raises SettingsError that names the setting, and what to do."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        _own(context, self.certificate, self.key, "tls_certificate", "tls_key")
        if self.client_ca:
            _trust(context, self.client_ca, "tls_client_ca")
            context.verify_mode = ssl.CERT_REQUIRED
            # A session that goes on would ask for no certificate again, also where its authority is gone by now.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        return context

    def warning(self) -> str | None:
        """What callers will stumble over although it can be served: a certificate that has ended."""
        from cryptography import x509

        ends = x509.load_pem_x509_certificates(Path(self.certificate).read_bytes())[0].not_valid_after_utc
        if ends > datetime.now(UTC):
            return None
        return f"tls_certificate: {self.certificate} ended on {ends:%Y-%m-%d}, so callers will refuse it; renew it"

    def stamp(self) -> tuple[Any, ...]:
        """Another one when a file is another one."""
        return tuple(_stamp(file) for file in (self.certificate, self.key, self.client_ca) if file)


class _Followed:
    """Gives each new connection the newest context that the files made; a bad one leaves the last good one."""

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._stamp, self._looked = tls.stamp(), time.monotonic()
        self._newest = self.first = tls.context()
        # The one callback that a handshake makes before it shows a certificate; also where no name was asked for.
        self.first.sni_callback = self._give  # pyright: ignore[reportAttributeAccessIssue] - typed for sockets only

    def _give(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        if time.monotonic() >= self._looked + LOOK:
            self._looked = time.monotonic()
            self._look()
        if self._newest is not self.first:
            connection.context = self._newest

    def _look(self) -> None:
        stamp = self._tls.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._newest = self._tls.context()
        except SettingsError as error:
            log.warning("%s; new connections go on with the files as they were", error)
        else:
            log.info("the TLS files were changed; new connections have them")


def trusting(authorities: str, certificate: str) -> ssl.SSLContext | bool:
    """What a client of central verifies with: `authorities` (empty: the machine's) and a `certificate` to show.

    Raises SettingsError.
    """
    if not authorities and not certificate:
        return True
    import httpx

    context = ssl.create_default_context() if authorities else httpx.create_ssl_context()
    if authorities:
        _trust(context, authorities, "central_ca")
    if certificate:
        _own(context, certificate, certificate, "central_certificate", "central_certificate")
    return context


def _own(context: ssl.SSLContext, certificate: str, key: str, setting: str, key_setting: str) -> None:
    _readable(certificate, setting, "a certificate chain in PEM")
    _readable(key, key_setting, "the certificate's private key in PEM")
    # OpenSSL would ask on the terminal; a server that starts has none.
    if b"ENCRYPTED" in Path(key).read_bytes():
        raise SettingsError(f"{key_setting}: {key} has a passphrase; take it off: openssl pkey -in {key} -out NEW")
    try:
        context.load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        if "MISMATCH" in (error.reason or ""):
            raise SettingsError(
                f"{key_setting}: {key} does not belong to {certificate}; the server's own certificate has to stand "
                "first in its file"
            ) from None
        raise SettingsError(
            f"{setting}: {certificate} with the key {key} is no PEM that can be read ({error.reason or 'no PEM'}); "
            "make PEM of DER with: openssl x509 -inform der -in FILE -out FILE.pem"
        ) from None


def _trust(context: ssl.SSLContext, authorities: str, setting: str) -> None:
    _readable(authorities, setting, "certificates of authorities in PEM")
    try:
        context.load_verify_locations(authorities)
    except ssl.SSLError:
        raise SettingsError(f"{setting}: {authorities} holds no certificate in PEM; name a file that does") from None


def _readable(file: str, setting: str, what: str) -> None:
    try:
        with Path(file).open("rb"):
            return
    except OSError as error:
        raise SettingsError(f"{setting}: {file} cannot be read ({error.strerror}); name a file with {what}") from None


def _stamp(file: str) -> tuple[int, ...] | None:
    try:
        found = os.stat(file)  # noqa: PTH116 - asked of each of many connections
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
