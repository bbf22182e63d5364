"""Two processes on one folder: the second is refused in one line, waits, or shares the work."""

from types import SimpleNamespace

import pytest
from cli_runs import QUICK, Cli, rows, same_run

from forked import Forked, another
from sgdlab.results.holders import GUARD
from sgdlab.results.lock import held

SHORT = (*QUICK, "max_steps=4")


def one_line(cli: Cli, *arguments: object) -> str:
    """Run a command that another process is in the way of; return what it says."""
    result = cli(*arguments)
    assert (result.code, result.out) == (2, ""), result
    (line,) = result.err.splitlines()
    assert line.startswith("sgdlab: ")
    assert "held by process" in line
    return line


def test_a_run_in_a_folder_that_is_held_is_refused_in_one_line(sgdlab: Cli):
    with another(sgdlab.folder / "run") as other:
        line = one_line(sgdlab, "train", *SHORT, "hydra.run.dir=run")
        assert f"run: held by process {other.pid} on " in line
        assert line.endswith(": lock=wait waits for it")
        assert not (sgdlab.folder / "run" / "config.yaml").exists()
    run = sgdlab.train("run", "max_steps=4")
    assert GUARD not in {path.name for path in run.iterdir()}


def ends(other: Forked, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have another process end as soon as a module waits."""
    pending = [other.end]
    clock = SimpleNamespace(sleep=lambda _: pending.pop()() if pending else None)
    monkeypatch.setattr(f"{where}.time", clock)


def test_a_run_waits_for_the_folder(sgdlab: Cli, monkeypatch):
    other = Forked(lambda stack: stack.enter_context(held(sgdlab.folder / "run")))
    ends(other, "sgdlab.results.lock", monkeypatch)
    result = sgdlab("train", *SHORT, "hydra.run.dir=run", "lock=wait")
    assert result.code == 0
    assert result.err.count("waiting for it") == 1
    assert (sgdlab.folder / "run" / "summary.csv").is_file()


@pytest.mark.parametrize("engine", ["sequential", "stacked"])
def test_a_sweep_trains_the_others_first_and_then_what_was_left(
    sgdlab: Cli, engine: str, monkeypatch
):
    sweep = ("train", "-m", *SHORT, f"engine={engine}", "seed=0,1,2")
    assert sgdlab(*sweep, "study=alone").code == 0
    alone = sorted((sgdlab.folder / "runs" / "alone").glob("r*/"))
    alone = [folder for folder in alone if folder.is_dir()]
    study = sgdlab.folder / "runs" / "s"

    def take(stack):
        stack.enter_context(held(study, shared=True))  # as another sweep
        stack.enter_context(held(study / alone[0].name))

    ends(Forked(take), "sgdlab.sweeps.carry_out", monkeypatch)
    result = sgdlab(*sweep, "study=s")
    assert result.code == 0, result.err
    assert result.err.count("waiting for them") == 1
    assert [row["status"] for row in rows(study / "runs.csv")] == ["completed"] * 3
    for folder in alone:
        assert same_run(folder, study / folder.name, "study")


@pytest.mark.parametrize("how", [{}, {"shared": True}], ids=["alone", "shared"])
def test_a_sweep_that_wants_the_study_alone_is_refused_while_another_has_it(sgdlab: Cli, how):
    with another(sgdlab.folder / "runs" / "s", **how):
        line = one_line(sgdlab, "train", "-m", *SHORT, "seed=0,1", "study=s", "lock=refuse")
        assert "runs/s: held by" in line
        one_line(sgdlab, "train", "-m", *SHORT, "seed=0,1", "study=s", "resume=false")


def test_a_comparison_holds_its_study_alone(sgdlab: Cli):
    study = sgdlab.folder / "runs" / "c"
    with another(study, shared=True):
        one_line(sgdlab, "compare", *SHORT, "optimizers=[sgd]", "trials=1", "study=c")
    assert not (study / "study.yaml").exists()


def test_a_range_test_and_a_verification_hold_their_folders(sgdlab: Cli):
    with another(sgdlab.folder / "x"):
        one_line(sgdlab, "lr-find", *QUICK, "hydra.run.dir=x")
        one_line(sgdlab, "lr-find", "-m", *QUICK, "batch_size=8,16", "hydra.sweep.dir=x")
        one_line(sgdlab, "verify", "rows=[1]", "hydra.run.dir=x")


def test_a_report_of_a_study_that_is_being_made_is_possible(sgdlab: Cli):
    run = sgdlab.train("s/one")
    report = ("report", "s", "--formats", "svg")
    with another(run.parent, shared=True):
        assert sgdlab(*report).code == 0
    with another(run.parent):
        assert sgdlab(*report).code == 0
        assert "--lock wait" in one_line(sgdlab, *report, "--out", "s")
    with another(run.parent / "report", apart=True):
        one_line(sgdlab, *report)


@pytest.mark.parametrize("command", ["train", "verify"])
def test_lock_is_one_of_three(sgdlab: Cli, command: str):
    result = sgdlab(command, "lock=share")
    assert result.code == 2
    assert result.err.startswith("sgdlab: lock=share: ")


def test_lock_changes_no_id(sgdlab: Cli):
    one, other = (
        rows(sgdlab.train(f"run-{lock}", "max_steps=1", f"lock={lock}") / "summary.csv")[0]
        for lock in ("auto", "wait")
    )
    assert one["run_id"] == other["run_id"]
    assert one["other_settings"] == other["other_settings"]
