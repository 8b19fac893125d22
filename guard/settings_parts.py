"""What settings are made of that are more than a word: keys, limits, fallbacks, servers."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator


class AppKey(BaseModel):
    """A key of an app with what goes with it.

    `key` is `sha256:HEX` or `env:NAME`; `name` tells it from the app's others, by default by its hash; `policy` is the
    one that holds for it whatever `applies_to` says; `labels` go onto its turns, and no request changes them.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str = ""
    policy: str = ""
    labels: dict[str, str] = Field(default_factory=dict)

    @field_validator("labels")
    @classmethod
    def _no_other_names(cls, labels: dict[str, str]) -> dict[str, str]:
        for taken in sorted({"app", "key", "model", "route", "policy"} & labels.keys()):
            raise ValueError(f"'{taken}' is said by other means; give the label another name")
        return labels


class Limit(BaseModel):
    """How much each `per` may ask for: `requests` and `tokens` in `every` minute, hour, day or month, and `concurrent`.

    `apps` are patterns of the apps that it is for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    per: Literal["app", "key", "user", "session"] = "app"
    apps: list[str] = Field(default=["*"], min_length=1)
    every: Literal["minute", "hour", "day", "month"] = "minute"
    requests: int | None = Field(default=None, ge=1)
    tokens: int | None = Field(default=None, ge=1)
    concurrent: int | None = Field(default=None, ge=1)

    @property
    def kinds(self) -> dict[Literal["requests", "tokens", "concurrent"], int]:
        """What is limited, and to how much."""
        limits = {"requests": self.requests, "tokens": self.tokens, "concurrent": self.concurrent}
        return {kind: most for kind, most in limits.items() if most is not None}  # type: ignore[misc]

    @model_validator(mode="after")
    def _something(self) -> Limit:
        if not self.kinds:
            raise ValueError("limits nothing; give requests, tokens or concurrent")
        return self


class Fallback(BaseModel):
    """Who is asked when the upstream fails: another `model` there, or another `upstream` with its own key.

    `models` are patterns of the models that it stands in for; `name` is what headers call it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    upstream: str = ""
    upstream_key_env: str = ""
    model: str | None = Field(default=None, min_length=1)
    models: list[str] = Field(default=["*"], min_length=1)

    @field_validator("upstream")
    @classmethod
    def _known_upstream(cls, upstream: str) -> str:
        return upstream_of(upstream) if upstream else ""

    @model_validator(mode="after")
    def _somewhere_else(self) -> Fallback:
        if not self.upstream and (self.upstream_key_env or not self.model):
            raise ValueError("give another upstream, or another model at the same one")
        return self


class McpServer(BaseModel):
    """An MCP server: its URL, the variable with its key, and methods to let in beside those that are understood."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern="^https?://")
    key_env: str = ""
    open_methods: tuple[str, ...] = ()


def upstream_of(upstream: str) -> str:
    """What a setting says of a provider, tidied. Raises ValueError where it can be none."""
    if upstream == "demo" or upstream.split("/")[0] == "litellm" or upstream.startswith(("http://", "https://")):
        return upstream.rstrip("/")
    raise ValueError("give http(s)://…/v1, litellm, litellm/PROVIDER or demo")
