"""How central runs. Each setting comes from a flag, an environment variable `GUARD_CENTRAL_…`, or `central.yaml`."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from guard.settings_file import ServedSettings


class CentralSettings(ServedSettings):
    """The environment variable of a field is `GUARD_CENTRAL_` and its name in capitals."""

    FILE: ClassVar[Path] = Path("central.yaml")

    model_config = SettingsConfigDict(env_prefix="GUARD_CENTRAL_", extra="forbid", frozen=True)

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8788, ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    workers: int = Field(default=1, ge=1, le=64, description="Processes that serve.")
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much the log tells."
    )

    database: str = Field(
        default="sqlite:///central.db", description="Where central's records are: `sqlite:///FILE` or `postgresql://…`."
    )
    signing_key: str = Field(
        default="central.pem", description="The file with the private key that signs bundles; `guard central init`."
    )

    max_body: int = Field(default=2_000_000, gt=0, description="Bytes of a request's body.")
    rate: float = Field(default=100.0, ge=0, description="Requests a second of one key, in the long run; 0: any.")
    burst: int = Field(default=200, ge=1, description="Requests that one key may make at once.")
    silent_after: float = Field(
        default=60.0, gt=0, description="Seconds after which a proxy unheard of counts as gone."
    )

    max_dataset: int = Field(default=100_000_000, gt=0, description="Bytes of a dataset.")
    jobs_at_once: int = Field(default=1, ge=0, le=16, description="Jobs that a process works on at once; 0: none.")
    job_days: float = Field(default=30.0, ge=0, description="Days that ended jobs are kept; 0: for ever.")

    events: str = Field(default="none", description="The store for events of checks that central makes; `none`: no.")
    event_text: Literal["masked", "none", "full"] = Field(default="masked", description="How those keep the text.")
    retention_days: float = Field(default=30.0, ge=0, description="Days that those are kept; 0: for ever.")

    code: Literal["walled", "any", "off"] = Field(
        default="walled", description="Whether uploaded code runs: where all walls stand, on `any` machine, or `off`."
    )
    code_folder: str = Field(default="central-code", description="Where the environments of uploaded code are built.")
    code_seconds: float = Field(default=5.0, gt=0, le=600, description="Seconds that a call of uploaded code may take.")
    code_memory: int = Field(default=1024, ge=64, description="MiB of address space of a process that runs it.")
    code_build_seconds: float = Field(default=600.0, gt=0, description="Seconds that building an environment may take.")

    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs what subscriptions of stages are told (HMAC-SHA256)."
    )
    webhook_private: bool = Field(
        default=False, description="Whether subscriptions may name addresses that are not public."
    )
