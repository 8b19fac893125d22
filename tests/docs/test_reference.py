"""Whatever a user can write, call or see is on its page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from pydantic import SecretStr
from starlette.routing import Route

from guard.cli import app as cli
from guard.errors import BadRequest, GuardError, UpstreamError
from guard.metrics import SIDES
from guard.metrics.registry import BUILT_IN, KINDS, REGISTRY, maker
from guard.policies import Policy
from guard.policies.cases import Call, Case, CaseFile, Unmeasured
from guard.policies.files import BUILT_IN as POLICIES
from guard.policies.files import policy_files
from guard.policies.scope import AppliesTo
from guard.proxy.app import create_app
from guard.settings import AppKey, Fallback, Limit, McpServer, Settings
from guard.stages import Override, Passthrough, Redact, Rule, Ruleset, Stage, Subscription
from guard.stages.action import Status
from guard.stages.rule import OPERATORS
from guard.telemetry.families import FAMILIES
from tests.docs.pages import DOCS, ROOT

WRITTEN = (
    *(Policy, AppliesTo, Stage, Ruleset, Rule, Passthrough, Override, Redact, Subscription),
    *(CaseFile, Case, Call, Unmeasured),
)


def missing(page: Path, words: list[str]) -> list[str]:
    """The words that do not stand on the page as code."""
    text = page.read_text(encoding="utf-8")
    return [word for word in words if not re.search(rf"`[^`\n]*(?<![\w-]){re.escape(word)}(?![\w-])[^`\n]*`", text)]


def test_every_setting_is_on_its_page_with_variable_default_and_meaning():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [row for row in setting_rows() if row not in text] == []


def test_every_field_of_an_mcp_server_is_documented():
    assert missing(DOCS / "mcp.md", list(McpServer.model_fields)) == []


def test_no_setting_is_documented_that_is_gone():
    text = (DOCS / "settings.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`GUARD_([A-Z_]+)`", text)) - {"CONFIG", "CENTRAL_KEY"}
    assert documented == {name.upper() for name in Settings.model_fields}


def setting_rows() -> Iterator[str]:
    """The rows of the page's table, as they have to stand there."""
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = default.get_secret_value() if isinstance(default, SecretStr) else default
        cell = "" if shown in ("", {}, []) else f"`{str(shown).lower() if isinstance(shown, bool) else shown}`"
        yield f"| `{name}` | `GUARD_{name.upper()}` | {cell} | {field.description} |"


@pytest.mark.parametrize("model", [Fallback, Limit])
def test_every_field_of_a_fallback_and_of_a_limit_is_documented(model):
    assert missing(DOCS / "resilience.md", list(model.model_fields)) == []


def test_every_field_of_a_key_is_documented():
    assert missing(DOCS / "proxy.md", list(AppKey.model_fields)) == []


@pytest.mark.parametrize("model", WRITTEN, ids=lambda model: model.__name__)
def test_every_field_of_a_policy_file_is_documented(model):
    fields = [field for field in model.model_fields if not (model is Stage and field == "name")]
    assert missing(DOCS / "policies.md", fields) == []


def test_every_word_of_a_policy_file_is_documented():
    words = [*OPERATORS, *Status, *SIDES, "passthrough", "override", "redact", "enforce", "observe", "block", "allow"]
    assert missing(DOCS / "policies.md", words) == []


def test_every_built_in_policy_is_documented():
    names = [f"builtin/{file.stem}" for file in policy_files(POLICIES)]
    assert names
    assert missing(DOCS / "policies.md", names) == []


def metric_pages() -> str:
    return "\n".join(page.read_text(encoding="utf-8") for page in sorted((DOCS / "metrics").glob("*.md")))


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_every_metric_is_documented_with_its_labels(name):
    text = metric_pages()
    assert f"`{name}`" in text
    assert [label for label in sorted(REGISTRY[name].labels or ()) if f"`{label}`" not in text] == []


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_metric_is_documented_with_its_fields(kind):
    pages = [page.read_text(encoding="utf-8") for page in sorted((DOCS / "metrics").glob("*.md"))]
    about = "\n".join(text for text in pages if re.search(rf"kind: {kind}\b", text))
    assert about, f"no page shows {{kind: {kind}, …}}"
    fields = [field.alias or name for name, field in maker(kind).model_fields.items()]
    assert [field for field in fields if f"`{field}`" not in about] == []


def commands(command: Any, path: str = "guard") -> Iterator[tuple[str, list[str]]]:
    """Every command with its options."""
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{path} {name}")
    if not hasattr(command, "commands"):
        options = [option for parameter in command.params for option in parameter.opts]
        yield path, [option for option in options if option.startswith("--") and option != "--help"]


@pytest.mark.parametrize(("command", "options"), list(commands(typer.main.get_command(cli))))
def test_every_command_is_documented_with_its_options(command, options):
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    sections = re.split(r"^(?=#)", text, flags=re.M)
    about = [section for section in sections if re.match(rf"#+ `{command}\b[^`]*`", section)]
    assert about, f"docs/cli.md has no heading `{command}`"
    assert [option for option in options if f"`{option}" not in about[0]] == []


def test_every_figure_is_documented_with_its_kind_labels_and_meaning():
    text = (DOCS / "telemetry.md").read_text(encoding="utf-8")
    rows = [
        f"| `{one.name}{'_total' if one.kind == 'counter' else ''}` | {one.kind} | "
        f"{', '.join(f'`{label}`' for label in one.labels)} | {one.help} |"
        for one in FAMILIES
    ]
    assert [row for row in rows if row not in text] == []
    documented = {row.split(" | ")[0] for row in text.splitlines() if row.startswith("| `guard_")}
    assert documented == {row.split(" | ")[0] for row in rows}


def test_every_route_is_documented():
    app = create_app(Settings.model_validate({"upstream": "demo"}))
    routes = [route.path.replace(":path", "") for route in app.routes if isinstance(route, Route)]
    assert missing(DOCS / "proxy.md", routes) == []


def test_every_response_header_is_documented():
    sources = [*(ROOT / "guard" / "proxy").rglob("*.py"), ROOT / "guard" / "notify.py"]
    headers = {name for file in sources for name in re.findall(r'"(x-guard-[a-z]+)"', file.read_text(encoding="utf-8"))}
    assert len(headers) > 5
    assert missing(DOCS / "proxy.md", sorted(headers)) == []


def test_every_error_that_a_caller_can_get_is_documented():
    def tree(root: type[GuardError]) -> Iterator[type[GuardError]]:
        yield root
        for child in root.__subclasses__():
            yield from tree(child)

    codes = {kind.code for root in (BadRequest, UpstreamError) for kind in tree(root)}  # type: ignore[attr-defined]
    assert len(codes) > 4
    assert missing(DOCS / "proxy.md", sorted(codes)) == []
