"""Text files that a request carries within itself: read as documents, and encoded again where something changed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from guard.proxy.wire.wire import Place

_TEXT = re.compile(r"data:(?:text/[a-z0-9.+-]+|application/(?:json|xml|yaml))(?:;charset=utf-8)?;base64,", re.I)
#: Where messages and items have their parts.
_PARTS = ("content", "output")


@dataclass(frozen=True, slots=True)
class TextFile(Place):
    """A text file, whose data URL stands at `holder[key]`. Raises ValueError where it is none."""

    @property
    def value(self) -> str:
        """The text."""
        head = _TEXT.match(self.holder[self.key])
        if head is None:
            raise ValueError("no data URL of a text file")
        return base64.b64decode(self.holder[self.key][head.end() :], validate=True).decode()

    def write(self, text: str) -> None:
        """Put another text there."""
        if text != self.value:
            head = self.holder[self.key].partition(",")[0]
            self.holder[self.key] = f"{head},{base64.b64encode(text.encode()).decode()}"


def text_files(items: Any) -> Iterator[TextFile]:
    """Each file of messages, or of Responses' items, that is text. What cannot be decoded is not."""
    for item in items if isinstance(items, list) else ():
        for field in _PARTS:
            parts = item.get(field)
            for part in parts if isinstance(parts, list) else ():
                file = _text_file(part)
                if file is not None:
                    yield file


def _text_file(part: Any) -> TextFile | None:
    kind = part.get("type") if isinstance(part, dict) else None
    holder = part if kind == "input_file" else part.get("file") if kind == "file" else None
    if not isinstance(holder, dict) or not isinstance(holder.get("file_data"), str):
        return None
    file = TextFile((), holder, "file_data")
    try:
        return file if file.value else None
    except ValueError:  # no text's data URL, no base64, or no UTF-8
        return None
