"""The walk through the page on heads of one's own, as it stands there; on a stand-in where no encoder is shipped."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from guard.cli import app, metric_train
from guard.metrics.encoder import encoder
from guard.metrics.encoder import head as room
from guard.metrics.encoder.facts import FOLDER
from tests.docs.pages import DOCS
from tests.training.head import worded

PAGE = (DOCS / "metrics" / "own-head.md").read_text(encoding="utf-8")


def code(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, flags=re.M | re.S)


def test_the_page_goes_from_rows_to_a_rule(tmp_path, monkeypatch):
    shipped = (FOLDER / "model.json").is_file()
    model = FOLDER if shipped else worded.write(tmp_path / "encoder")
    monkeypatch.setattr(room, "FOLDER", model)
    monkeypatch.setattr(metric_train, "encoder", lambda: encoder(model))
    monkeypatch.chdir(tmp_path)
    for block in (*code("csv"), *code("yaml")):
        name, _, content = block.partition("\n")
        Path(name.removeprefix("# ")).write_text(content, encoding="utf-8")
    ended = [CliRunner().invoke(app, shlex.split(line)[1:]) for block in code("bash") for line in block.splitlines()]
    assert [one.exception for one in ended if isinstance(one.exception, Exception)] == []
    trained, checked = ended
    assert trained.exit_code == 0, trained.output
    assert "rules: [{metric: refund, operator: gte, target_value: 0." in trained.output
    assert Path("refund.card.md").is_file()
    assert "refund" in checked.output
    if shipped:
        assert checked.exit_code == 1, "the text asks for a refund, and the rule blocks it"
