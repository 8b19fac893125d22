"""Every setting, once. Each comes from a flag, an environment variable `GUARD_…`, or `guard.yaml`, in that order."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from guard.metrics.verdicts import LIMIT
from guard.settings_file import ServedSettings
from guard.settings_parts import AppKey, Fallback, Limit, McpServer, upstream_of

__all__ = ["AppKey", "Fallback", "Limit", "McpServer", "Settings"]


class Settings(ServedSettings):
    """How Guard runs. The environment variable of a field is `GUARD_` and its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="GUARD_", extra="forbid", frozen=True)

    policy: str = Field(
        default="builtin/baseline",
        description="A policy file, a folder of them, a URL, `git+URL#BRANCH:FOLDER`, or a built-in one.",
    )
    reload: float = Field(default=1.0, gt=0, description="Seconds between looks for changed policy files.")
    measure_all: bool = Field(default=False, description="Measure also what can change no decision any more.")
    verdict_cache: int = Field(
        default=LIMIT, ge=0, description="Bytes of verdicts on texts measured before that a worker keeps; 0: none."
    )

    central: str = Field(
        default="",
        description="The address of `guard central`, from where policies and app keys then come; empty: `policy`.",
    )
    central_key_env: str = Field(
        default="GUARD_CENTRAL_KEY", description="The variable that holds a key of role `proxy` for it."
    )
    central_trust: list[str] = Field(
        default_factory=list, description="Its public keys, `ed25519:…`, one of which must have signed what it sends."
    )
    central_cache: str = Field(
        default="", description="The folder for the last good bundle; empty: in the user's cache folder."
    )
    central_ca: str = Field(
        default="", description="A PEM file with the authorities of its certificate; empty: this machine's."
    )
    central_certificate: str = Field(
        default="", description="A PEM file with a certificate and its key, to show it where it asks for one."
    )
    environment: Literal["staging", "production"] = Field(
        default="production", description="What is followed there, of the setting `project`."
    )

    upstream: str = Field(
        default="https://api.openai.com/v1",
        description="The provider: the base URL of an OpenAI-compatible one, `litellm` or `litellm/PROVIDER` for any "
        "other, or `demo` for the small built-in one.",
    )
    upstream_key_env: str = Field(
        default="", description="The variable that holds the provider's key; empty: the caller's own key is passed on."
    )
    anthropic_upstream: str = Field(
        default="",
        description="The provider of Anthropic's protocol: a base URL, such as `https://api.anthropic.com/v1`; "
        "empty: the `upstream` is asked.",
    )
    anthropic_key_env: str = Field(
        default="", description="The variable that holds its key; empty: the caller's own key is passed on."
    )
    connect_timeout: float = Field(default=5.0, gt=0, description="Seconds to connect to the provider.")
    read_timeout: float = Field(default=120.0, gt=0, description="Seconds to wait for the provider's next bytes.")
    max_connections: int = Field(
        default=0, ge=0, description="Connections to a provider, for each worker; 0: as many as requests and streams."
    )
    deadline: float = Field(
        default=600.0, gt=0, description="Seconds for a request in all: every attempt, and a stream to its end."
    )
    retries: int = Field(default=2, ge=0, le=10, description="How often a call to a provider is made again at most.")
    retry_on: list[int | Literal["connect", "disconnect", "timeout"]] = Field(
        default=["connect", 408, 429, 503, 529],
        description="What is tried again: statuses, and `connect`, `disconnect` or `timeout`.",
    )
    retry_wait: float = Field(
        default=5.0, ge=0, description="Seconds before a retry at most, also where the provider asks for more."
    )
    breaker_failures: int = Field(
        default=5, ge=0, le=1000, description="Failures after which a provider is left alone; 0: never."
    )
    breaker_pause: float = Field(
        default=5.0, gt=0, description="Seconds that it is left alone; each failed trial doubles them, up to 60."
    )
    fallbacks: list[Fallback] = Field(
        default_factory=list, description="Who is asked when the upstream fails, in order."
    )

    host: str = Field(default="127.0.0.1", description="The address to listen on.")
    port: int = Field(default=8787, ge=0, le=65535, description="The port to listen on; 0 for any free one.")
    workers: int = Field(default=1, ge=1, le=256, description="Processes that serve.")
    max_requests: int = Field(
        default=1000, gt=0, description="Requests under way at once, for each worker; a stream until its first event."
    )
    max_streams: int = Field(default=1000, ge=0, description="Streams under way at once, for each worker.")
    queue: int = Field(default=100, ge=0, description="Requests that wait for a place, for each worker.")
    body_timeout: float = Field(default=30.0, gt=0, description="Seconds for a request's body to come whole.")
    queue_timeout: float = Field(default=1.0, gt=0, description="Seconds that they wait before they are refused.")
    measure_queue: int = Field(
        default=64, ge=0, description="Measurements that wait for a thread before new requests are refused."
    )
    drain_delay: float = Field(
        default=2.0, ge=0, description="Seconds for which a worker told to end (SIGTERM) serves on as not ready."
    )
    drain_timeout: float = Field(
        default=25.0, gt=0, description="Seconds that what is under way then has to come to its end."
    )
    redis: SecretStr = Field(
        default=SecretStr(""),
        description="The URL of a Redis that workers share limits and verdicts through; empty: each counts for itself.",
    )
    verdict_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Signs the verdicts that workers share through Redis, the same for all; empty: none are shared.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much the log tells."
    )

    apps: dict[str, list[str | AppKey]] = Field(
        default_factory=dict,
        description="App keys by app, each `sha256:HEX` (see `guard key`) or `env:NAME`; none: no key is asked for.",
    )
    limits: list[Limit] = Field(
        default_factory=list, description="How much an app, a key, a user or a session may ask for."
    )
    open_routes: list[str] = Field(
        default_factory=list,
        description="Routes under /v1 that are passed to the provider unguarded; other unread ones are refused.",
    )
    mcp: dict[Annotated[str, Field(pattern=r"^[\w.-]+$")], McpServer] = Field(
        default_factory=dict,
        description="MCP servers by name, each a URL or `{url, key_env, open_methods}`; see [MCP](mcp.md).",
    )
    mcp_origins: list[str] = Field(
        default_factory=list,
        description="Origins of web pages that may call MCP servers, such as `https://example.com`.",
    )
    max_body: int = Field(default=8_000_000, gt=0, description="Bytes of a request's body.")
    max_messages: int = Field(default=10_000, gt=0, description="Messages in a request.")
    max_answer: int = Field(
        default=16_000_000,
        gt=0,
        description="Bytes of a provider's answer; of a stream, of its texts and the events that wait.",
    )

    window: int = Field(default=480, ge=64, description="Characters of a streamed answer that are read together.")
    overlap: int = Field(
        default=120, ge=16, description="Characters that two such windows share; at most half a window."
    )

    project: str = Field(default="default", description="The project that events are recorded under.")
    store: str = Field(default="sqlite:///guard.db", description="Where events are kept; `none` keeps none.")
    spool: str = Field(
        default="", description="The folder for events on their way to the store; empty: beside the store."
    )
    event_text: Literal["masked", "none", "full"] = Field(default="masked", description="How the turn's text is kept.")
    retention_days: float = Field(default=30.0, ge=0, description="Days that events are kept; 0: for ever.")
    webhook_secret: SecretStr = Field(
        default=SecretStr(""), description="Signs what subscriptions are told (HMAC-SHA256)."
    )
    webhook_private: bool = Field(
        default=False, description="Whether subscriptions may be at private, loopback and link-local addresses."
    )
    redact_key: SecretStr = Field(
        default=SecretStr(""),
        description="Draws the pseudonyms and fakes of redactions; empty: another one at each start.",
    )

    metrics: bool = Field(default=True, description="Whether `GET /metrics` gives figures to Prometheus.")
    metrics_port: int = Field(
        default=0, ge=0, le=65535, description="A port of its own for `/metrics`; 0: the one that apps use."
    )
    metrics_token: SecretStr = Field(
        default=SecretStr(""),
        description="What a reader of `/metrics` has to send as its bearer token; empty: nothing.",
    )
    traces: str = Field(
        default="",
        description="Where OpenTelemetry traces go: the address of a collector (OTLP over HTTP), or `otlp` for where "
        "the variables `OTEL_…` say; empty: there are none.",
    )
    trace_text: Literal["none", "masked", "full"] = Field(
        default="none", description="How much of prompts and answers stands in the traces."
    )

    @property
    def connections(self) -> int:
        """To each provider, for each worker."""
        return self.max_connections or self.max_requests + self.max_streams

    @field_validator("mcp", mode="before")
    @classmethod
    def _url_alone(cls, servers: Any) -> Any:
        if not isinstance(servers, dict):
            return servers
        return {name: {"url": server} if isinstance(server, str) else server for name, server in servers.items()}

    @field_validator("verdict_secret")
    @classmethod
    def _is_long(cls, secret: SecretStr) -> SecretStr:
        if 0 < len(secret.get_secret_value()) < 16:
            raise ValueError("must have 16 characters or more; make one: openssl rand -hex 32")
        return secret

    @field_validator("overlap")
    @classmethod
    def _at_most_half(cls, overlap: int, info: Any) -> int:
        if overlap * 2 > info.data.get("window", 2 * overlap):
            raise ValueError("must be at most half of window, or every character would be read more than twice")
        return overlap

    @field_validator("upstream")
    @classmethod
    def _known_upstream(cls, upstream: str) -> str:
        return upstream_of(upstream)

    @field_validator("traces")
    @classmethod
    def _known_traces(cls, traces: str) -> str:
        if traces in ("", "otlp") or traces.startswith(("http://", "https://")):
            return traces.rstrip("/")
        raise ValueError("give http(s)://HOST:4318, or otlp")

    @field_validator("anthropic_upstream")
    @classmethod
    def _base_url(cls, upstream: str) -> str:
        if upstream and not upstream.startswith(("http://", "https://")):
            raise ValueError("give http(s)://…/v1, or nothing")
        return upstream.rstrip("/")

    @field_validator("anthropic_key_env")
    @classmethod
    def _has_a_provider(cls, name: str, info: Any) -> str:
        if name and not info.data.get("anthropic_upstream", True):
            raise ValueError("set anthropic_upstream too, or no provider gets to see this key")
        return name
