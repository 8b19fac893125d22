"""Settings as they are given: by flags, by environment variables, and by a file whose mistakes are told by line."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from guard.errors import PolicyError, SettingsError, nearest
from guard.policies.document import Document, read
from guard.tls import Tls


class FileSettings(BaseSettings):
    """Settings that come from flags, the environment and a file; `FILE` is read where no other is named."""

    FILE: ClassVar[Path] = Path("guard.yaml")

    @classmethod
    def load(cls, file: Path | None = None, **flags: Any) -> Self:
        """The settings from flags (None: not given), the environment, and `file` (default: `FILE`, if there).

        Raises SettingsError that names the setting, and the line where it came from the file.
        """
        document = _document(file or (cls.FILE if cls.FILE.is_file() else None))
        below = dict(document.data) if document else {}

        class Sourced(cls):  # type: ignore[misc, valid-type]
            """The settings with the file as the source below the environment."""

            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                return init_settings, env_settings, InitSettingsSource(settings_cls, init_kwargs=below)

        try:
            return Sourced(**{name: value for name, value in flags.items() if value is not None})  # type: ignore[return-value]
        except ValidationError as error:
            raise _explained(error, document, cls, flags) from None


class ServedSettings(FileSettings):
    """Settings of what is served, over TLS where they say so."""

    tls_certificate: str = Field(default="", description="A PEM file with the certificate chain; empty: no TLS.")
    tls_key: str = Field(
        default="", description="A PEM file with the certificate's private key.", validate_default=True
    )
    tls_client_ca: str = Field(
        default="", description="A PEM file with authorities; only callers with a certificate of theirs are let in."
    )

    @property
    def tls(self) -> Tls | None:
        """What to serve TLS with; None where it is off."""
        if not self.tls_certificate:
            return None
        return Tls(self.tls_certificate, self.tls_key, self.tls_client_ca)

    @field_validator("tls_key")
    @classmethod
    def _both_or_none(cls, tls_key: str, info: Any) -> str:
        if bool(tls_key) != bool(info.data.get("tls_certificate")):
            raise ValueError("goes with tls_certificate: set both, or none")
        return tls_key

    @field_validator("tls_client_ca")
    @classmethod
    def _over_tls_only(cls, tls_client_ca: str, info: Any) -> str:
        if tls_client_ca and not info.data.get("tls_certificate"):
            raise ValueError("callers show certificates over TLS only: set tls_certificate and tls_key too")
        return tls_client_ca


def _document(file: Path | None) -> Document | None:
    if file is None:
        return None
    try:
        return read(file)
    except PolicyError as error:
        raise SettingsError(str(error)) from None


def _explained(
    error: ValidationError, document: Document | None, settings: type[BaseSettings], flags: Mapping[str, Any]
) -> SettingsError:
    """Where each wrong setting was given last, and what is wrong with it."""
    lines = []
    prefix = settings.model_config.get("env_prefix", "")
    for one in error.errors(include_url=False):
        name = str(one["loc"][0]) if one["loc"] else ""
        where = variable = f"{prefix}{name}".upper()
        if flags.get(name) is not None:
            where = "--" + name.replace("_", "-")
        elif document and name in document.data and variable not in os.environ:
            where = document.where(one["loc"])
        said = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            said = f"there is no such setting; {nearest(name, settings.model_fields)}"
        lines.append(f"{where}: {name}: {said}")
    return SettingsError("\n".join(lines))
