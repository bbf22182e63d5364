"""Successive halving in a comparison: who is stopped, with what files, and after a kill."""

import functools
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from cli_runs import QUICK, Cli, Result, rows, summary

from sgdlab.comparison import run as compare
from sgdlab.signals import Interrupted
from sgdlab.stacked import cost, runner
from sgdlab.stacked.fit import StackFit

TRIALS, EPOCHS, PER_EPOCH = 9, 9, 4
RUNGS, PLACES = (1, 3), (3, 1)
# So wide a range that some trials of sgd diverge, one of them after the first rung.
STUDY = (
    *QUICK, "study=s", "replicates=1", "tracks=[tuned]",
    f"epochs={EPOCHS}", f"trials={TRIALS}", "seeds=1", "seed=10",
    "batch_size=32", "optimizers=[sgd,adam]", "search.sgd.lr.high=1e4", "checkpoint.every=5",
)  # fmt: skip
TABLES = ("steps.csv", "evals.csv", "summary.csv", "config.yaml")


@pytest.fixture(autouse=True)
def trials_and_finals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the report; one comparison below has it."""
    monkeypatch.setattr(compare, "_report", lambda *_: None)


def halve(cli: Cli, *arguments: str) -> Result:
    return cli("compare", *STUDY, "search.halving=true", *arguments)


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same trials, all trained to the end, in stacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compare, "_report", lambda *_: None)
        cli = Cli(tmp_path_factory.mktemp("full") / "here")
        result = cli("compare", *STUDY, "engine=stacked")
    assert result.code == 0, result.err
    return cli.folder / "runs/s"


@pytest.fixture(scope="module")
def halved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The comparison that is tested, and what it printed."""
    cli = Cli(tmp_path_factory.mktemp("halved") / "here")
    result = halve(cli)
    assert result.code == 0, result.err
    return cli.folder / "runs/s", result


def by_trial(study: Path, optimizer: str) -> dict[int, Path]:
    runs = [path.parent for path in study.glob("tune/*/summary.csv")]
    own = [run for run in runs if summary(run)["optimizer"] == optimizer]
    found = {int(summary(run)["trial"]): run for run in own}
    assert sorted(found) == list(range(TRIALS))
    return found


def validations(run: Path) -> dict[int, dict[str, str]]:
    return {int(row["step"]): row for row in rows(run / "evals.csv") if row["split"] == "val"}


def final_loss(run: Path, step: int) -> float:
    return float(validations(run)[step]["loss"])


def best_accuracy(run: Path, step: int) -> float:
    found = [row for at, row in validations(run).items() if at <= step]
    return -max(float(row["accuracy"]) for row in found if math.isfinite(float(row["loss"])))


def stopped_by_hand(
    study: Path, optimizer: str, objective_value: Callable[[Path, int], float]
) -> dict[int, tuple[int, int]]:
    """Return the rung and the place of each trial that has to be stopped, from a full tuning."""
    runs = by_trial(study, optimizer)
    racing, stopped = list(range(TRIALS)), {}
    for rung, places in zip(RUNGS, PLACES, strict=True):
        step = rung * PER_EPOCH
        dead = {
            trial
            for trial in racing
            if summary(runs[trial])["status"] == "diverged"
            and int(summary(runs[trial])["steps"]) <= step
        }
        values = {t: math.inf if t in dead else objective_value(runs[t], step) for t in racing}
        ranked = sorted(racing, key=lambda t: (t in dead, values[t], t))
        stopped |= {
            t: (rung, place)
            for place, t in enumerate(ranked, start=1)
            if place > places and t not in dead
        }
        racing = [t for t in ranked[:places] if t not in dead]
    return stopped


def check_against(
    full: Path, study: Path, objective_value: Callable[[Path, int], float], by: str
) -> None:
    """Compare the trials of a halved comparison with those of a full one."""
    for optimizer in ("sgd", "adam"):
        stopped = stopped_by_hand(full, optimizer, objective_value)
        theirs, ours = by_trial(full, optimizer), by_trial(study, optimizer)
        for trial, run in ours.items():
            row, whole = summary(run), summary(theirs[trial])
            if trial not in stopped:
                for name in ("steps.csv", "evals.csv"):
                    assert (run / name).read_bytes() == (theirs[trial] / name).read_bytes()
                assert row["status"] == whole["status"] != "stopped"
                continue
            rung, place = stopped[trial]
            assert row["status"] == "stopped"
            ending = f"by {by} after {rung} of {EPOCHS} epochs"
            assert row["reason"].startswith(f"search.halving: {place}")
            assert row["reason"].endswith(ending)
            assert (row["steps"], row["epochs"]) == (str(rung * PER_EPOCH), str(rung))
            for column in row:
                if column.startswith(("final_", "test_")):
                    assert row[column] == "", column
            losses = [float(found["loss"]) for found in validations(run).values()]
            assert float(row["best_val_loss"]) == min(losses)
            for name in ("steps.csv", "evals.csv"):
                kept = (run / name).read_bytes()
                assert (theirs[trial] / name).read_bytes().startswith(kept), name
                assert int(rows(run / name)[-1]["step"]) == rung * PER_EPOCH
            assert not (run / "checkpoint.pt").exists()


def test_the_losers_are_those_of_a_full_tuning_at_the_rungs(full: Path, halved):
    check_against(full, halved[0], final_loss, "validation loss")
    states = [summary(run)["status"] for run in by_trial(halved[0], "sgd").values()]
    assert "diverged" in states  # or nothing is tested of them
    assert states.count("stopped") >= 5


def test_the_survivor_is_run_again_over_fresh_seeds(halved):
    study, result = halved
    for optimizer in ("sgd", "adam"):
        trials = by_trial(study, optimizer)
        (winner,) = [t for t, run in trials.items() if summary(run)["status"] == "completed"]
        (final,) = [
            row
            for row in (summary(path.parent) for path in study.glob("final/*/summary.csv"))
            if row["optimizer"] == optimizer
        ]
        assert final["trial"] == str(winner)
        assert final["base_lr"] == summary(trials[winner])["base_lr"]
        assert f"{optimizer}: trial {winner} of {TRIALS} chosen" in result.out


def test_the_saving_is_said_and_reported_with_what_it_costs(halved):
    study, result = halved
    runs = [summary(run) for run in by_trial(study, "adam").values()]
    total, made = TRIALS * EPOCHS * PER_EPOCH, sum(int(row["steps"]) for row in runs)
    assert [row["status"] for row in runs].count("stopped") == 8  # none of adam's diverged
    sentence = (
        f"uccessive halving stopped 8 of 9 trials of adam early: {100 * (total - made) / total:.0f}"
        " % of the tuning steps were saved"
    )
    assert sentence in result.out
    page = (study / "report" / "report.md").read_text()
    assert sentence in page
    assert "a rank at an early epoch is not the rank at the end" in page
    assert "1 (8 stopped in all)" in page
    (row,) = [r for r in rows(study / "report/comparison.csv") if r["optimizer"] == "adam"]
    assert (row["tuning_trials"], row["tuning_stopped"]) == ("9", "8")
    assert float(row["tuning_steps_saved"]) == pytest.approx((total - made) / total)
    assert "after 1 and 3 of 9 epochs, 3 and 1 of 9 trials of each search go on" in result.err


@pytest.mark.slow
def test_the_protocol_names_the_rule_and_another_rule_is_another_study(halved, sgdlab: Cli):
    shutil.copytree(halved[0], sgdlab.folder / "runs/s")
    protocol = yaml.safe_load((halved[0] / "study.yaml").read_text())
    assert protocol["search"]["halving"] == {"reduction_factor": 3, "min_epochs": 1}
    for other in ("search.reduction_factor=2", "search.halving=false"):
        result = halve(sgdlab, other)
        assert result.code == 2
        assert "choose another study=NAME" in result.err


def test_the_same_command_again_trains_nothing(halved, sgdlab: Cli):
    shutil.copytree(halved[0], sgdlab.folder / "runs/s")
    result = halve(sgdlab)
    assert result.code == 0, result.err
    assert "tune: 18 of 18 runs are finished" in result.err


def same_trials(study: Path, other: Path) -> None:
    folders = {path.parent.name for path in other.glob("tune/*/config.yaml")}
    assert {path.parent.name for path in study.glob("tune/*/config.yaml")} == folders
    for name in folders:
        for table in TABLES:
            found = (study / "tune" / name / table).read_bytes()
            assert found == (other / "tune" / name / table).read_bytes(), (name, table)
    assert not list(study.glob("tune/*/checkpoint.pt"))


def killed(monkeypatch: pytest.MonkeyPatch, method: str, calls: int) -> None:
    """Kill what runs when a method of stacks is called once more than so often."""
    real, seen = getattr(StackFit, method), []

    def fatal(self: StackFit, *arguments: object) -> object:
        seen.append(self)
        if len(seen) > calls:
            raise Interrupted
        return real(self, *arguments)

    monkeypatch.setattr(StackFit, method, fatal)


@pytest.mark.parametrize(
    ("method", "calls"),
    [
        pytest.param("_end", 11, marks=pytest.mark.slow),
        ("_block", 9),
        *(
            pytest.param(*kill, marks=pytest.mark.slow)
            for kill in [("_end", 4), ("_block", 3), ("drop", 1), ("finish", 0)]
        ),
    ],
)
def test_a_killed_tuning_ends_with_the_same_bytes(
    method: str, calls: int, halved, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        killed(patch, method, calls)
        assert halve(sgdlab).code == 130
    study = sgdlab.folder / "runs/s"
    ended = list(study.glob("tune/*/summary.csv"))
    assert len(ended) < 2 * TRIALS
    result = halve(sgdlab)
    assert result.code == 0, result.err
    same_trials(study, halved[0])


@pytest.mark.parametrize("size", [pytest.param(2, marks=pytest.mark.slow), 4])
def test_trials_compete_over_all_stacks(
    size: int, halved, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cost, "largest", lambda group: size)
    assert halve(sgdlab).code == 0
    same_trials(sgdlab.folder / "runs/s", halved[0])


@pytest.mark.slow
def test_stacks_on_threads_of_their_own_end_with_the_same_bytes_killed_or_not(
    halved, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cost, "largest", lambda group: 4)
    monkeypatch.setattr(cost, "side_by_side", lambda group: 2)
    with monkeypatch.context() as patch:
        killed(patch, "_block", 9)
        assert halve(sgdlab).code == 130
    assert halve(sgdlab).code == 0
    same_trials(sgdlab.folder / "runs/s", halved[0])


@pytest.mark.slow
def test_stacks_side_by_side_keep_their_own_statistics_and_masks(
    sgdlab: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    own = ("model=mlp", "model.hidden=[8]", "model.dropout=0.3", "model.batch_norm=true")
    assert halve(sgdlab, *own).code == 0
    monkeypatch.setattr(cost, "largest", lambda group: 4)
    other = Cli(tmp_path / "there")
    assert halve(other, *own).code == 0
    same_trials(other.folder / "runs/s", sgdlab.folder / "runs/s")


@pytest.mark.slow
def test_a_stack_that_runs_out_of_memory_goes_on_as_two(
    halved, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    real = StackFit._block

    def greedy(self: StackFit, epoch: int, done: int, stop: int) -> None:
        if len(self.live) > 6:
            raise torch.OutOfMemoryError("out of memory")
        real(self, epoch, done, stop)

    monkeypatch.setattr(StackFit, "_block", greedy)
    result = halve(sgdlab)
    assert result.code == 0
    assert "out of memory with 9 runs in one stack: going on with 4" in result.err
    same_trials(sgdlab.folder / "runs/s", halved[0])


@pytest.mark.slow
def test_a_stack_that_fails_does_not_stop_the_others(
    halved, sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    real = runner.begin

    def broken(planner, group, runs, compiler, built):
        if group.config.names["optimizer"] == "adam":
            raise RuntimeError("a nail in the machine")
        return real(planner, group, runs, compiler, built)

    with monkeypatch.context() as patch:
        patch.setattr(runner, "begin", broken)
        assert halve(sgdlab).code == 1
    study = sgdlab.folder / "runs/s"
    for run in by_trial(study, "adam").values():
        assert summary(run)["reason"].startswith("RuntimeError: a nail in the machine at ")
    for trial, run in by_trial(halved[0], "sgd").items():
        ours = by_trial(study, "sgd")[trial]
        assert (ours / "summary.csv").read_bytes() == (run / "summary.csv").read_bytes()
    assert halve(sgdlab).code == 0  # tries the failed ones again
    same_trials(study, halved[0])


@pytest.mark.slow
def test_another_criterion_ranks_at_the_rungs_too(full: Path, sgdlab: Cli):
    assert halve(sgdlab, "select_by=best_val_metric").code == 0
    check_against(full, sgdlab.folder / "runs/s", best_accuracy, "best validation accuracy")


REFUSED = [
    # arguments, what the line says
    ("search.halving=perhaps", "search.halving=perhaps", "true or false"),
    ("search.reduction_factor=1", "search.reduction_factor=1", "whole number from 2"),
    ("search.min_epochs=0", "search.min_epochs=0", "whole number from 1"),
    ("search.reduction_facto=3", "search.reduction_facto", "did you mean reduction_factor?"),
    ("optimizers=[sgd,halving]", "optimizers=halving", "rename"),
    ("engine=sequential", "engine=sequential", "stacks"),
    ("optimizers=[sgd,lbfgs] batch_size=full", "9 of 18 (lbfgs)", "lbfgs"),
    ("average=ema select_by=average.final_val_loss", "select_by=average", "final_val_loss"),
    ("clip_value=1", "18 of 18 (sgd, adam)", "clip_value"),
    ("trials=2", "no rung for 2 trials", "more trials"),
    ("search.min_epochs=4", "no rung for 9 trials of 9 epochs", "min_epochs=4"),
    ("eval.every=9", "no rung", "eval.every=9"),
    ("stacked.max_memory=1000", "about", "higher stacked.max_memory"),
    ("search.sgd.epochs.choices=[6,9]", "rungs", "must be the same for all"),
]


@pytest.mark.parametrize(("typed", "what", "advice"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_cannot_be_halved_is_refused_before_any_file(
    sgdlab: Cli, typed: str, what: str, advice: str
):
    halving = () if typed.startswith("search.halving") else ("search.halving=true",)
    result = sgdlab("compare", *STUDY, *halving, *typed.split())
    assert result.code == 2
    (line,) = [x for x in result.err.splitlines() if not x.startswith("sgdlab: note:")]
    assert what in line
    assert advice in line
    assert not list(sgdlab.folder.rglob("*"))


def test_another_launcher_is_refused(sgdlab: Cli, monkeypatch: pytest.MonkeyPatch):
    from hydra.core.config_store import ConfigStore

    store = functools.partial(ConfigStore.instance().store, group="hydra/launcher")
    store(name="elsewhere", node={"_target_": "elsewhere.Launcher"})
    result = halve(sgdlab, "hydra/launcher=elsewhere")
    assert result.code == 2
    assert "hydra/launcher=elsewhere" in result.err
    assert not list(sgdlab.folder.rglob("*"))


@pytest.mark.slow
def test_a_setting_without_effect_and_a_rung_in_the_warm_up_are_said(sgdlab: Cli):
    result = sgdlab("compare", *STUDY, "trials=1", "epochs=1", "search.reduction_factor=2")
    assert result.code == 0, result.err
    assert "search.reduction_factor has no effect without search.halving=true" in result.err
    result = halve(sgdlab, "study=t", "trials=3", "schedule.warmup_epochs=4")
    assert result.code == 0, result.err
    assert "ranks first after epoch 3, in a warm-up of 4" in result.err
