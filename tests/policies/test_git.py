"""Policies in a git repository: followed commit by commit, and kept for a start while it is away."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from guard.errors import PolicyError
from guard.policies.git import GitSource
from guard.policies.live import LivePolicies
from guard.policies.source import source_of

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def policy(words: int, more: str = "") -> str:
    rules = f"[{{metric: word_count, operator: gt, target_value: {words}}}]"
    return f"policy: support\n{more}stages: {{input: {{rulesets: [{{name: long, rules: {rules}}}]}}}}\n"


@pytest.fixture
def commit(tmp_path: Path) -> Callable[[str], None]:
    """Commits a text as the repository's policy."""
    repository = tmp_path / "repository"

    def git(*arguments: str) -> None:
        who = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", *who, "-C", str(repository), *arguments], check=True, capture_output=True)

    def make(text: str) -> None:
        if not repository.exists():
            repository.mkdir()
            git("init", "--quiet", "--initial-branch=main")
        (repository / "shop").mkdir(exist_ok=True)
        (repository / "shop" / "support.yaml").write_text(text)
        git("add", "--all")
        git("commit", "--quiet", "--message=policy")

    return make


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., GitSource]:
    """A source that follows the repository; another one is a proxy that was restarted."""
    return lambda: GitSource(f"git+{tmp_path / 'repository'}#main:shop", cache=tmp_path / "cache")


def test_a_new_commit_comes_in_force_and_the_same_one_is_not_loaded_again(commit, source) -> None:
    commit(policy(3))
    live = LivePolicies(one := source())
    live.load()
    before = live.current.policies[0].revision
    assert not one.changed()
    commit(policy(9))
    live.look()
    assert live.status.error is None
    assert live.current.policies[0].revision != before


def test_the_files_of_old_commits_are_removed(commit, source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guard.policies.git.KEPT", 2)
    one = source()
    for words in (3, 4, 5):
        commit(policy(words))
        assert one.changed()
        one.load()
    (kept,) = (tmp_path / "cache").glob("*/out")
    assert len(list(kept.iterdir())) == 2


def test_a_broken_commit_leaves_what_is_in_force(commit, source) -> None:
    commit(policy(3))
    live = LivePolicies(source())
    live.load()
    before = live.current.policies[0].revision
    commit("policy: [")
    live.look()
    assert "support.yaml:1" in (live.status.error or "")
    assert live.current.policies[0].revision == before


def test_a_start_while_the_repository_is_away_goes_on_with_what_was_fetched(commit, source, tmp_path: Path) -> None:
    commit(policy(3))
    first = source().load().policies[0].revision
    shutil.rmtree(tmp_path / "repository")
    restarted = source()
    assert restarted.load().policies[0].revision == first
    with pytest.raises(PolicyError, match="git: "):
        restarted.changed()


def test_a_policy_from_a_repository_may_not_run_code(commit, source) -> None:
    commit(policy(3, "metrics: {mine: {kind: code, function: 'os:getcwd'}}\n"))
    with pytest.raises(PolicyError, match="may not run code"):
        source().load()
    commit(policy(3, "extends: ../../../etc/policy\n"))
    with pytest.raises(PolicyError, match="leads out of the policy's own folder"):
        source().load()


@pytest.mark.parametrize(
    "declared",
    [
        "{kind: keywords, file: /etc/hostname}",
        "{kind: judge, model: openai/x, prompt: ../secret.md}",
        "{kind: classifier, model: ~/models/own, positive: bad}",
        "{kind: pii, token_classifier: {model: /models/own, labels: {PER: name}}}",
    ],
)
def test_a_policy_from_a_repository_reads_no_other_file_of_this_machine(commit, source, declared: str) -> None:
    commit(policy(3, f"metrics: {{own: {declared}}}\n"))
    with pytest.raises(PolicyError, match=r"support\.yaml:2: leads out of the policy's own folder"):
        source().load()


@pytest.mark.parametrize("address", ["git+--upload-pack=sh", "git+https://x/y#-o", "git+https://x/y#main:../.."])
def test_an_address_that_would_be_an_option_or_climb_out_is_refused(address: str) -> None:
    with pytest.raises(PolicyError, match="write git"):
        source_of(address)


def test_a_password_in_the_address_is_never_shown(tmp_path: Path) -> None:
    source = GitSource("git+https://me:secret@127.0.0.1:9/p.git#main", cache=tmp_path)
    with pytest.raises(PolicyError) as caught:
        source.load()
    assert "secret" not in str(caught.value) and "127.0.0.1" in str(caught.value)
