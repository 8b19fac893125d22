from __future__ import annotations

import numpy as np
import pytest

from guard.errors import SettingsError
from guard.evaluate import Result, Row, Tally, plot, truth_of


def result(*, at: float = 0.5) -> Result:
    chance = np.random.default_rng(0)
    tally = Tally("shouting", at=at, grouped=True)
    for number in range(60):
        row = Row(f"x:{number}", {"label": number % 2, "spans": [{"start": 0, "end": 1, "label": "loud"}]})
        entry = {"value": float(chance.uniform(0, 1)), "labels": [], "spans": [{"start": 0, "end": 3, "label": "loud"}]}
        for field in ("label", "spans"):
            truth = truth_of(row, field, {})
            assert truth is not None
            tally.add(row, truth, entry, "odd" if number % 3 else "even")
    return tally.result()


@pytest.mark.slow
def test_a_picture_names_metric_figures_groups_and_labels(tmp_path):
    found = result()
    plot.draw([found, found], tmp_path / "a.svg")
    plot.draw([found], tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    # Letters are drawn as shapes, and each text stands beside them as a comment.
    svg = (tmp_path / "a.svg").read_text(encoding="utf-8")
    for text in ("shouting", f"AUROC {found.figures.auroc}", "odd (40)", "loud (60)", "false positives"):
        assert f"<!-- {text}" in svg


@pytest.mark.slow
def test_rows_of_one_kind_are_drawn_by_what_they_have(tmp_path):
    tally = Tally("quiet")
    row = Row("x:1", {"label": 0})
    tally.add(row, truth_of(row, "label", {}), {"value": 0.2}, "")
    plot.draw([tally.result()], tmp_path / "a.svg")
    assert "<!-- all (1) -->" in (tmp_path / "a.svg").read_text(encoding="utf-8")


def test_what_cannot_be_drawn_is_refused_before_measuring(tmp_path, monkeypatch):
    with pytest.raises(SettingsError, match=r"\.png or \.svg"):
        plot.check(tmp_path / "a.pdf")
    monkeypatch.setattr(plot, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"stageguard\[training\]"):
        plot.check(tmp_path / "a.png")
