"""Sweeps: names, tables, ranking, what fails and what does not stop the rest."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, Result, refused, rows, same_run, summary, write
from hydra.core.plugins import Plugins

from sgdlab.signals import Interrupted
from sgdlab.terminal.progress import NoDisplay

FRAGILE = """
    from pathlib import Path

    from torch import nn


    class Fragile(nn.Linear):
        def __init__(self, input_shape, num_outputs, fragile=False):
            super().__init__(input_shape[0], num_outputs)
            self.fragile, self.steps = fragile, 0

        def forward(self, x):
            self.steps += self.training
            # Later than the first step, which is tried before a sweep.
            if self.fragile and self.steps > 3 and Path("broken").exists():
                raise ZeroDivisionError("the wire is cut")
            return super().forward(x)
"""


def sweep(cli: Cli, *arguments: object, parts: Path | None = None) -> Result:
    own = ("--config-dir", parts) if parts else ()
    return cli("train", "-m", *own, *QUICK, "max_steps=4", "study=s", *arguments)


def runs_of(cli: Cli) -> dict[str, Path]:
    """Return the run folders of the study by their names."""
    return {p.parent.name: p.parent for p in cli.folder.glob("runs/s/*/summary.csv")}


def written(cli: Cli) -> dict[str, int]:
    return {name: (run / "steps.csv").stat().st_mtime_ns for name, run in runs_of(cli).items()}


def test_a_sweep_has_a_folder_per_run_a_table_and_a_ranking(sgdlab: Cli):
    result = sweep(sgdlab, "optimizer=sgd,adam", "lr=0.001,0.1")
    assert result.code == 0, result.err
    runs = runs_of(sgdlab)
    assert len(runs) == 4
    table = {row["directory"]: row for row in rows(sgdlab.folder / "runs/s/runs.csv")}
    assert set(table) == set(runs)
    for name, run in runs.items():
        found = summary(run)
        assert found["run_id"] == name
        assert found["study"] == "s"
        assert {key: table[name][key] for key in found} == found
    best_first = sorted(map(summary, runs.values()), key=lambda r: float(r["final_val_loss"]))
    expected = [(r["optimizer"], r["base_lr"]) for r in best_first]
    ranked = [line.split() for line in result.out.splitlines() if line[:1].isdigit()][:4]
    assert [(cells[1], cells[2]) for cells in ranked] == expected
    assert "4 completed; all runs: " in result.out


def test_the_same_sweep_again_trains_nothing_and_a_longer_one_only_what_is_new(sgdlab: Cli):
    arguments = ("train", "-m", *QUICK, "max_steps=2")
    assert sgdlab(*arguments, "seed=0,1").code == 0
    (study,) = sgdlab.folder.glob("runs/*")
    before = {p: p.stat().st_mtime_ns for p in study.glob("*/steps.csv")}
    again = sgdlab(*arguments, "seed=0,1")
    assert "2 of 2 runs are finished; resume=false repeats them" in again.err
    assert sgdlab(*arguments, "seed=0,1,2").code == 0
    assert list(sgdlab.folder.glob("runs/*")) == [study]
    assert len(rows(study / "runs.csv")) == 3
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_a_diverged_run_is_a_result_and_keeps_its_curve(sgdlab: Cli):
    result = sweep(sgdlab, "optimizer=sgd", "lr=0.1,1e30")
    assert result.code == 0, result.err
    assert "1 completed, 1 diverged" in result.out
    by_status = {summary(run)["status"]: run for run in runs_of(sgdlab).values()}
    row, steps = summary(by_status["diverged"]), rows(by_status["diverged"] / "steps.csv")
    assert row["steps"] == steps[-1]["step"] == "2"
    assert float(steps[-1]["loss"]) > 1e20
    assert "step 2" in row["reason"]
    assert (row["final_val_loss"], row["final_val_metric"], row["final_train_loss"]) == ("", "", "")
    assert row["best_val_step"] == "0"
    table = rows(sgdlab.folder / "runs/s/runs.csv")
    assert sorted(r["status"] for r in table) == ["completed", "diverged"]
    assert "2 of 2 runs are finished" in sweep(sgdlab, "optimizer=sgd", "lr=0.1,1e30").err


def test_a_crashed_run_stops_no_other_and_is_the_only_one_tried_again(sgdlab: Cli, parts: Path):
    write(parts / "own_fragile.py", FRAGILE)
    write(parts / "model" / "fragile.yaml", "_target_: own_fragile.Fragile\nfragile: false\n")
    own = ("model=fragile", "model.fragile=false,true", "seed=0,1", "max_steps=6")
    flag = write(sgdlab.folder / "broken", "")
    result = sweep(sgdlab, *own, parts=parts)
    assert result.code == 1
    assert "2 completed, 2 failed" in result.out
    assert "Traceback" not in result.err
    failed = {n: r for n, r in runs_of(sgdlab).items() if summary(r)["status"] == "failed"}
    assert len(failed) == 2
    for run in failed.values():
        reason = f"ZeroDivisionError: the wire is cut at {parts / 'own_fragile.py'}:"
        assert summary(run)["reason"].startswith(reason)
        assert 'raise ZeroDivisionError("the wire is cut")' in (run / "error.txt").read_text()
    before = written(sgdlab)

    flag.unlink()
    again = sweep(sgdlab, *own, parts=parts)
    assert again.code == 0, again.err
    assert "2 of 4 runs are finished; resume=false repeats them" in again.err
    after = written(sgdlab)
    assert {name for name in after if after[name] != before[name]} == set(failed)
    assert not list(sgdlab.folder.rglob("error.txt"))
    assert {r["status"] for r in rows(sgdlab.folder / "runs/s/runs.csv")} == {"completed"}


def test_settings_of_a_swept_group_apply_to_every_member(sgdlab: Cli):
    result = sweep(sgdlab, "optimizer=adam,adamw", "optimizer.betas=[0.8,0.9]")
    assert result.code == 0, result.err
    found = [summary(run) for run in runs_of(sgdlab).values()]
    assert sorted(r["optimizer"] for r in found) == ["adam", "adamw"]
    assert {r["optimizer.betas"] for r in found} == {"[0.8, 0.9]"}


def test_a_run_of_a_sweep_is_the_same_run_alone(sgdlab: Cli):
    assert sweep(sgdlab, "optimizer=adam,sgd", "lr=0.1,0.2").code == 0
    alone = sgdlab.train("alone", "max_steps=4", "optimizer=sgd", "lr=0.2")
    swept = runs_of(sgdlab)[summary(alone)["run_id"]]
    assert same_run(swept, alone, "study")


def test_an_interrupted_sweep_says_so_keeps_its_table_and_goes_on(sgdlab: Cli, monkeypatch):
    def interrupt(self, step, loss, lr, grad_norm):
        if lr == 0.2:
            raise Interrupted

    with monkeypatch.context() as patch:
        patch.setattr(NoDisplay, "step", interrupt)
        stopped = sweep(sgdlab, "lr=0.1,0.2,0.3")
    assert stopped.code == 130
    assert stopped.err.splitlines()[-1].startswith("sgdlab: interrupted")
    statuses = [r["status"] for r in rows(sgdlab.folder / "runs/s/runs.csv")]
    assert sorted(statuses) == ["completed", "unfinished"]
    again = sweep(sgdlab, "lr=0.1,0.2,0.3")
    assert again.code == 0
    assert "1 of 3 runs are finished; resume=false repeats them" in again.err
    assert len(runs_of(sgdlab)) == 3


@pytest.mark.slow
def test_hydras_basic_sweeper_gives_the_same_runs(sgdlab: Cli, tmp_path: Path):
    basic = Cli(tmp_path / "basic")
    result = sweep(basic, "hydra/sweeper=basic", "lr=0.1,0.2")
    assert result.code == 0, result.err
    assert sweep(sgdlab, "lr=0.1,0.2").code == 0
    assert set(runs_of(basic)) == set(runs_of(sgdlab))
    for name, run in runs_of(basic).items():
        assert same_run(run, runs_of(sgdlab)[name])


@pytest.mark.slow
def test_joblib_gives_the_same_runs_in_processes_of_their_own(sgdlab: Cli, tmp_path: Path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    parallel = Cli(tmp_path / "parallel")
    runs = ("engine=sequential", "lr=0.1,0.2")  # a worker takes a stack where it may
    result = sweep(parallel, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", *runs)
    assert result.code == 0, result.err
    assert "2 completed" in result.out
    assert sweep(sgdlab, *runs).code == 0
    assert set(runs_of(parallel)) == set(runs_of(sgdlab))
    for name, run in runs_of(parallel).items():
        assert same_run(run, runs_of(sgdlab)[name])


@pytest.mark.slow
def test_one_worker_of_joblib_leaves_this_process_as_it_was(sgdlab: Cli):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    before = vars(Plugins.instance()).copy()
    for seeds in ("0,1", "2,3"):
        here = (f"seed={seeds}", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
        assert sgdlab("train", "-m", *QUICK, "max_steps=3", "study=s", *here).code == 0
    assert vars(Plugins.instance()) == before
    several = ("lr-find", "-m", *QUICK, "optimizer=sgd,adam", "range.steps=20")
    assert sgdlab(*several, "hydra.sweep.dir=out").code == 0


def test_a_sweep_over_nothing_is_refused(sgdlab: Cli):
    line = refused(sgdlab, "train", "-m", *QUICK, "seed=0,1", "local_sgd.workers=glob(*)")
    assert "local_sgd.workers=glob(*): matches nothing, so there is no run to make" in line
