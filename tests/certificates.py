"""Certificates made on the spot: an authority, and what it signs."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

DAY = datetime.timedelta(days=1)
PEM, PLAIN = serialization.Encoding.PEM, serialization.NoEncryption()


class Authority:
    """Signs certificates for 127.0.0.1; its own is in `file`."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        made = _certificate(self.name, self.name, self._key.public_key(), DAY)
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(PEM))

    def signs(self, name: str, ends_in: datetime.timedelta = DAY, passphrase: bytes = b"") -> tuple[Path, Path]:
        """The files of a certificate and of its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        made = _certificate(subject, self.name, key.public_key(), ends_in)
        local = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = made.add_extension(local, critical=False).sign(self._key, hashes.SHA256())
        certificate, key_file = self.folder / f"{name}.pem", self.folder / f"{name}-key.pem"
        secret = serialization.BestAvailableEncryption(passphrase) if passphrase else PLAIN
        key_file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, secret))
        certificate.write_bytes(made.public_bytes(PEM))
        return certificate, key_file

    def signs_whole(self, name: str) -> Path:
        """The file of a certificate with its key in it."""
        certificate, key = self.signs(name)
        certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
        return certificate


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, ends_in: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    made = made.serial_number(x509.random_serial_number())
    return made.not_valid_before(now - 3 * DAY).not_valid_after(now + ends_in)
