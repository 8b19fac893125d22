"""Every example on a page works as it stands there."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main
from typer.testing import CliRunner

from guard.cli import app as cli
from guard.errors import PolicyError
from guard.policies import load_policy
from guard.policies.document import parse
from guard.policies.files import is_cases
from guard.policies.policy import Policy
from guard.settings import Settings
from tests.docs.pages import DOCS, ROOT, Block, blocks, pages

with_python = [page for page in pages() if any(blocks(page, "python"))]
commands = [
    (block, line)
    for page in pages()
    for block in blocks(page, "bash")
    for line in block.code.replace("\\\n", " ").splitlines()
]


def write_files(page: Path, folder: Path) -> None:
    """Put every block that says which file it is where the page's other examples look for it."""
    for block in blocks(page, "yaml", "python", "markdown", "json", "text"):
        if block.file:
            file = folder / block.file
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(block.code, encoding="utf-8")


@pytest.mark.parametrize("page", with_python, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_python_of_a_page_runs_from_top_to_bottom(page, tmp_path):
    write_files(page, tmp_path)
    # One process a page: what a page registers or sets must not help the next one. Its lines keep their numbers.
    run = "\n".join(
        f"exec(compile({chr(10) * (block.line - 1) + block.code!r}, {str(page)!r}, 'exec'), space)"
        for block in blocks(page, "python")
    )
    program = f"space = {{'__name__': '__main__'}}\n{run}\n"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}", "HF_HUB_OFFLINE": "1"}
    result = subprocess.run(
        [sys.executable, "-W", "error::SyntaxWarning", "-c", program],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.returncode == 0, result.stderr[-2000:]


@pytest.mark.parametrize("block", [block for page in pages() for block in blocks(page, "yaml")], ids=str)
def test_a_yaml_example_loads(block, tmp_path, monkeypatch):
    write_files(block.page, tmp_path)
    monkeypatch.chdir(tmp_path)
    data = parse(block.code.encode(), str(block)).data
    if block.file and is_cases(Path(block.file)):
        result = CliRunner().invoke(cli, ["policy", "test", block.file.replace(".cases", "")])
        assert result.exit_code == 0, result.output
        return
    if data.keys() <= Policy.model_fields.keys() | {"policy"} and not data.keys() <= Settings.model_fields.keys():
        named = block.code if "policy" in data else f"policy: example\n{block.code}"
        file = tmp_path / (block.file or "example.yaml")
        file.write_text(named, encoding="utf-8")
        load_policy(file)
    else:
        file = tmp_path / "guard.yaml"
        file.write_text(block.code, encoding="utf-8")
        Settings.load(file)


@pytest.mark.parametrize(("block", "line"), commands, ids=lambda value: str(value) if isinstance(value, Block) else "")
def test_a_command_on_a_page_exists_with_its_options(block, line):
    words = shlex.split(line, comments=True)
    if "guard" not in words:
        return
    words = words[words.index("guard") :]
    command = typer.main.get_command(cli)
    for word in words[1:]:
        commands = getattr(command, "commands", None)
        if commands is not None:
            assert word in commands, f"there is no {line}"
            command = commands[word]
        elif word.startswith("--"):
            known = [option for parameter in command.params for option in parameter.opts]
            assert word.partition("=")[0] in [*known, "--help"], f"there is no option {word}"


def test_the_quick_start_shows_the_error_that_its_broken_policy_gives(tmp_path, monkeypatch):
    page = DOCS / "quickstart.md"
    write_files(page, tmp_path)
    monkeypatch.chdir(tmp_path)
    file = Path("shop.yaml")
    file.write_text(file.read_text(encoding="utf-8").replace("metric: rivals", "metric: rivls"), encoding="utf-8")
    with pytest.raises(PolicyError) as raised:
        load_policy(file)
    assert str(raised.value) in page.read_text(encoding="utf-8")
