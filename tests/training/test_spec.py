"""What people write: the shipped spec names files that are there, and a mistake is told before anything starts."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from guard.cli.train import SPEC
from guard.errors import SettingsError
from guard.training.rows import WRITTEN
from guard.training.spec import read_spec
from tests.training import tiny


@pytest.fixture(scope="module")
def shipped():
    return read_spec(SPEC)


def write(folder: Path, **changes) -> Path:
    file = folder / "spec.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(tiny.told(**changes), out)
    return file


def test_every_outside_source_of_the_shipped_spec_is_in_the_manifest_with_the_same_hash(shipped):
    entries = json.loads(SPEC.with_name("manifest.json").read_text(encoding="utf-8"))
    listed = {entry["file"]: entry["sha256"] for entry in entries}
    outside = {source.file: source.sha256 for source in shipped.sources.values() if not source.written}
    assert outside
    assert {file: sha256 for file, sha256 in outside.items() if listed.get(file) != sha256} == {}


def test_every_written_source_of_the_shipped_spec_is_the_file_in_the_corpus(shipped):
    sources = [source for source in shipped.sources.values() if source.written]
    of = {source.file: hashlib.sha256(gzip.decompress((WRITTEN / source.file).read_bytes())) for source in sources}
    assert sources
    assert {source.file: source.sha256 for source in sources} == {file: sha.hexdigest() for file, sha in of.items()}


def test_every_outside_file_says_where_it_comes_from_and_under_which_licence():
    for entry in json.loads(SPEC.with_name("manifest.json").read_text(encoding="utf-8")):
        assert entry["repo"]
        assert entry["paths"]
        assert entry["licence"]
        assert entry.get("commits") or entry["commit"]


def test_columns_are_a_heads_own_and_then_its_labels():
    assert tiny.spec().columns == (
        "prompt_injection",
        "prompt_injection/plain",
        "prompt_injection/hidden",
        "toxicity",
        "toxicity/insult",
        "toxicity/threat",
        "tone/joy",
        "tone/anger",
        "tone/neutral",
        "context_adherence",
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"composed": {"hosts": ["plian"]}}, "composed names 'plian', which is none of the sources"),
        ({"swapped": {"contexts": ["plian"]}}, "swapped names 'plian', which is none of the sources"),
        (
            {"rounds": [{**tiny.TOLD["rounds"][1], "mining": [{**tiny.TOLD["rounds"][1]["mining"][0], "head": "x"}]}]},
            "mining names 'x', which is none of the heads",
        ),
        ({"augment": {"kinds": {"uper": 1}}}, "augment.kinds.uper"),
        ({"heads": {"toxicity": {"lables": ["insult"]}}}, "heads.toxicity.lables: Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_its_place_before_anything_starts(tmp_path, changes, said):
    with pytest.raises(SettingsError, match=said):
        read_spec(write(tmp_path, **changes))


def test_a_source_calls_harmless_only_heads_that_there_are(tmp_path):
    sources = {"plain": {**tiny.TOLD["sources"]["plain"], "harmless": ["toxic"]}}
    with pytest.raises(SettingsError, match=r"sources\.plain names 'toxic', which is none of the heads"):
        read_spec(write(tmp_path, sources=sources))


def test_without_the_heads_that_words_are_marked_for_there_is_nothing_to_train(tmp_path):
    told = tiny.told()
    del told["heads"]["pii"]
    file = tmp_path / "spec.yaml"
    with file.open("w", encoding="utf-8") as out:
        YAML(typ="safe").dump(told, out)
    with pytest.raises(SettingsError, match="there is no 'pii', which training needs"):
        read_spec(file)


@pytest.mark.parametrize("content", ["name: [", "\ufeff\0", None])
def test_what_is_no_spec_at_all_is_told_with_its_name(tmp_path, content):
    file = tmp_path / "mine.yaml"
    if content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"mine\.yaml"):
        read_spec(file)
