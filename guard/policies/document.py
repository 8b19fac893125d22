"""YAML that knows its lines: every value of a policy file can be found again by file and line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from guard.errors import PolicyError, nearest

MAX_BYTES = 1_000_000
MAX_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file's content, and where each part of it stands."""

    data: Any
    file: str

    def where(self, path: Sequence[str | int] = ()) -> str:
        """`file:line` of the value at a path of keys and indexes, or of the nearest thing around it."""
        node, line = self.data, 0
        for step in path:
            if isinstance(node, CommentedMap) and step in node:
                line = node.lc.key(step)[0]
            elif isinstance(node, CommentedSeq) and isinstance(step, int) and step < len(node):
                line = node.lc.item(step)[0]
            else:
                continue  # pydantic names union members in its paths; the file does not
            node = node[step]
        return f"{self.file}:{line + 1}"

    def problem(self, path: Sequence[str | int], text: str) -> str:
        """One line of a PolicyError."""
        return f"{self.where(path)}: {text}"

    def explain(self, error: ValidationError, path: Sequence[str | int] = (), *, known: Sequence[str] = ()) -> PolicyError:
        """pydantic's complaints about the value at `path`, with file, line and the nearest valid word."""
        return PolicyError(
            *(self.problem((*path, *one["loc"]), _say(one, known)) for one in error.errors(include_url=False))
        )


def read(file: Path, *, name: str | None = None) -> Document:
    """The document in a file. Raises PolicyError where it cannot be read or is no YAML mapping."""
    shown = name or str(file)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise PolicyError(f"{shown}:1: cannot be read: {error.strerror}") from None
    return parse(content, shown)


def parse(content: bytes, file: str) -> Document:
    """The document in some bytes, shown as `file` in errors. Raises PolicyError."""
    if len(content) > MAX_BYTES:
        raise PolicyError(f"{file}:1: {len(content):,} bytes are more than a policy's {MAX_BYTES:,}; split it")
    try:
        data = YAML(typ="rt").load(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise PolicyError(f"{file}:{line}: is not UTF-8; save it as UTF-8") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise PolicyError(f"{file}:{mark.line + 1 if mark else 1}: is not YAML: {said}") from None
    except (YAMLError, RecursionError, ValueError) as error:
        raise PolicyError(f"{file}:1: is not YAML: {error or 'nested too deeply'}") from None
    if not isinstance(data, CommentedMap):
        raise PolicyError(f"{file}:1: is not a mapping; begin with 'policy: NAME'")
    _bound(data, file)
    return Document(data, file)


def _bound(data: Any, file: str) -> None:
    """Refuse depths that would exhaust the stack, and aliases, which can blow up to any size."""
    waiting = [(data, 0)]
    seen: set[int] = set()
    while waiting:
        node, depth = waiting.pop()
        if not isinstance(node, (CommentedMap, CommentedSeq)):
            continue
        if depth > MAX_DEPTH:
            raise PolicyError(f"{file}:{node.lc.line + 1}: is nested more than {MAX_DEPTH} deep")
        if id(node) in seen:
            raise PolicyError(f"{file}:{node.lc.line + 1}: aliases (*name) are not taken; write it out, or use extends")
        seen.add(id(node))
        waiting.extend((child, depth + 1) for child in (node.values() if isinstance(node, CommentedMap) else node))


def _say(error: Any, known: Sequence[str]) -> str:
    """One complaint of pydantic's, as a sentence with its fix."""
    kind, loc, context = error["type"], error["loc"], error.get("ctx", {})
    last = loc[-1] if loc else ""
    if kind == "extra_forbidden":
        return f"no field '{last}'" + (f"; {nearest(str(last), known)}" if known else "")
    if kind == "missing":
        return f"'{last}' is missing"
    if kind in ("literal_error", "enum"):
        valid = [word.strip(" '") for word in str(context["expected"]).replace(" or ", ",").split(",")]
        return f"'{error['input']}' is no {last}; {nearest(str(error['input']), valid)}"
    if kind == "union_tag_invalid":
        valid = [word.strip(" '") for word in str(context["expected_tags"]).split(",")]
        return f"'{context['tag']}' is no type of {last}; {nearest(str(context['tag']), valid)}"
    if kind == "union_tag_not_found":
        return f"'{last}' says no type; write {{type: override, choices: [...]}}, passthrough or redact"
    message = error["msg"].removeprefix("Value error, ")
    return f"{last}: {message}" if last != "" else message
