"""One damaged run takes no other with it: a sweep makes it anew, or names it and goes on."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, same_run

SWEEP = ("train", "-m", *QUICK, "max_steps=5", "seed=0,1", "study=s")


@pytest.fixture
def runs(sgdlab: Cli, tmp_path: Path) -> list[Path]:
    """The runs of a finished sweep, and the same in a folder beside it."""
    for cli in (sgdlab, Cli(tmp_path / "whole")):
        assert cli(*SWEEP).code == 0
    return sorted((sgdlab.folder / "runs" / "s").glob("*/"))


def whole(runs: list[Path], tmp_path: Path) -> list[bool]:
    return [same_run(run, tmp_path / "whole" / "runs" / "s" / run.name) for run in runs]


def test_damaged_runs_are_named_and_made_anew(sgdlab: Cli, runs: list[Path], tmp_path: Path):
    summary = runs[0] / "summary.csv"
    summary.write_bytes(summary.read_bytes()[:700])
    steps = runs[1] / "steps.csv"
    steps.write_text(steps.read_text().replace("1", "2"))
    report = sgdlab("report", "runs/s", "--formats", "svg")
    assert report.code == 2
    for name in (summary, steps):
        assert sum(str(name.relative_to(sgdlab.folder)) in n for n in report.err.splitlines()) == 1
    assert sgdlab("diagnose", "runs/s").code == 2
    again = sgdlab(*SWEEP)
    assert again.code == 0, again.err
    assert again.err.count("made anew") == 2
    assert whole(runs, tmp_path) == [True, True]
    assert "2 of 2 runs are finished" in sgdlab(*SWEEP).err


@pytest.mark.slow
def test_resume_false_starts_over(sgdlab: Cli, runs: list[Path], tmp_path: Path):
    (runs[0] / "summary.csv").write_bytes(b"\0\0")
    assert sgdlab(*SWEEP, "resume=false").code == 0
    assert whole(runs, tmp_path) == [True, True]


@pytest.mark.slow
def test_a_folder_in_the_place_of_a_file_is_named_and_the_others_go_on(
    sgdlab: Cli, runs: list[Path], tmp_path: Path
):
    for run in runs:
        (run / "summary.csv").unlink()
    (runs[0] / "summary.csv").mkdir()
    again = sgdlab(*SWEEP)
    assert again.code == 1
    (line,) = [line for line in again.err.splitlines() if "summary.csv" in line]
    assert f"{runs[0].name}/summary.csv: a folder, where a run writes a file" in line
    assert whole(runs[1:], tmp_path) == [True]
