"""`guard central` as its users run it: set up, served, and asked by its verbs."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.central.process import Command, eventually
from tests.central.test_policies import text
from tests.test_serve import ask, serving

pytestmark = pytest.mark.slow


@pytest.fixture
def command(tmp_path: Path) -> Command:
    return Command(tmp_path)


class Told:
    """The verbs of a running central, with an admin's key in the variable that they read."""

    def __init__(self, command: Command, key: str, public: str) -> None:
        self.command, self.key, self.public = command, key, public

    def __call__(self, *arguments: str, status: int = 0, key: str | None = None) -> str:
        """What a verb said, in one line's words; `status` is the exit status that it has to have."""
        variables = {"GUARD_CENTRAL": self.command.url, "GUARD_CENTRAL_KEY": self.key if key is None else key}
        done = self.command("central", *arguments, **variables, COLUMNS="200")
        assert done.returncode == status, done.stdout + done.stderr
        return " ".join((done.stdout + done.stderr).split())

    def made(self, *arguments: str) -> tuple[str, str]:
        """The id of a key that a verb made, and the key."""
        said = re.search(r"key (\S+) \(shown only once\): (\S+)", self(*arguments))
        assert said
        return said[1], said[2]

    def opens(self, key: str) -> bool:
        """Whether a key is good for anything."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.get(f"{self.command.url}/api/v1/projects", headers=headers).status_code != 401


@pytest.fixture
def told(command: Command) -> Iterator[Told]:
    key, public = command.init()
    with command.serving():
        yield Told(command, key, public)


def test_init_makes_files_for_their_owner_alone_and_again_another_key_with_the_same_signature(command: Command) -> None:
    refused = command("central", "serve")
    assert refused.returncode == 2
    assert "make it with: guard central init" in " ".join(refused.stderr.split())
    first, public = command.init()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in command.folder.iterdir() if file.is_file()}
    assert modes.keys() >= {"central.db", "central.pem"}
    assert set(modes.values()) == {0o600}, modes
    second, again = command.init()
    assert again == public
    assert first != second
    with command.serving():
        for key in (first, second):
            assert command.client(key).get("/projects").json()["items"] == []
        opened = {file.name: stat.S_IMODE(file.stat().st_mode) for file in command.folder.glob("central.db*")}
        assert set(opened.values()) == {0o600}, opened


def test_keys_are_made_listed_rotated_and_revoked(told: Told) -> None:
    identifier, key = told.made("key", "create", "dashboard", "--role", "viewer", "--why", "the team's screen")
    assert told.opens(key)
    assert re.search(rf"{identifier} dashboard viewer .* in use", told("key", "list"))
    assert key not in told("key", "list")
    following, new = told.made("key", "rotate", identifier, "--grace", "60")
    assert told.opens(key)
    assert told.opens(new)
    assert f"{following} (dashboard) opens nothing any more" in told("key", "revoke", following)
    assert not told.opens(new)
    assert "revoked" in told("key", "list")
    lines = told.command.client(told.key).get("/audit").json()["items"]
    assert "the team's screen" in [line["why"] for line in lines]


def test_keys_of_a_project_are_its_own(told: Told) -> None:
    client = told.command.client(told.key)
    client.post("/projects", json={"name": "shop"})
    client.post("/projects/shop/apps", json={"name": "web"})
    identifier, _ = told.made("key", "create", "web", "--role", "app", "--app", "web", "--project", "shop")
    assert identifier in told("key", "list", "--project", "shop")
    assert identifier not in told("key", "list")


def test_what_goes_wrong_is_told_with_what_to_do(told: Told) -> None:
    assert "the variable GUARD_CENTRAL_KEY is not set" in told("key", "list", status=2, key="")
    assert "key" in told("key", "list", status=2, key="gk-nobody-nothing")
    assert "there is no key 'nobody' here" in told("key", "revoke", "nobody", status=2)
    assert "cannot be asked" in told("fleet", "--url", "http://127.0.0.1:1", status=2)
    assert "role" in told("key", "create", "x", "--role", "king", status=2)


def test_the_fleet_shows_each_proxy_and_its_exit_status_says_whether_one_lags(told: Told, tmp_path: Path) -> None:
    client = told.command.client(told.key)
    assert "0 proxies, 0 not up to date" in told("fleet")
    client.post("/projects", json={"name": "shop"})
    put(client, 3, 1)
    _, key = told.made("key", "create", "proxies", "--role", "proxy", "--project", "shop")
    folder = tmp_path / "proxy"
    folder.mkdir()
    follows = {
        "central": told.command.url, "central_key": key, "central_trust": f'["{told.public}"]', "project": "shop",
        "central_cache": folder / "cache",
    }  # fmt: skip
    with serving(folder, **follows) as (process, url):
        assert ask(url).status_code == 200
        shown = eventually(lambda: "1 proxies, 0 not up to date" in (said := told("fleet")) and said)
        assert re.search(rf":{process.pid} shop/production 2 of 2 up to date", shown), shown
        assert "1 proxies" in told("fleet", "--project", "shop")
    put(client, 9, 2)
    said = told("fleet", status=1)
    assert "2 of 3" in said
    assert "1 proxies, 1 not up to date" in said


def put(client: httpx.Client, words: int, version: int) -> None:
    client.put("/projects/shop/policies/support", json={"text": text(words)})
    client.post("/projects/shop/policies/support/versions", json={})
    client.put("/projects/shop/environments/production/policies/support", json={"version": version})
