from __future__ import annotations

from pathlib import Path

import pytest

from guard.metrics.encoder import Encoder, encoder
from guard.training.head import fit
from tests.training.head import worded


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return worded.write(tmp_path_factory.mktemp("worded"))


@pytest.fixture
def model(folder: Path) -> Encoder:
    return encoder(folder)


@pytest.fixture(autouse=True)
def _tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cross-validation is done once: to do it over ten times is what takes time."""
    monkeypatch.setattr(fit, "REPEATS", ((19, 2),))
