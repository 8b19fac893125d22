"""`guard central serve` over TLS, with a certificate made on the spot."""

from __future__ import annotations

import datetime
import ipaddress
import os
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

pytestmark = pytest.mark.slow


def test_central_answers_over_tls_to_those_who_trust_its_certificate_and_not_without_tls(tmp_path: Path) -> None:
    certificate = certify(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GUARD_")}
    environment |= {"PYTHONPATH": str(Path.cwd()), "GUARD_CENTRAL_TLS_CERTIFICATE": str(certificate)}
    environment["GUARD_CENTRAL_TLS_KEY"] = str(tmp_path / "key.pem")
    command = [sys.executable, "-m", "guard", "central"]
    subprocess.run([*command, "init"], cwd=tmp_path, env=environment, check=True, capture_output=True)
    process = subprocess.Popen([*command, "serve", "--port", str(port)], cwd=tmp_path, env=environment)
    trusting = ssl.create_default_context(cafile=str(certificate))
    address = f"127.0.0.1:{port}/healthz"
    try:
        until = time.monotonic() + 60
        while True:
            try:
                answer = httpx.get(f"https://{address}", verify=trusting)
                break
            except httpx.TransportError:
                assert process.poll() is None
                assert time.monotonic() < until
                time.sleep(0.1)
        assert answer.json() == {"status": "ok"}
        with pytest.raises(httpx.ConnectError, match="certificate"):
            httpx.get(f"https://{address}")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://{address}")
    finally:
        process.kill()
        process.wait()


def certify(folder: Path) -> Path:
    """A certificate for this machine, and its key in `key.pem`."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "central")])
    now = datetime.datetime.now(datetime.UTC)
    local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number()).add_extension(local, critical=False)
    made = made.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none))
    (folder / "certificate.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(encoding))
    return folder / "certificate.pem"
