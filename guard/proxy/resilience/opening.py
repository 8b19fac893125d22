"""From the settings to the providers that they name."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from dataclasses import replace
from urllib.parse import urlsplit

from guard.errors import SettingsError
from guard.providers import load
from guard.proxy.any_provider import AnyProvider
from guard.proxy.demo import DemoUpstream
from guard.proxy.resilience.breaker import Breaker
from guard.proxy.resilience.retries import Retries
from guard.proxy.resilience.target import Target
from guard.proxy.resilience.targets import Targets
from guard.proxy.upstream import ANTHROPIC, OPENAI, Api, HttpUpstream, Upstream
from guard.settings import Settings


def open_targets(settings: Settings, stack: AsyncExitStack, upstream: Upstream | None = None) -> Targets:
    """The upstream and its stand-ins, closed with the stack; `upstream` is used for the first, and is not closed.

    May take seconds. Raises SettingsError where a key is missing.
    """
    if upstream is None:
        # An app's key is Guard's own: it is never shown to the provider.
        pass_key = not settings.apps and not settings.central
        upstream = _opened(settings, stack, settings.upstream, settings.upstream_key_env, pass_key=pass_key)
    first = _target(settings, _host(settings.upstream), upstream)
    providers, targets = {("", ""): first}, [first]
    for fallback in settings.fallbacks:
        where = (fallback.upstream, fallback.upstream_key_env)
        if where not in providers:
            # The caller's key is for the provider that the caller knows of.
            other = _opened(settings, stack, *where, pass_key=False)
            name = fallback.name or _host(fallback.upstream)
            alike = sum(provider.breaker.name.partition("#")[0] == name for provider in providers.values())
            providers[where] = _target(settings, f"{name}#{alike + 1}" if alike else name, other)
        provider = providers[where]
        name = fallback.name or "/".join(filter(None, (provider.name, fallback.model)))
        targets.append(replace(provider, name=name, model=fallback.model, models=tuple(fallback.models)))
    return Targets(targets)


def open_anthropic(settings: Settings, stack: AsyncExitStack, targets: Targets) -> Targets:
    """Who is asked in Anthropic's protocol: a provider of its own where the settings name one, else the `targets`.

    Other models there stand in for it; another upstream does not, since it may not speak the protocol.
    """
    url = settings.anthropic_upstream
    if not url:
        return targets
    upstream = _http(settings, url, key_of(settings.anthropic_key_env, ANTHROPIC.setting), not settings.apps, ANTHROPIC)
    stack.push_async_callback(upstream.aclose)
    name = _host(url)
    first = _target(settings, f"{name}#anthropic" if name in targets.states else name, upstream)
    others = [
        replace(first, name=one.name or f"{first.name}/{one.model}", model=one.model, models=tuple(one.models))
        for one in settings.fallbacks
        if not one.upstream
    ]
    return Targets([first, *others])


def _target(settings: Settings, name: str, upstream: Upstream) -> Target:
    breaker = Breaker(name, failures=settings.breaker_failures, pause=settings.breaker_pause)
    retries = Retries(settings.retries, frozenset(settings.retry_on), longest=settings.retry_wait)
    return Target(name, upstream, breaker, retries)


def _host(upstream: str) -> str:
    """What headers call a provider: its host, never a path, a user or a password that stand in its URL."""
    parts = urlsplit(upstream)
    return f"{parts.hostname}:{parts.port}" if parts.port else parts.hostname or upstream


def _opened(settings: Settings, stack: AsyncExitStack, url: str, key_env: str, *, pass_key: bool) -> Upstream:
    upstream = _upstream(settings, url, key_of(key_env), pass_key)
    stack.push_async_callback(upstream.aclose)
    return upstream


def key_of(variable: str, setting: str = OPENAI.setting) -> str:
    """The provider's key in this variable; empty where no variable is named. Raises SettingsError."""
    key = os.environ.get(variable, "") if variable else ""
    if variable and not key:
        raise SettingsError(f"{setting}: the variable {variable} is not set; set it")
    return key


def _upstream(settings: Settings, url: str, key: str, pass_key: bool) -> Upstream:
    if url == "demo":
        return DemoUpstream()
    kind, _, provider = url.partition("/")
    if kind == "litellm":
        load()
        return AnyProvider(provider, key=key, timeout=settings.read_timeout)
    return _http(settings, url, key, pass_key, OPENAI)


def _http(settings: Settings, url: str, key: str, pass_key: bool, api: Api) -> HttpUpstream:
    return HttpUpstream(
        url,
        api,
        connect=settings.connect_timeout,
        read=settings.read_timeout,
        connections=settings.connections,
        key=key,
        pass_key=pass_key,
        limit=settings.max_answer,
    )
