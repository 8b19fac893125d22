"""The project's pages, and what stands in them: code blocks and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_BLOCK = re.compile(
    r"(?P<skip>^ *<!-- skip: .+ -->\n)?^(?P<indent> *)```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^(?P=indent)```$",
    re.M | re.S,
)
_FILE = re.compile(r"# (?P<name>[\w./-]+\.\w+)$", re.M)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced code block. `line` is where its code begins; `skip`: a comment above it takes it out of the tests."""

    page: Path
    line: int
    language: str
    code: str
    skip: bool

    @property
    def file(self) -> str | None:
        """The file that the block's first line says it is."""
        match = _FILE.match(self.code)
        return match["name"] if match else None

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that a reader is sent to."""
    return [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *sorted(DOCS.rglob("*.md"))]


def blocks(page: Path, *languages: str) -> Iterator[Block]:
    """The page's code blocks in these languages, in their order, the skipped ones aside."""
    text = page.read_text(encoding="utf-8")
    for match in _BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        block = Block(page, line, match["language"], dedent(match["code"]), match["skip"] is not None)
        if block.language in languages and not block.skip:
            yield block


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links, code aside."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.S)
    yield from (match["target"] for match in _LINK.finditer(text))


def heading_ids(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
