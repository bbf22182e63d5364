"""No command replaces or deletes what sgdlab has not written."""

import json
import shutil
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, write

SWEEP = ("train", "-m", *QUICK, "max_steps=2", "seed=0,1", "study=s")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("train", *QUICK), "config.yaml"),
        (("train", *QUICK), "checkpoint.pt"),
        (("lr-find", *QUICK), "suggestions.csv"),
        (("lr-find", *QUICK), "environment.json"),
        (("verify", "rows=[1]"), "verify.csv"),
        (("verify", "rows=[1]"), "equivalence.svg"),
        (("train", "experiment=lessons/lr_gap"), "lesson.txt"),
    ],
)
def test_a_folder_with_files_of_someone_else_is_refused(
    sgdlab: Cli, command: tuple[str, ...], name: str
) -> None:
    own = write(sgdlab.folder / "mine" / name, "mine\n")
    error = refused(sgdlab, *command, "hydra.run.dir=mine")
    assert f"{name}: not sgdlab's" in error
    assert own.read_text() == "mine\n"


@pytest.mark.slow
def test_a_range_test_replaces_its_own_files_until_they_are_changed(sgdlab: Cli) -> None:
    command = ("lr-find", *QUICK, "range.steps=12", "hydra.run.dir=here")
    assert sgdlab(*command).code == 0
    assert sgdlab(*command).code == 0
    with (sgdlab.folder / "here" / "lr_find.csv").open("a") as table:
        table.write("# looks good\n")
    assert "lr_find.csv: changed since sgdlab wrote it" in refused(sgdlab, *command)


@pytest.mark.slow
def test_a_changed_table_of_a_study_stays_and_is_named(sgdlab: Cli) -> None:
    table = sgdlab.folder / "runs" / "s" / "runs.csv"
    assert sgdlab(*SWEEP).code == 0
    again = sgdlab(*SWEEP, "resume=false")
    assert (again.code, "runs.csv" in again.err) == (0, False)
    table.write_text(table.read_text().replace("directory", "folder", 1))
    mine = table.read_text()
    again = sgdlab(*SWEEP)
    assert again.code == 0
    assert "runs.csv: changed since sgdlab wrote it" in again.err
    assert table.read_text() == mine


def test_a_sweep_writes_through_no_link_in_its_study(sgdlab: Cli) -> None:
    assert sgdlab(*SWEEP).code == 0
    (run, *_) = sorted((sgdlab.folder / "runs" / "s").glob("*/"))
    shutil.move(run, sgdlab.folder / "elsewhere")
    run.symlink_to(sgdlab.folder / "elsewhere")
    assert f"{run.name}: a link" in refused(sgdlab, *SWEEP, "resume=false")


def test_findings_replace_findings_only(sgdlab: Cli, tmp_path: Path) -> None:
    sgdlab.train("run", "max_steps=2")
    write(sgdlab.folder / "notes.json", '{"mine": true}\n')
    error = refused(sgdlab, "diagnose", "run", "--json", "notes.json")
    assert "notes.json: not sgdlab's findings" in error
    (sgdlab.folder / "new.json").touch()
    for _ in range(2):
        assert sgdlab("diagnose", "run", "--json", "new.json").code == 0
    assert json.loads((sgdlab.folder / "new.json").read_text())[0]["run"] == "run"


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_a_drawing_replaces_its_like_only(tmp_path: Path, suffix: str) -> None:
    from matplotlib.figure import Figure

    from sgdlab.errors import InputError
    from sgdlab.report.charts.style import save

    path = tmp_path / f"a.{suffix}"
    for _ in range(2):
        save(Figure(), path, "Schedules")
    path.write_bytes(b"holiday")
    with pytest.raises(InputError, match="not this figure"):
        save(Figure(), path, "Schedules")
    assert path.read_bytes() == b"holiday"
