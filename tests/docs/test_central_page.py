"""Whatever can be set at central, asked of it or answered by it is on its page."""

from __future__ import annotations

import re

from pydantic import SecretStr

from guard.central.app import ROOT, create_app
from guard.central.principal import MAY
from guard.central.settings import CentralSettings
from guard.errors import CentralError
from tests.docs.pages import DOCS

TEXT = (DOCS / "central.md").read_text(encoding="utf-8")
#: The pages that have central's routes: other products' clients have one each.
ROUTES = TEXT + "".join((DOCS / page).read_text(encoding="utf-8") for page in ("galileo.md", "rime.md"))


def test_every_setting_of_central_is_documented_with_variable_default_and_meaning() -> None:
    rows = []
    for name, field in CentralSettings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        cell = "" if shown in ("", {}, []) else f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"
        rows.append(f"| `{name}` | `GUARD_CENTRAL_{name.upper()}` | {cell} | {field.description} |")
    assert [row for row in rows if row not in TEXT] == []


def test_every_route_of_central_is_documented() -> None:
    paths = create_app(CentralSettings()).openapi()["paths"]
    asked = {f"`{method.upper()} {path.removeprefix(ROOT)}`" for path, methods in paths.items() for method in methods}
    assert len(asked) > 20
    assert sorted(one for one in asked if one not in ROUTES) == []


def test_every_role_and_every_error_is_documented() -> None:
    words = [*MAY, *(kind.code for kind in (CentralError, *CentralError.__subclasses__()) if kind is not CentralError)]
    assert [word for word in words if not re.search(rf"`{word}`", TEXT)] == []
