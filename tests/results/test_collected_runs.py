"""Thousands of summaries in one table: cells as they were written, folders as they lie."""

import csv
import json
import os
from pathlib import Path

import pytest
import yaml

from sgdlab.errors import InputError
from sgdlab.results import (
    OTHER_SETTINGS,
    SUMMARY_COLUMNS,
    ConfigReader,
    atomic_write,
    collect,
    columns_of,
    find_runs,
    other_settings,
    read_config,
    runs_text,
    write_summary,
)

AWKWARD = {
    "a": {"study": "12", "reason": 'it said "no, never"\nand ended', "seed": 3, "base_lr": 1},
    "b": {"study": "012", "reason": "größer, 漢字", "seed": None, "base_lr": 0.1 + 0.2},
    "c": {"study": "true", "final_val_loss": float("inf"), "optimizer.nesterov": True},
    "d": {"study": "1e5", "model.hidden": [64, 64], "optimizer.betas": [0.9, 0.999]},
    "e": {"another.tool": "x, y", "optimizer.nesterov": False, "base_lr": 5e-324},
}


def a_run(folder: Path, **cells: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    write_summary(folder, {"status": "completed", **cells})  # type: ignore[arg-type]
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_runs_csv_has_every_cell_of_every_summary(tmp_path: Path) -> None:
    for name, cells in AWKWARD.items():
        a_run(tmp_path / name, **cells)
    table, problems = collect([tmp_path])
    atomic_write(tmp_path / "runs.csv", runs_text(tmp_path, columns_of(table)))
    assert problems == []
    found = rows(tmp_path / "runs.csv")
    assert [row["directory"] for row in found] == sorted(AWKWARD)
    assert list(found[0])[1 : len(SUMMARY_COLUMNS) + 1] == list(SUMMARY_COLUMNS)
    for row in found:
        (wanted,) = rows(tmp_path / row["directory"] / "summary.csv")
        assert {k: v for k, v in row.items() if v} == {
            "directory": row["directory"],
            **{k: v for k, v in wanted.items() if v},
        }


def test_runs_are_found_once_and_links_to_folders_are_not_followed(tmp_path: Path) -> None:
    for name in ("b", "a-b", "a/x", "a"):
        folder = tmp_path / name
        a_run(folder) if not folder.exists() else None
    a_run(tmp_path / "a" / "deep" / ".hidden")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    (tmp_path / "no-run").mkdir()
    (tmp_path / "no-run" / "config.yaml").write_text("seed: 0\n")
    found = find_runs([tmp_path, tmp_path / "a", tmp_path])
    names = [path.relative_to(tmp_path).as_posix() for path in found]
    assert names == ["a/deep/.hidden", "a/x", "a-b", "b"]
    assert found == sorted(set(found))


def test_relative_roots_give_relative_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_run(tmp_path / "study" / "a")
    monkeypatch.chdir(tmp_path)
    assert find_runs([Path()]) == find_runs([Path("study")]) == [Path("study/a")]


def test_folders_in_runs_csv_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("study/a", "study/b", "elsewhere/c"):
        a_run(tmp_path / name)
    (tmp_path / "study" / "link").symlink_to(tmp_path / "elsewhere" / "c")
    (tmp_path / "way").symlink_to(tmp_path / "study")
    monkeypatch.chdir(tmp_path)
    table, _ = collect([Path("study"), Path("elsewhere")])
    outside = table.loc[0].copy()
    table["directory"] = ["elsewhere/c", "way/a", os.path.join("elsewhere", "..", "study", "b")]
    table.loc[3] = outside
    table.loc[3, "directory"] = "study/link"
    table.loc[4] = outside
    table.loc[4, "directory"] = "study"
    atomic_write(Path("study/runs.csv"), runs_text(Path("study"), columns_of(table)))
    found = [row["directory"] for row in rows(Path("study/runs.csv"))]
    assert found == ["elsewhere/c", "a", "b", "study/link", "."]


def test_a_summary_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    (a_run(tmp_path / "a") / "summary.csv").write_bytes(b"\xff\xfe\n\x00\n")
    table, problems = collect([tmp_path])
    assert table["status"].tolist() == ["failed"]
    assert len(problems) == 1


CONFIGS = [
    "lr: 0.1\noptimizer:\n  _target_: x\n  lr: 0.1\n  betas:\n  - 0.9\n  - 1.0e-08\nseed: 0\n",
    "lr: 1e-3\nseed: 1\noptimizer: {lr: 1e-3, name: 'a: b'}\n",
    "# a comment\nlr: 1\n\nnames:\n\n  optimizer: sgd\n",
    "a: &x [1, 2]\nb: *x\n",
    'text: "one\n  two: three"\nb: |\n  c: 1\n  d\ne: 2\n',
    '"quoted": 1\n2: 3\nb: 4\n',
    "defaults:\n- train_schema\n- _self_\nb: null\nb: true\n",
]


def test_configs_read_by_section_are_those_that_yaml_reads(tmp_path: Path) -> None:
    reader = ConfigReader()
    for number, content in enumerate([*CONFIGS, *CONFIGS]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "config.yaml").write_text(content)
        assert reader.read(folder) == read_config(folder) == yaml.safe_load(content)


@pytest.mark.parametrize("content", ["lr: [1\nseed: 0\n", "- 1\n", "lr: 1\n  b: 2\n", ""])
def test_damaged_configs_are_named_after_sound_ones(tmp_path: Path, content: str) -> None:
    reader = ConfigReader()
    path = tmp_path / "config.yaml"
    path.write_text(CONFIGS[0])
    reader.read(tmp_path)
    path.write_text(content)
    with pytest.raises(InputError, match=r"config\.yaml, line \d"):
        reader.read(tmp_path)


CONFIG = {
    "optimizer": {"_target_": "SGD", "lr": 0.1, "momentum": 0.9, "foreach": None},
    "split": {"seed": 0},
    "seed": 4,
    "lr": 0.1,
    "epochs": 3,
    "names": {"optimizer": "momentum"},
}
SUMMARY = {"base_lr": 0.1, "seed": 4, "epochs": 3, "optimizer.momentum": 0.9}


def changed(key: str, value: object) -> dict:
    config = json.loads(json.dumps(CONFIG))
    section = config
    *path, last = key.split(".")
    for name in path:
        section = section[name]
    section[last] = value
    return config


@pytest.mark.parametrize(
    ("key", "value", "cell"),
    [
        ("optimizer.lr", 0.5, "base_lr"),
        ("optimizer.momentum", 0.5, "optimizer.momentum"),
        ("epochs", 7, "epochs"),
        ("seed", 9, None),
        ("names", {}, None),
        ("optimizer.foreach", None, "optimizer.foreach"),
    ],
)
def test_what_a_column_tells_leaves_the_hash_of_the_others(
    key: str, value: object, cell: str | None
) -> None:
    summary = SUMMARY if cell is None else {**SUMMARY, cell: value}
    assert other_settings(changed(key, value), summary) == other_settings(CONFIG, SUMMARY)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("split.seed", 1),
        ("optimizer._target_", "Adam"),
        ("epochs", 7),
        ("optimizer.momentum", "0.9"),
        ("optimizer.foreach", False),
    ],
)
def test_what_no_column_tells_changes_it(key: str, value: object) -> None:
    assert other_settings(changed(key, value), SUMMARY) != other_settings(CONFIG, SUMMARY)


def test_the_hash_stays_text_in_a_table(tmp_path: Path) -> None:
    a_run(tmp_path / "a", **{OTHER_SETTINGS: "12"})
    assert collect([tmp_path])[0][OTHER_SETTINGS].tolist() == ["12"]
