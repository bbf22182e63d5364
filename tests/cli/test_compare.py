"""A comparison: one budget for all, paired seeds, the test split once, and resuming."""

import os
import shutil
import signal
from pathlib import Path

import pandas as pd
import pytest
import yaml
from cli_runs import QUICK, Cli, Result, rows, summary, timeless, write

from sgdlab.comparison.timing import REPEATS
from sgdlab.results import Written
from sgdlab.results.settings import LATER
from sgdlab.stacked.stack import Stack

OPTIMIZERS = ("sgd", "adam")
TRIALS, SEEDS = 4, 3
ONE_SEARCH = ("replicates=1", "tracks=[tuned]")
STUDY = (
    *QUICK,
    *ONE_SEARCH,
    "study=s",
    "epochs=2",
    f"trials={TRIALS}",
    f"seeds={SEEDS}",
    "seed=10",
)


def compare(cli: Cli, *arguments: str) -> Result:
    return cli("compare", *STUDY, f"optimizers=[{','.join(OPTIMIZERS)}]", *arguments)


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a small comparison, and what it printed."""
    cli = Cli(tmp_path_factory.mktemp("compare") / "here", is_drawn=True, is_timed=True)
    result = compare(cli)
    assert result.code == 0, result.err
    return cli.folder / "runs/s", result.out


@pytest.fixture
def study(shown: tuple[Path, str]) -> Path:
    return shown[0]


@pytest.fixture
def copied(study: Path, sgdlab: Cli) -> Path:
    """The comparison copied into the working directory of ``sgdlab``."""
    shutil.copytree(study, sgdlab.folder / "runs/s")
    return sgdlab.folder / "runs/s"


def of_phase(study: Path, phase: str, optimizer: str) -> list[dict[str, str]]:
    found = [summary(p.parent) for p in sorted(study.glob(f"{phase}/*/summary.csv"))]
    return [row for row in found if row["optimizer"] == optimizer]


def content(study: Path) -> dict[str, object]:
    """Return all that a comparison's runs wrote, apart from time and memory."""
    found: dict[str, object] = {}
    for path in sorted(study.glob("*/*/*.csv")):
        if path.parent.parent.name in ("tune", "final"):
            found[str(path.relative_to(study))] = timeless(path)
    table = [row for row in timeless(study / "runs.csv") if row["phase"] != "timing"]
    return {**found, "runs.csv": table}


def test_a_study_holds_its_trials_its_finals_a_table_a_protocol_and_a_report(study: Path):
    assert {p.name for p in study.iterdir()} == {
        "tune", "final", "timing", "runs.csv", "study.yaml", "config.yaml", "report",
        "written.sha256",
    }  # fmt: skip
    assert len(list(study.glob("tune/*/summary.csv"))) == len(OPTIMIZERS) * TRIALS
    assert len(list(study.glob("final/*/summary.csv"))) == len(OPTIMIZERS) * SEEDS
    assert len(list(study.glob("timing/*/summary.csv"))) == len(OPTIMIZERS) * REPEATS
    assert len(rows(study / "runs.csv")) == len(OPTIMIZERS) * (TRIALS + SEEDS + REPEATS)
    for name in ("runs.csv", "comparison.csv", "report.md", "report.html"):
        assert (study / "report" / name).stat().st_size > 0
    assert list((study / "report" / "figures").glob("*.svg"))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_optimizer_has_the_same_number_of_trials_inside_its_bounds(study: Path, optimizer):
    spaces = yaml.safe_load((study / "study.yaml").read_text())["search"]["spaces"]
    trials = of_phase(study, "tune", optimizer)
    assert sorted(t["trial"] for t in trials) == [str(k) for k in range(TRIALS)]
    assert set(spaces[optimizer]) == {"lr", "optimizer.weight_decay"}
    for key, bounds in spaces[optimizer].items():
        values = [float(t["base_lr" if key == "lr" else key]) for t in trials]
        assert len(set(values)) == TRIALS
        assert all(bounds["low"] <= value <= bounds["high"] for value in values)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_winner_has_the_least_final_validation_loss_of_its_trials(study: Path, optimizer):
    trials = of_phase(study, "tune", optimizer)
    winner = min(trials, key=lambda row: float(row["final_val_loss"]))
    finals = of_phase(study, "final", optimizer)
    for column in ("trial", "base_lr", "optimizer.weight_decay"):
        assert {row[column] for row in finals} == {winner[column]}


@pytest.mark.slow
def test_another_criterion_chooses_by_itself(sgdlab: Cli, copied: Path):
    shutil.rmtree(copied / "report")
    shutil.move(copied, sgdlab.folder / "runs/t")
    (sgdlab.folder / "runs/t/study.yaml").unlink()
    result = compare(sgdlab, "select_by=best_val_metric", "study=t", "seeds=1")
    assert result.code == 0, result.err
    for optimizer in OPTIMIZERS:
        trials = sorted(
            of_phase(sgdlab.folder / "runs/t", "tune", optimizer), key=lambda r: int(r["trial"])
        )
        best = max(trials, key=lambda r: float(r["best_val_metric"]))
        line = next(x for x in result.out.splitlines() if x.startswith(f"{optimizer}: trial"))
        assert f"trial {best['trial']} of {TRIALS} chosen by best_val_metric" in line


def test_final_seeds_are_fresh_and_the_same_for_every_optimizer(study: Path):
    for optimizer in OPTIMIZERS:
        assert {row["seed"] for row in of_phase(study, "tune", optimizer)} == {"10"}
        finals = of_phase(study, "final", optimizer)
        assert sorted(row["seed"] for row in finals) == ["11", "12", "13"]


def test_runs_at_one_seed_start_from_the_same_weights_and_batch(study: Path):
    first: dict[str, set[str]] = {}
    for path in study.glob("final/*/steps.csv"):
        first.setdefault(summary(path.parent)["seed"], set()).add(rows(path)[0]["loss"])
    assert [len(losses) for losses in first.values()] == [1] * SEEDS
    assert len(set.union(*first.values())) == SEEDS


def test_only_final_runs_touch_the_test_split(study: Path):
    for optimizer in OPTIMIZERS:
        assert {row["test_metric"] for row in of_phase(study, "tune", optimizer)} == {""}
        assert all(float(row["test_loss"]) > 0 for row in of_phase(study, "final", optimizer))
    for path in study.glob("*/*/evals.csv"):
        tests = [row for row in rows(path) if row["split"] == "test"]
        assert len(tests) == (path.parent.parent.name == "final")


def test_the_report_has_a_row_per_optimizer_with_the_mean_of_its_finals(study: Path):
    table = pd.read_csv(study / "report" / "comparison.csv").set_index("optimizer")
    assert set(table.index) == set(OPTIMIZERS)
    for optimizer in OPTIMIZERS:
        finals = [float(row["test_metric"]) for row in of_phase(study, "final", optimizer)]
        assert table.loc[optimizer, "completed"] == SEEDS
        mean = next(c for c in table.columns if "test" in c and "mean" in c)
        assert table.loc[optimizer, mean] == pytest.approx(sum(finals) / SEEDS)


def test_a_verdict_speaks_of_these_settings_only(shown: tuple[Path, str]):
    assert "these tuned settings" in " ".join(shown[1].split())


def test_the_protocol_is_written_down(study: Path):
    protocol = yaml.safe_load((study / "study.yaml").read_text())
    assert protocol["optimizers"] == list(OPTIMIZERS)
    assert protocol["budget"] == {"unit": "trials", "per_search": TRIALS}
    assert (protocol["tuning_seeds"], protocol["final_seeds"]) == ([10], [[11, 12, 13]])
    assert (protocol["contenders"], protocol["workloads"]) == (list(OPTIMIZERS), ["wine/linear"])
    assert protocol["run"]["epochs"] == 2


def test_the_same_command_again_trains_nothing(sgdlab: Cli, copied: Path):
    before = {p: p.stat().st_mtime_ns for p in copied.glob("*/*/steps.csv")}
    sgdlab.is_timed = True
    result = compare(sgdlab)
    assert result.code == 0, result.err
    assert {p: p.stat().st_mtime_ns for p in copied.glob("*/*/steps.csv")} == before
    assert "8 of 8 runs are finished" in result.err
    assert "6 of 6 runs are finished" in result.err


def test_an_interrupted_comparison_continues_to_the_same_files(
    sgdlab: Cli, copied: Path, study: Path
):
    (kept, *gone) = sorted(copied.glob("tune/*")), sorted(copied.glob("final/*"))[:4]
    for folder in [*kept[::2], *gone[0]]:
        (folder / "summary.csv").unlink()
    shutil.rmtree(gone[0][0])
    shutil.rmtree(copied / "report")
    (copied / "runs.csv").unlink()
    result = compare(sgdlab)
    assert result.code == 0, result.err
    assert "4 of 8 runs are finished" in result.err
    assert "2 of 6 runs are finished" in result.err
    assert content(copied) == content(study)
    assert (copied / "report" / "report.html").is_file()


@pytest.mark.slow
@pytest.mark.parametrize("at", [3, 13])
def test_a_comparison_that_is_told_to_stop_goes_on_to_the_same_files(
    sgdlab: Cli, study: Path, monkeypatch: pytest.MonkeyPatch, at: int
):
    """While it tunes, and while it runs the winners again."""
    step, made = Stack.step, []

    def told(self: Stack, *arguments: object):
        made.append(1)
        if len(made) == at:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(self, *arguments)

    monkeypatch.setattr(Stack, "step", told)
    result = compare(sgdlab)
    assert result.code == 143
    line = result.err.splitlines()[-1]
    assert line.startswith("sgdlab: interrupted (SIGTERM); ")
    assert "goes on when the command is typed again" in line
    assert not (sgdlab.folder / "runs/s/report").exists()
    monkeypatch.undo()
    assert compare(sgdlab).code == 0
    assert content(sgdlab.folder / "runs/s") == content(study)


@pytest.mark.slow
def test_a_study_from_before_a_setting_was_there_goes_on(sgdlab: Cli, copied: Path):
    path = copied / "study.yaml"
    study = yaml.safe_load(path.read_text())
    for key in LATER:
        section, _, leaf = key.rpartition(".")
        (study["run"].get(section, {}) if section else study["run"]).pop(leaf, None)
    Written(copied).write(path.name, yaml.safe_dump(study))
    result = compare(sgdlab)
    assert result.code == 0, result.err
    assert "runs are finished" in result.err


@pytest.mark.parametrize("other", ["epochs=3", "search.sgd.lr.low=0.05"])
def test_other_settings_under_the_same_name_are_refused(sgdlab: Cli, copied: Path, other: str):
    before = content(copied)
    result = compare(sgdlab, other)
    assert result.code == 2
    assert result.err.count("\n") == 1
    assert "choose another study=NAME" in result.err
    assert content(copied) == before


@pytest.mark.slow
def test_an_optimizer_whose_trials_all_diverge_is_said_and_reported(sgdlab: Cli):
    result = sgdlab(
        "compare", *STUDY, "optimizers=[sgd,adam]", "trials=2", "seeds=2",
        "search.sgd.lr.low=1e30", "search.sgd.lr.high=1e32",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "sgd: none of 2 trials completed" in result.err
    study = sgdlab.folder / "runs/s"
    assert {row["status"] for row in of_phase(study, "tune", "sgd")} == {"diverged"}
    assert of_phase(study, "final", "sgd") == []
    assert len(of_phase(study, "final", "adam")) == 2
    assert "sgd" in (study / "report" / "report.md").read_text()


@pytest.mark.slow
def test_an_optimizer_of_the_users_is_compared(sgdlab: Cli, parts: Path):
    write(
        parts / "own_sign.py",
        """
        import torch


        class OwnSign(torch.optim.Optimizer):
            def __init__(self, params, lr=0.01):
                super().__init__(params, {"lr": lr})

            @torch.no_grad()
            def step(self):
                for group in self.param_groups:
                    for p in group["params"]:
                        p.sub_(group["lr"] * p.grad.sign())
        """,
    )
    write(parts / "optimizer" / "own_sign.yaml", "_target_: own_sign.OwnSign\nlr: 0.01\n")
    write(parts / "search" / "own_sign.yaml", "lr: {low: 0.001, high: 0.1, scale: log}\n")
    result = sgdlab(
        "compare", "--config-dir", parts, *STUDY,
        "optimizers=[own_sign,sgd]", "trials=2", "seeds=2",
    )  # fmt: skip
    assert result.code == 0, result.err
    finals = of_phase(sgdlab.folder / "runs/s", "final", "own_sign")
    assert [row["status"] for row in finals] == ["completed"] * 2
    assert "own_sign" in (sgdlab.folder / "runs/s/report/report.md").read_text()
