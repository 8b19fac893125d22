"""Signatures of bundles: Ed25519, through `cryptography`, which no other file touches."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from guard.errors import SettingsError

KIND = "ed25519:"
#: Signed in front of every payload, so that a signature made for anything else never fits a bundle.
_CONTEXT = b"guard bundle 1\n"


class Signer:
    """Signs with a private key. `public` is what those who verify are given: `ed25519:` and base64."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.public = KIND + base64.b64encode(raw).decode()

    @classmethod
    def new(cls) -> Signer:
        """With a new key, which is nowhere kept yet."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def read(cls, file: Path) -> Signer:
        """With the key in a PEM file. Raises SettingsError."""
        try:
            key = serialization.load_pem_private_key(file.read_bytes(), password=None)
        except OSError as error:
            fix = "make it with: guard central init"
            raise SettingsError(f"signing_key: {file} cannot be read: {error.strerror}; {fix}") from None
        except (ValueError, TypeError):
            raise SettingsError(f"signing_key: {file} holds no private key in PEM without a password") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingsError(f"signing_key: {file} holds a key of another kind than Ed25519")
        return cls(key)

    def write(self, file: Path) -> None:
        """Keep the key in a new file that only its owner may read. Raises SettingsError, also where the file exists."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as opened:
                opened.write(pem)
        except OSError as error:
            raise SettingsError(f"signing_key: {file} cannot be written: {error.strerror}") from None

    def sign(self, payload: bytes) -> str:
        """The signature, in base64. The same payload always gives the same one."""
        return base64.b64encode(self._key.sign(_CONTEXT + payload)).decode()

    def secret(self, purpose: str) -> bytes:
        """32 bytes for a purpose, which only holders of the private key know: for what they alone sign and check."""
        return hmac.new(self._key.private_bytes_raw(), f"guard secret: {purpose}".encode(), hashlib.sha256).digest()


class Trust:
    """The public keys whose signatures count. Raises SettingsError for what is no such key."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = [_public(key) for key in keys]

    def holds(self, payload: bytes, signature: str) -> bool:
        """Whether one of the keys signed this payload."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        return any(_signed(key, raw, payload) for key in self._keys)


def _signed(key: Ed25519PublicKey, signature: bytes, payload: bytes) -> bool:
    try:
        key.verify(signature, _CONTEXT + payload)
    except InvalidSignature:
        return False
    return True


def _public(key: str) -> Ed25519PublicKey:
    try:
        if not key.startswith(KIND):
            raise ValueError
        return Ed25519PublicKey.from_public_bytes(base64.b64decode(key.removeprefix(KIND), validate=True))
    except (binascii.Error, ValueError):
        raise SettingsError(
            f"central_trust: '{key[:60]}' is no public key; `guard central init` shows it: {KIND}BASE64"
        ) from None
