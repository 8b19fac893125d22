"""Settings: flags before environment before file, and errors that name the setting and its line."""

import pytest

from guard.errors import SettingsError
from guard.settings import Settings


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Writes a guard.yaml; the environment has no setting of its own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GUARD_{name.upper()}", raising=False)

    def write(text):
        path = tmp_path / "guard.yaml"
        path.write_text(text)
        return path

    return write


def test_a_flag_comes_before_the_environment_and_that_before_the_file(file, monkeypatch):
    path = file("port: 1\nhost: 1.1.1.1\nworkers: 2\n")
    monkeypatch.setenv("GUARD_PORT", "3")
    monkeypatch.setenv("GUARD_WORKERS", "4")
    loaded = Settings.load(path, port=5, host=None)
    assert (loaded.port, loaded.workers, loaded.host) == (5, 4, "1.1.1.1")


def test_everything_can_stand_in_one_file(file):
    loaded = Settings.load(
        file("policy: shop.yaml\nupstream: litellm/anthropic\napps: {shop: ['env:KEY']}\nstore: none\n")
    )
    assert (loaded.policy, loaded.upstream, loaded.store) == ("shop.yaml", "litellm/anthropic", "none")
    assert loaded.apps == {"shop": ["env:KEY"]}


def test_guard_yaml_in_the_working_folder_is_read_without_being_named(file, monkeypatch):
    monkeypatch.chdir(file("port: 7\n").parent)
    assert Settings.load().port == 7


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("host: x\nprot: 1\n", r"guard\.yaml:2: prot: there is no such setting; did you mean 'port'"),
        ("port: many\n", r"guard\.yaml:1: port: .*integer"),
        ("upstream: ftp://x\n", r"guard\.yaml:1: upstream: give http"),
        ("anthropic_upstream: demo\n", r"guard\.yaml:1: anthropic_upstream: give http"),
        ("anthropic_key_env: KEY\n", r"guard\.yaml:1: anthropic_key_env: set anthropic_upstream too"),
        ("window: 100\noverlap: 60\n", r"guard\.yaml:2: overlap: must be at most half of window"),
        ("- a\n", r"guard\.yaml:1: "),
        ("a: [\n", r"guard\.yaml:\d: "),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_line_and_the_fix(file, text, said):
    with pytest.raises(SettingsError, match=said):
        Settings.load(file(text))


def test_a_mistake_in_the_environment_names_the_variable(monkeypatch):
    monkeypatch.setenv("GUARD_PORT", "-1")
    with pytest.raises(SettingsError, match="GUARD_PORT: port"):
        Settings.load()


def test_what_is_wrong_is_told_of_where_it_was_given_last(monkeypatch: pytest.MonkeyPatch, file) -> None:
    path = file("port: 8000\n")
    monkeypatch.setenv("GUARD_PORT", "-1")
    with pytest.raises(SettingsError, match=r"^GUARD_PORT: port"):
        Settings.load(path)
    with pytest.raises(SettingsError, match=r"^--port: port"):
        Settings.load(path, port=-2)


def test_a_file_that_is_named_but_missing_is_an_error(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read"):
        Settings.load(tmp_path / "nowhere.yaml")
