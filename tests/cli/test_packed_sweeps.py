"""Very large sweeps, here of ten runs: packed as they go on, whatever ends them."""

from pathlib import Path
from typing import Any

import pytest
from cli_runs import QUICK, Cli, Result, timeless

from sgdlab.results import find_runs, read_summary
from sgdlab.results.pack import unpack
from sgdlab.sweeps import jobs, packing

pytest.importorskip("pyarrow")

SWEEP = ("train", "-m", *QUICK, "seed=0,1,2,3,4,5,6,7,8,9", "epochs=1", "study=s")
TABLES = ("steps.csv", "config.yaml")


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study of a sweep that is not packed."""
    cli = Cli(tmp_path_factory.mktemp("folders") / "here")
    assert cli(*SWEEP).code == 0
    return cli.folder / "runs/s"


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take four runs for very many."""
    monkeypatch.setattr(packing, "MANY", 4)


def folders_in(study: Path) -> list[str]:
    return sorted(path.name for path in study.iterdir() if path.is_dir())


def assert_packed(sgdlab: Cli, result: Result, expected: Path) -> None:
    """All runs lie packed, and are those of the sweep that is not."""
    study = sgdlab.folder / "runs/s"
    assert result.code == 0, result.err
    assert folders_in(study) == ["packed"]
    assert timeless(study / "runs.csv") == timeless(expected / "runs.csv")
    again = sgdlab(*SWEEP)
    assert "10 of 10 runs are finished" in again.err
    assert timeless(study / "runs.csv") == timeless(expected / "runs.csv")
    unpack(study)
    for run in find_runs([expected]):
        for name in TABLES:
            assert (study / run.name / name).read_bytes() == (run / name).read_bytes()


def test_no_more_runs_have_folders_than_a_portion_has(
    sgdlab: Cli, expected: Path, monkeypatch: pytest.MonkeyPatch
):
    seen: list[int] = []

    def pack_ended(study: Path) -> None:
        seen.append(len(find_runs([study])) and len(set(folders_in(study)) - {"packed"}))
        packing.pack_ended(study)

    monkeypatch.setattr(jobs, "pack_ended", pack_ended)
    result = sgdlab(*SWEEP)
    assert seen == [0, 4, 4, 2]
    assert "10 completed" in result.out
    assert_packed(sgdlab, result, expected)


@pytest.mark.parametrize("launcher", ["stacked", pytest.param("joblib", marks=pytest.mark.slow)])
def test_runs_that_a_launcher_trains_are_packed_too(launcher: str, sgdlab: Cli, tmp_path: Path):
    alone = Cli(tmp_path / "alone")
    arguments = (*SWEEP, f"hydra/launcher={launcher}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "MANY", 100)
        assert alone(*arguments).code == 0
    assert_packed(sgdlab, sgdlab(*arguments), alone.folder / "runs/s")


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_sweep_that_is_interrupted_while_it_packs_goes_on(
    when: str, sgdlab: Cli, expected: Path, monkeypatch: pytest.MonkeyPatch
):
    calls: list[Path] = []

    def pack_ended(study: Path) -> None:
        calls.append(study)
        if when == "after":
            packing.pack_ended(study)
        if len(calls) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(jobs, "pack_ended", pack_ended)
        assert sgdlab(*SWEEP).code == 130
    study = sgdlab.folder / "runs/s"
    assert len(find_runs([study])) == 8
    result = sgdlab(*SWEEP)
    assert "8 of 10 runs are finished" in result.err
    assert_packed(sgdlab, result, expected)


def test_a_failed_run_keeps_its_folder_and_is_tried_again(sgdlab: Cli, parts: Path):
    (parts / "lossy.py").write_text(
        "import os, torch\n"
        "def lossy(output, target):\n"
        "    if os.path.exists('broken') and torch.initial_seed() % 2:\n"
        "        raise RuntimeError('broken')\n"
        "    return torch.nn.functional.cross_entropy(output, target)\n"
    )
    (parts / "loss").mkdir()
    (parts / "loss" / "lossy.yaml").write_text("_target_: lossy.lossy\n")
    (sgdlab.folder / "broken").touch()
    command = (*SWEEP[:2], "--config-dir", str(parts), *SWEEP[2:], "loss=lossy")
    first = sgdlab(*command)
    study = sgdlab.folder / "runs/s"
    failed = [run for run in find_runs([study]) if run.is_dir()]
    assert (first.code, bool(failed)) == (1, True)
    assert {str((read_summary(run) or {}).get("status")) for run in failed} == {"failed"}
    (sgdlab.folder / "broken").unlink()
    assert sgdlab(*command).code == 0
    assert folders_in(study) == ["packed"]


@pytest.mark.parametrize("lacks", ["pyarrow", "trackers"])
def test_where_they_cannot_be_packed_runs_keep_their_folders(
    lacks: str, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    import sys

    if lacks == "pyarrow":
        monkeypatch.setitem(sys.modules, "pyarrow", None)
    else:
        monkeypatch.setattr(packing, "logger_of", lambda master: ["tensorboard"])
    result = sgdlab(*SWEEP)
    assert result.code == 0
    assert len(folders_in(sgdlab.folder / "runs/s")) == 10
    line = "10 runs keep a folder each: packed studies are Parquet files: pip install"
    assert (line in result.err) == (lacks == "pyarrow")


def test_another_sweep_that_packs_is_left_alone(sgdlab: Cli, monkeypatch: pytest.MonkeyPatch):
    from sgdlab.results.lock import each_held

    def held_by_others(folders: Any) -> Any:
        return _Held({path: "another" for path in folders if path.name == "packed"})

    with monkeypatch.context() as patch:
        patch.setattr(packing, "each_held", held_by_others)
        assert sgdlab(*SWEEP).code == 0
    assert len(folders_in(sgdlab.folder / "runs/s")) == 10
    assert each_held is packing.each_held


class _Held(dict[Path, str]):
    def __enter__(self) -> dict[Path, str]:
        return self

    def __exit__(self, *_: object) -> None:
        pass
