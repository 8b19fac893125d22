"""The two files of a head: `NAME.head.json` and `NAME.card.md`."""

from __future__ import annotations

import os
from pathlib import Path

from guard.errors import SettingsError
from guard.training.head.card import card
from guard.training.head.train import Trained


def write(trained: Trained, folder: Path) -> tuple[Path, Path]:
    """Writes both, over older ones. Raises SettingsError where they cannot be written."""
    name = trained.file.name
    files = folder / f"{name}.head.json", folder / f"{name}.card.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The card first: from the head's coming on a running proxy may read it.
        for file, content in ((files[1], card(trained)), (files[0], trained.file.model_dump_json(indent=1) + "\n")):
            new = file.with_name(f".{file.name}.{os.getpid()}")
            new.write_text(content, encoding="utf-8")
            new.replace(file)  # whole or not at all
    except OSError as error:
        raise SettingsError(f"--into: {folder} cannot be written ({error.strerror}); name another folder") from None
    return files
