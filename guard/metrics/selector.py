"""Which texts of a side a rule reads: those of some roles or of one tool, and of JSON the values at a path."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from guard.metrics import json_path
from guard.metrics.turn import MODEL_ROLES, TOOLS, TRUSTED_ROLES, Side

Role = Literal["user", "system", "developer", "assistant", "tools"]
#: What can be told apart on each side.
FITTING: dict[Side, tuple[str, ...]] = {
    "input": ("roles",),
    "output": (),
    "tool_call": ("tool", "path"),
    "tool_result": ("tool", "path"),
    "retrieval": ("path",),
}


class Selector(BaseModel):
    """`roles` are those of messages; `tool` is a tool's name or a pattern of names; `path` leads into JSON.

    What is written must all fit. A text of which it is not known whether it fits is read whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    roles: tuple[Role, ...] = ()
    tool: str = Field(default="", max_length=200)
    path: str = ""

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, path: str) -> str:
        if path:
            json_path.query(path)
        return path

    @model_validator(mode="after")
    def _says_something(self) -> Selector:
        if not self.written:
            raise ValueError("chooses nothing; write roles, tool or path, or remove it")
        return self

    @property
    def written(self) -> tuple[str, ...]:
        """The fields that choose."""
        return tuple(name for name in ("roles", "tool", "path") if getattr(self, name))

    def __str__(self) -> str:
        """`tool search, path $.query`."""
        shown = {"roles": f"roles {'+'.join(self.roles)}", "tool": f"tool {self.tool}", "path": f"path {self.path}"}
        return ", ".join(shown[name] for name in self.written)

    def fits(self, role: str, tool: str) -> bool:
        """Whether texts of this author are read at all; a tool's name that is not known may be any.

        A role that is not known is not trusted: it counts as the user's.
        """
        role = role if role in MODEL_ROLES | TRUSTED_ROLES | {TOOLS} else "user"
        return (not self.roles or role in self.roles) and (not self.tool or not tool or fnmatchcase(tool, self.tool))
