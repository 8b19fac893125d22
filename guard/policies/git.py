"""Policies in a git repository: the folder at the tip of a branch, fetched by the `git` command, commit by commit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from guard.errors import PolicyError
from guard.metrics.registry import REGISTRY, Registry
from guard.policies.alone import refuse_code_and_secrets, refuse_outside
from guard.policies.document import read
from guard.policies.http import cache_folder
from guard.policies.load import load_policies
from guard.policies.set import PolicySet

PREFIX = "git+"
#: Seconds that one git command may take.
TIMEOUT = 60
#: Commits whose files are kept: another worker may still read those of an earlier one.
KEPT = 8


class GitSource:
    """`git+URL#BRANCH:FOLDER`, such as `git+https://git.example/policies.git#main:shop`; `#…` may be left out.

    What was fetched stays in `cache`, so that a start succeeds while the repository is away. Policies from it may not
    run code. Git asks nobody for a password: give it a key or a credential helper of its own.
    """

    def __init__(self, address: str, *, metrics: Registry = REGISTRY, cache: Path | None = None) -> None:
        url, _, rest = address.removeprefix(PREFIX).partition("#")
        branch, _, folder = rest.partition(":")
        self.metrics = metrics
        self._url, self._branch = url, branch or "HEAD"
        self._folder = folder.strip("/")
        parts = urlsplit(url)
        self.shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
        if url.startswith("-") or self._branch.startswith("-") or ".." in Path(self._folder).parts:
            raise PolicyError(f"{self.shown}:1: is no address of a repository; write git+URL#BRANCH:FOLDER")
        name = hashlib.sha256(f"{url}#{self._branch}".encode()).hexdigest()[:16]
        self._work = (cache or cache_folder("git")) / name
        self._commit = ""

    def load(self) -> PolicySet:
        """What was last fetched; what is kept where nothing was, and nothing can be."""
        if not self._commit:
            try:
                self._fetch()
            except PolicyError:
                self._commit = self._kept()
                if not self._commit:
                    raise
        folder = self._out(self._commit)
        _refuse(folder)
        return load_policies(folder, metrics=self.metrics)

    def changed(self) -> bool:
        """Whether the branch has another commit, which is fetched."""
        before = self._commit
        listed = self._git("ls-remote", "--", self._url, self._branch).split()
        if listed and listed[0] == before:
            return False
        self._fetch()
        return self._commit != before

    def close(self) -> None:
        """Nothing is held open."""

    def _fetch(self) -> None:
        if not (self._work / "HEAD").exists():
            self._work.mkdir(parents=True, exist_ok=True)
            self._git("init", "--quiet", "--bare", str(self._work))
        self._git("-C", str(self._work), "fetch", "--quiet", "--depth=1", "--", self._url, self._branch)
        self._git("-C", str(self._work), "update-ref", "refs/guard/last", "FETCH_HEAD")
        self._commit = self._kept()

    def _kept(self) -> str:
        try:
            return self._git("-C", str(self._work), "rev-parse", "--verify", "refs/guard/last").strip()
        except PolicyError:
            return ""

    def _out(self, commit: str) -> Path:
        """The folder as that commit has it: whole or not at all, in a place of its own."""
        place = self._work / "out" / commit
        if not place.is_dir():
            new = place.with_name(f"{commit}.{os.getpid()}")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            self._git("-C", str(self._work), f"--work-tree={new}", "checkout", "--force", commit, "--", ".")
            try:
                new.rename(place)
            except OSError:  # another worker was faster
                shutil.rmtree(new, ignore_errors=True)
            _prune(place.parent)
        return place / self._folder

    def _git(self, *arguments: str) -> str:
        # No prompt, no hooks, no protocol that runs a command, no links out of the folder.
        safe = ("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "core.symlinks=false")
        environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        try:
            done = subprocess.run(  # noqa: S603 - no shell, and what could be an option was refused
                ["git", *safe, *arguments],  # noqa: S607 - whichever git is installed
                capture_output=True,
                text=True,
                timeout=TIMEOUT,
                env=environment,
                check=False,
            )
        except FileNotFoundError:
            raise PolicyError(f"{self.shown}:1: needs the command git; install it") from None
        except subprocess.TimeoutExpired:
            raise PolicyError(f"{self.shown}:1: git took longer than {TIMEOUT} s; is the repository away?") from None
        if done.returncode:
            told = (done.stderr.strip().splitlines() or ["it failed"])[-1].replace(self._url, self.shown)
            raise PolicyError(f"{self.shown}:1: git: {told[:300]}; is the address right, and may it be read?")
        return done.stdout


def _prune(folder: Path) -> None:
    """Remove all but the newest commits."""
    with suppress(FileNotFoundError):  # another worker does so too
        for old in sorted(folder.iterdir(), key=lambda commit: commit.stat().st_mtime_ns)[:-KEPT]:
            shutil.rmtree(old, ignore_errors=True)


def _refuse(folder: Path) -> None:
    """Whatever of the folder a policy could be or build on: it runs no code, and stays within. Raises PolicyError."""
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            try:
                document = read(file)
            except PolicyError:
                continue  # no policy; where it was meant to be one, loading says what is wrong
            refuse_code_and_secrets(document)
            refuse_outside(document)
