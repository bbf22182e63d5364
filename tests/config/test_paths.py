"""Relative paths count from the user's folder, typed ones from the working directory."""

import copy
from pathlib import Path
from typing import Any

import pytest

from sgdlab.config.paths import resolve_paths
from sgdlab.results import as_written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A user's config folder with a part of their own and some files."""
    own = tmp_path / "own"
    for name in ("dataset/mine.yaml", "data.csv", "sub/w.pt", "photos/a.png", "relu", "train/x"):
        (own / name).parent.mkdir(parents=True, exist_ok=True)
        (own / name).write_text("")
    return own


def resolved(folder: Path, section: dict[str, Any], *typed: str, name: str = "mine") -> dict:
    plain = {
        "dataset": {"_target_": "mine.load", **section}, "names": {"dataset": name},
        "relative_paths": {}, "import_from": [],
    }  # fmt: skip
    resolve_paths(plain, typed, "/here", [str(folder)])
    return plain


@pytest.mark.parametrize(
    ("key", "text", "is_path"),
    [
        ("path", "data.csv", True),
        ("path", "absent.csv", True),  # the message of who reads it then says where
        ("path", "../beside.csv", True),
        ("path", "photos", True),
        ("path", "imdb", False),
        ("weights", "sub/w.pt", True),
        ("weights", "IMAGENET1K_V1", False),
        ("weights", "ResNet18_Weights.IMAGENET1K_V1", False),
        ("root", "photos", True),
        ("root", "to_come", True),
        ("cache_dir", "to_come", True),
        ("train_file", "data.csv", True),
        ("table", "data.csv", True),
        ("table", "absent.csv", False),
        ("table", "sub/w.pt", True),
        ("table", "./photos", True),
        ("split", "train", False),  # a folder of that name does not make a word a path
        ("activation", "relu", False),
        ("kind", "dataset", False),
        ("path", "", False),
        ("path", "~/data.csv", False),
        ("path", "/abs/data.csv", False),
        ("path", "https://a.org/data.csv", False),
        ("_note_path", "data.csv", False),
        ("table", "x" * 5000 + ".csv", False),
        ("table", "a\x00.csv", False),
    ],
)
def test_what_is_a_path(folder: Path, key: str, text: str, is_path: bool):
    plain = resolved(folder, {key: text})
    expected = str((folder / text).resolve()) if is_path else text
    assert plain["dataset"][key] == expected
    assert plain["relative_paths"] == ({f"dataset.{key}": text} if is_path else {})


def test_paths_in_lists_and_below_keys_that_say_so(folder: Path):
    plain = resolved(folder, {"files": ["data.csv", "b.csv"], "paths": {"val": "v.csv", "n": 3}})
    assert plain["dataset"]["files"] == [f"{folder}/data.csv", f"{folder}/b.csv"]
    assert plain["dataset"]["paths"] == {"val": f"{folder}/v.csv", "n": 3}


@pytest.mark.parametrize(
    ("override", "section"),
    [
        ("dataset.path=data.csv", {"path": "data.csv"}),
        ("+dataset.path=data.csv", {"path": "data.csv"}),
        ("++dataset.path=data.csv", {"path": "data.csv"}),
        ("dataset={path: data.csv}", {"path": "data.csv"}),
    ],
)
def test_a_typed_path_counts_from_the_working_directory(folder: Path, override: str, section: dict):
    plain = resolved(folder, section, "dataset=mine", override)
    assert plain["dataset"]["path"] == "/here/data.csv"
    assert plain["relative_paths"] == {"dataset.path": "$PWD/data.csv"}


def test_a_member_that_was_typed_is_no_typed_path(folder: Path):
    plain = resolved(folder, {"path": "data.csv"}, "dataset=mine", "seed=3")
    assert plain["dataset"]["path"] == f"{folder}/data.csv"


def test_shipped_values_stay_what_they_are(folder: Path):
    plain = resolved(folder, {"root": "data"}, name="cifar10")
    own = resolved(folder, {"root": "mine"}, name="cifar10")  # by an experiment of the user's
    assert (plain["dataset"]["root"], own["dataset"]["root"]) == ("data", f"{folder}/mine")


def test_the_paths_of_a_run_are_what_they_are(folder: Path):
    plain = resolved(folder, {"path": "data.csv"})
    again = {**plain, "dataset": dict(plain["dataset"])}
    resolve_paths(again, ["seed=4"], "/elsewhere", [])
    assert again == plain
    again["dataset"]["path"] = "b.csv"
    resolve_paths(again, ["dataset.path=b.csv"], "/elsewhere", [])
    assert again["dataset"]["path"] == "/elsewhere/b.csv"
    assert again["relative_paths"] == {"dataset.path": "$PWD/b.csv"}


def test_as_written_undoes_it(folder: Path):
    section = {"path": "data.csv", "files": ["data.csv", "x"], "n": {"weights": "sub/w.pt"}}
    plain = resolved(folder, copy.deepcopy(section))
    written = as_written(plain["dataset"], "dataset", plain["relative_paths"])
    assert written == {"_target_": "mine.load", **section}
