"""Which file a name means, which files of a folder are policies, and where a policy's cases stand."""

from __future__ import annotations

from pathlib import Path

from guard.errors import PolicyError, nearest

BUILT_IN = Path(__file__).parent / "builtin"
SUFFIXES = (".yaml", ".yml")


def find(source: str | Path, folder: Path | None = None) -> Path:
    """The file that a name means: `builtin/NAME`, or a path (relative to `folder`), with or without `.yaml`.

    Raises PolicyError where there is no such file.
    """
    text = str(source)
    if text.startswith("builtin/"):
        known = {f"builtin/{file.stem}": file for file in policy_files(BUILT_IN)}
        name = text.removesuffix(".yaml")
        if name not in known:
            raise PolicyError(f"{text}:1: no such built-in policy; {nearest(name, known)}")
        return known[name]
    for path in (text, *(text + suffix for suffix in SUFFIXES)):
        file = (folder or Path()) / path
        if _is_file(file):
            return file
    raise PolicyError(
        f"{(folder or Path()) / text}:1: no such file; give a policy file, a folder of them, or builtin/NAME"
    )


def policy_files(folder: Path) -> list[Path]:
    """The policy files of a folder, by name: `*.yaml` and `*.yml`, without cases and hidden files."""
    found = [file for file in folder.iterdir() if file.suffix in SUFFIXES and not is_cases(file)]
    return sorted(file for file in found if _is_file(file) and not file.name.startswith("."))


def is_cases(file: Path) -> bool:
    """Whether a file holds a policy's test cases."""
    return file.stem.endswith(".cases") and file.suffix in SUFFIXES


def cases_of(file: Path) -> Path | None:
    """The file with a policy's test cases, beside it: `NAME.cases.yaml`; None where there is none."""
    candidates = (file.with_name(f"{file.stem}.cases{suffix}") for suffix in SUFFIXES)
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that is too long, or holds a null byte, names no file
        return False
