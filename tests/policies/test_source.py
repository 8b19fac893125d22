"""Where policies come from, and that every change of every part of them is seen."""

from __future__ import annotations

import os
from itertools import count
from pathlib import Path

import httpx
import pytest

from guard.errors import PolicyError
from guard.metrics.registry import Registry
from guard.policies import PolicySet
from guard.policies.http import HttpSource
from guard.policies.source import FileSource, Source, source_of

RULE = "stages: {input: {rulesets: [{name: r, rules: [{metric: pii, operator: not_empty}]}]}}\n"
URL = "https://policies.example.com/p.yaml"


def names(policies: PolicySet) -> list[str]:
    return [policy.name for policy in policies.policies]


TICKS = count(1)


def touch(file: Path, text: str) -> None:
    """Write a file so that its time differs, however coarse the clock of the file system."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    at = next(TICKS) * 10**9
    os.utime(file, ns=(at, at))


def loaded(source: Source) -> Source:
    source.load()
    assert not source.changed()
    return source


class TestFiles:
    """A file, a folder, or a built-in policy."""

    def test_a_file_changes_when_it_is_written(self, write, metrics: Registry) -> None:
        file = write("policy: a\n" + RULE)
        source = loaded(FileSource(file, metrics=metrics))
        touch(file, "policy: b\n" + RULE)
        assert source.changed()
        assert names(source.load()) == ["b"]
        assert not source.changed()

    def test_a_folder_changes_when_a_policy_comes_or_goes(self, write, tmp_path: Path, metrics: Registry) -> None:
        write("policy: a\n", "a.yaml")
        source = loaded(FileSource(tmp_path, metrics=metrics))
        file = write("policy: b\n", "b.yaml")
        assert source.changed()
        assert names(source.load()) == ["a", "b"]
        file.unlink()
        assert source.changed()

    def test_a_folder_does_not_change_with_its_cases(self, write, tmp_path: Path, metrics: Registry) -> None:
        write("policy: a\n", "a.yaml")
        source = loaded(FileSource(tmp_path, metrics=metrics))
        write("cases: []\n", "a.cases.yaml")
        assert not source.changed()

    def test_what_a_policy_extends_is_watched_all_the_way_down(self, write, metrics: Registry) -> None:
        deepest = write("policy: c\n", "below/c.yaml")
        write("policy: b\nextends: below/c\n", "b.yaml")
        source = loaded(FileSource(write("policy: a\nextends: b\n"), metrics=metrics))
        touch(deepest, "policy: c\n" + RULE)
        assert source.changed()

    def test_a_base_that_is_missing_is_watched_until_it_comes(self, write, metrics: Registry) -> None:
        source = FileSource(write("policy: a\nextends: b\n"), metrics=metrics)
        with pytest.raises(PolicyError):
            source.load()
        assert not source.changed()
        write("policy: b\n", "b.yaml")
        assert source.changed()
        assert names(source.load()) == ["a"]

    @pytest.mark.parametrize(
        "refers", ["prompt: ask.md", "model: folder/", "words: [x, lists/rivals.txt]", "function: checks.py:length"]
    )
    def test_what_a_metric_refers_to_is_watched_even_where_the_policy_is_broken(
        self, write, metrics: Registry, refers: str, tmp_path: Path
    ) -> None:
        for name in ("ask.md", "folder/weights.onnx", "lists/rivals.txt", "checks.py"):
            touch(tmp_path / name, "one")
        source = FileSource(write(f"policy: a\nmetrics:\n  own: {{kind: nonsense, {refers}}}\n"), metrics=metrics)
        with pytest.raises(PolicyError):
            source.load()
        assert not source.changed()
        named = {"model": "folder/weights.onnx", "words": "lists/rivals.txt", "function": "checks.py"}
        touch(tmp_path / named.get(refers.split(":")[0], "ask.md"), "two")
        assert source.changed()

    def test_a_policy_that_is_not_there_yet_is_watched_until_it_comes(self, tmp_path: Path, metrics: Registry) -> None:
        source = FileSource(tmp_path / "p.yaml", metrics=metrics)
        with pytest.raises(PolicyError):
            source.load()
        touch(tmp_path / "p.yaml", "policy: a\n")
        assert source.changed()

    def test_files_that_are_still_being_written_are_not_read(
        self, write, metrics: Registry, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Half a file may be valid YAML with half of the rules."""
        file = write("policy: a\n" + RULE)
        source = loaded(FileSource(file, metrics=metrics))
        touch(file, "policy: a\n")
        monkeypatch.setattr("time.sleep", lambda _: touch(file, "policy: a\n" + RULE))
        assert not source.changed()
        monkeypatch.undo()
        assert source.changed()

    def test_the_same_change_is_seen_by_every_process(self, write, metrics: Registry) -> None:
        file = write("policy: a\n")
        workers = [loaded(FileSource(file, metrics=metrics)) for _ in range(3)]
        touch(file, "policy: b\n")
        assert all(worker.changed() for worker in workers)
        assert {tuple(names(worker.load())) for worker in workers} == {("b",)}


class Server:
    """Gives `body` with an ETag, answers 304 to who has it, and counts both."""

    def __init__(self, body: str) -> None:
        self.body = body
        self.status = 200
        self.etags = True
        self.sent = self.unchanged = 0
        self.headers: list[httpx.Headers] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.headers.append(request.headers)
        if self.status == 0:
            raise httpx.ConnectError("connection refused")
        if self.status != 200:
            return httpx.Response(self.status, headers={"location": "https://elsewhere.example.com"})
        etag = f'"{hash(self.body)}"'
        if request.headers.get("if-none-match") == etag:
            self.unchanged += 1
            return httpx.Response(304)
        self.sent += 1
        return httpx.Response(200, text=self.body, headers={"etag": etag} if self.etags else {})


JUDGED = "policy: a\nmetrics:\n  own: {{kind: judge, model: m, prompt: 'Rude? {{{{text}}}}', api_key_env: {}}}\n"


class TestUrls:
    """One policy at a URL."""

    @pytest.fixture
    def server(self) -> Server:
        return Server("policy: a\n" + RULE)

    @pytest.fixture
    def source(self, server: Server, metrics: Registry, tmp_path: Path) -> HttpSource:
        return self.another(server, metrics, tmp_path)

    def another(self, server: Server, metrics: Registry, cache: Path, url: str = URL) -> HttpSource:
        return HttpSource(url, metrics=metrics, cache=cache, transport=httpx.MockTransport(server))

    def test_a_body_is_sent_only_when_it_changed(self, source: HttpSource, server: Server) -> None:
        loaded(source)
        assert (server.sent, server.unchanged) == (1, 1)
        server.body = "policy: b\n"
        assert source.changed()
        assert names(source.load()) == ["b"]
        assert not source.changed()
        assert (server.sent, server.unchanged) == (2, 2)

    def test_a_server_without_etags_changes_only_with_its_body(self, source: HttpSource, server: Server) -> None:
        server.etags = False
        loaded(source)
        server.body += "\n"
        assert source.changed()

    def test_errors_name_the_url_and_the_line(self, source: HttpSource, server: Server) -> None:
        server.body = "policy: a\nstage: {}\n"
        with pytest.raises(PolicyError) as caught:
            source.load()
        assert caught.value.problems == (f"{URL}:2: no field 'stage'; did you mean 'stages'?",)

    def test_a_policy_at_a_url_may_extend_a_built_in_one_and_no_file_of_the_machine(
        self, source: HttpSource, server: Server, write
    ) -> None:
        server.body = "policy: a\nextends: ../nowhere\n"
        with pytest.raises(PolicyError, match=r"p\.yaml:2: '\.\./nowhere': no such file"):
            source.load()

    def test_a_policy_at_a_url_runs_no_code_of_this_machine(self, source: HttpSource, server: Server) -> None:
        server.body = "policy: a\nmetrics:\n  own: {kind: code, function: 'os:system'}\n"
        with pytest.raises(PolicyError, match=r"p\.yaml:3: a policy from a URL may not run code"):
            source.load()

    def test_a_policy_at_a_url_has_no_key_sent_that_is_not_meant_for_it(
        self, source: HttpSource, server: Server
    ) -> None:
        server.body = JUDGED.format("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(PolicyError, match=r"p\.yaml:3: a policy from a URL may only name .* as GUARD_POLICY_KEY"):
            source.load()

    def test_a_policy_at_a_url_may_have_a_key_that_is_meant_for_it(self, source: HttpSource, server: Server) -> None:
        server.body = JUDGED.format("GUARD_POLICY_JUDGE")
        assert source.load().policies

    def test_a_start_while_the_url_is_away_goes_on_with_the_last_good_copy(
        self, source: HttpSource, server: Server, metrics: Registry, tmp_path: Path
    ) -> None:
        source.load()
        server.body = "policy: ["
        assert source.changed()
        with pytest.raises(PolicyError):
            source.load()
        server.status = 0
        restarted = self.another(server, metrics, tmp_path)
        assert names(restarted.load()) == ["a"]
        with pytest.raises(PolicyError, match="cannot be fetched: connection refused"):
            restarted.changed()

    def test_a_first_start_while_the_url_is_away_is_an_error(self, source: HttpSource, server: Server) -> None:
        server.status = 0
        with pytest.raises(PolicyError, match=rf"^{URL}:1: cannot be fetched: connection refused$"):
            source.load()

    def test_the_copy_of_another_url_is_not_taken(
        self, source: HttpSource, server: Server, metrics: Registry, tmp_path: Path
    ) -> None:
        source.load()
        server.status = 0
        with pytest.raises(PolicyError):
            self.another(server, metrics, tmp_path, "https://policies.example.com/q.yaml").load()

    @pytest.mark.parametrize(
        ("status", "fix"), [(404, "the last good revision stays"), (302, "give the final address")]
    )
    def test_an_answer_that_is_no_policy_is_an_error(
        self, source: HttpSource, server: Server, status: int, fix: str
    ) -> None:
        loaded(source)
        server.status = status
        with pytest.raises(PolicyError, match=f"answered {status}; {fix}"):
            source.changed()

    def test_a_body_that_is_too_large_is_not_read_to_its_end(self, source: HttpSource, server: Server) -> None:
        server.body = "x" * 1_000_001
        with pytest.raises(PolicyError, match="is larger than 1,000,000 bytes"):
            source.load()

    def test_a_password_in_the_url_is_sent_and_never_shown(
        self, server: Server, metrics: Registry, tmp_path: Path
    ) -> None:
        server.body = "policy: ["
        source = self.another(server, metrics, tmp_path, URL.replace("https://", "https://me:secret@"))
        with pytest.raises(PolicyError) as caught:
            source.load()
        assert server.headers[0]["authorization"].startswith("Basic ")
        assert "secret" not in str(caught.value) and "policies.example.com" in str(caught.value)

    def test_where_the_copy_cannot_be_kept_the_policy_works_all_the_same(
        self, server: Server, metrics: Registry, write
    ) -> None:
        blocked = write("a file where the folder should be", "blocked")
        assert names(self.another(server, metrics, blocked).load()) == ["a"]


def test_a_setting_means_a_url_or_a_file(tmp_path: Path) -> None:
    assert isinstance(source_of(URL), HttpSource)
    assert isinstance(source_of("builtin/baseline"), FileSource)
    assert isinstance(source_of(tmp_path), FileSource)
