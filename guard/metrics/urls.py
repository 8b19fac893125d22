"""`urls`: the hosts that a text links to, and `{kind: urls, allow: [...]}`: those of them that are not allowed."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import ClassVar, NamedTuple
from urllib.parse import unquote

import idna
from pydantic import field_validator

from guard.metrics.fingerprint import fingerprint
from guard.metrics.metric import Maker, Metric
from guard.metrics.normalise import views
from guard.metrics.pattern import compiled
from guard.metrics.score import Score, Span, found
from guard.metrics.turn import Side, Turn

#: The top-level domains under which a bare name is taken for a link; others need a scheme, // or www.
_BARE = "com|net|org|info|biz|io|ai|app|dev|xyz|top|site|online|shop"
_START = re.compile(
    r"(?P<lead>(?<![a-z0-9])(?:(?:https?|wss?|ftp):[/\\]*|[a-z][a-z0-9+.-]{1,19}:[/\\]{2,})"
    r"|(?<=[(\"'=\[])[/\\]{2}(?=[\w\[]))"
    r"|(?<![a-z0-9])www\d{0,3}\.(?=[\w-])"
    rf"|(?<![\w@./\\:%=&-])(?:[a-z0-9-]{{1,63}}\.){{1,8}}(?:{_BARE})\b(?![\w@-]|\.\w)",
    re.IGNORECASE,
)
#: Whatever the above finds, this finds too, in a twentieth of the time.
_GATE = compiled(rf"[a-z]:|[/\\]{{2}}|www|\.(?:{_BARE})\b", case_sensitive=False)
_SURROGATES = re.compile("[\ud800-\udfff]")
_LONGEST_AUTHORITY = 512
_AUTHORITY = re.compile(rf"[^\s/\\?#<>\"]{{0,{_LONGEST_AUTHORITY + 1}}}")
_BEHIND_BACKSLASH = re.compile(rf"\\[^\s/?#<>\"]{{0,{_LONGEST_AUTHORITY}}}@")
#: The full stops of Chinese and Japanese separate labels too, but one that ends a sentence is followed by no letter.
_HOST = re.compile(
    r"\[[0-9A-Fa-f:.%]+\]|"
    r"(?:[^\x00-\x20\x7f\"'`()<>\[\]{}|\\^,;!*$&=+~@:/?#“”‘’«»…、，（）【】「」『』《》。．｡！？；：\ufffd]|[。．｡](?=[0-9A-Za-z]))+"  # noqa: RUF001
)
_RUN = re.compile(r"[^\s<>\"]*")
_TRAILING = ").,;:!?*]}'`_"
#: A longer name is no host (RFC 1035).
_LONGEST_HOST = 253


class Link(NamedTuple):
    """Characters `start` to `end` of a text link to `host`."""

    start: int
    end: int
    host: str


class Urls(Maker):
    """`allow` lists hosts (`example.com`); `*.example.org` is every host under example.org, but not that itself."""

    kind: ClassVar[str] = "urls"
    allow: tuple[str, ...]

    @field_validator("allow")
    @classmethod
    def _are_hosts(cls, allow: tuple[str, ...]) -> tuple[str, ...]:
        hosts = []
        for host in allow:
            name = host.removeprefix("*.")
            if "*" in name or not _HOST.fullmatch(name):
                raise ValueError(f"'{host}' is no host; write example.com, or *.example.com for those under it")
            hosts.append(host.removesuffix(name) + _name(name))
        return tuple(hosts)

    def make(self, name: str, folder: Path) -> Metric:
        """The metric of kind labels: the hosts that are not allowed."""
        return _links(name, frozenset(self.allow), "hosts linked to that are not allowed")


def urls() -> Metric:
    """The built-in metric: every host linked to."""
    return _links("urls", frozenset(), "hosts linked to")


def _links(name: str, allowed: Collection[str], description: str) -> Metric:
    def measure(turn: Turn, side: Side) -> Score:
        spans = (
            Span(start, end, host, passage=number)
            for number, passage in enumerate(turn.passages(side))
            for start, end, host in _everywhere(passage)
            if not _is_allowed(host, allowed)
        )
        return found(dict.fromkeys(spans))

    version = fingerprint(*sorted(allowed))
    return Metric(name, measure, kind="labels", version=version, windowed=True, description=description)


def _everywhere(passage: str) -> Iterator[Link]:
    """The links of a passage in every view of it."""
    if not passage.isascii():
        # Also as it is written: folding lookalike letters would make an allowed host of its imitation.
        written = _SURROGATES.sub("\ufffd", passage)
        yield from (link for link in _links_in(written) if "xn--" in link.host or not link.host.isascii())
    for view in views(passage, disguised=False):
        for link in _links_in(view.text):
            start, end = view.original(link.start, link.end) if view.original else (link.start, link.end)
            yield Link(start, end, link.host)


def _links_in(text: str) -> Iterator[Link]:
    run_end = link_end = 0
    for match in _START.finditer(text) if _GATE.search(text) else ():
        start, lead = match.start(), match["lead"]
        at = match.end() if lead else start
        if start >= run_end:
            run = _RUN.match(text, start)
            run_end = run.end() if run else start
            link_end = start + len(text[start:run_end].rstrip(_TRAILING))
        for host in _hosts(text, at):
            # "https:word" is a link only where the word can be a host.
            if host and ("." in host or not lead or lead[-1] in "/\\"):
                yield Link(start, max(link_end, match.end()), host)


def _hosts(text: str, at: int) -> Iterator[str]:
    """The hosts that a browser, or anybody who reads addresses differently, may go to for the authority at `at`."""
    match = _AUTHORITY.match(text, at)
    authority = match[0] if match else ""
    if len(authority) > _LONGEST_AUTHORITY:
        yield authority[:60] + "…"
        return
    userinfo, _, place = authority.rpartition("@")
    yield _host(place)
    first = _HOST.match(userinfo)
    if first and userinfo[first.end() : first.end() + 1] not in ("", ":"):
        yield _name(first[0])  # what follows this host cannot be userinfo, so the @ belongs to the prose
    beyond = _BEHIND_BACKSLASH.match(text, at + len(authority))
    if beyond:
        yield _host(text[beyond.end() : beyond.end() + _LONGEST_HOST])


def _host(place: str) -> str:
    match = _HOST.match(unquote(place))
    return _name(match[0]) if match else ""


def _name(host: str) -> str:
    """A host as names are looked up: lower case, in Punycode (IDNA 2008 after the mapping of UTS #46)."""
    host = host.strip(".。．｡-_")[:_LONGEST_HOST].lower()  # noqa: RUF001
    if host.isascii():
        return host
    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError:
        return host


def _is_allowed(host: str, allowed: Collection[str]) -> bool:
    if host in allowed:
        return True
    parents = [host[at + 1 :] for at, char in enumerate(host) if char == "."]
    return any(f"*.{parent}" in allowed for parent in parents)
