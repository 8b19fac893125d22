"""The tiny model, made once."""

from pathlib import Path

import pytest

from guard.metrics.encoder import Encoder
from tests.metrics.encoder import tiny


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def model(folder: Path) -> Encoder:
    """The tiny model, which has read nothing yet."""
    return Encoder.load(folder)
