"""Who calls central, and what each role may do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from guard.errors import Forbidden, NotFound

Role: TypeAlias = Literal["admin", "editor", "viewer", "app", "proxy"]
Permission: TypeAlias = Literal["read", "write", "admin", "use", "follow"]

#: read: look at everything but keys; write: stages, policies and what is in force; admin: projects, apps and keys;
#: use: have texts checked; follow: fetch bundles and report on oneself.
MAY: Mapping[Role, frozenset[Permission]] = {
    "admin": frozenset({"read", "write", "admin", "use", "follow"}),
    "editor": frozenset({"read", "write", "use"}),
    "viewer": frozenset({"read"}),
    "app": frozenset({"use"}),
    "proxy": frozenset({"follow"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever a key stands for. `project` is the id of the only one it is for; None: the whole organisation."""

    key: str
    name: str
    role: Role
    project: str | None = None
    app: str | None = None

    @property
    def label(self) -> str:
        """The name that records keep, which several keys may have, and the key's id, which no other has."""
        return f"{self.name} ({self.key})"

    def sees(self, project: str) -> bool:
        """Whether the key is for that project, among others or alone."""
        return self.project in (None, project)

    def need(self, permission: Permission) -> None:
        """Raise Forbidden where the role may not."""
        if permission not in MAY[self.role]:
            able = ", ".join(role for role, may in MAY.items() if permission in may)
            raise Forbidden(f"a key of role '{self.role}' may not do this; take one of: {able}")

    def need_all(self, permission: Permission) -> None:
        """The same for what concerns every project."""
        self.need(permission)
        if self.project is not None:
            raise Forbidden("this concerns every project, and the key is for one only; take one of the organisation's")

    def need_in(self, project: str, permission: Permission) -> None:
        """The same for what concerns one project. Raises NotFound where the key is for another one."""
        if not self.sees(project):
            raise NotFound("there is no such project, or this key is not for it", param="project")
        self.need(permission)


#: What a command on central's own machine does is done by this one.
OPERATOR = Principal("-", "operator", "admin")
