"""Early stopping from the command line: one run, a sweep, a comparison in either engine."""

import pandas as pd
import pytest
from cli_runs import QUICK, Cli, summary

RULE = ("lr=0.5", "stop.patience=1", "stop.min_delta=0.05", "epochs=30")


def test_a_stopped_run_is_finished(sgdlab: Cli) -> None:
    folder = sgdlab.folder / "run"
    first = sgdlab("train", *QUICK, *RULE, "hydra.run.dir=run")
    assert first.code == 0, first.err
    row = summary(folder)
    assert row["status"] == "stopped"
    assert row["reason"].startswith("stop.patience=1: val_loss was not better than")
    assert float(row["final_val_loss"]) >= float(row["best_val_loss"])
    written = (folder / "steps.csv").stat().st_mtime_ns
    again = sgdlab("train", *QUICK, *RULE, "hydra.run.dir=run")
    assert "is finished" in again.err
    assert (folder / "steps.csv").stat().st_mtime_ns == written


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["sequential", "stacked"])
@pytest.mark.parametrize(
    "select_by", ["final_val_loss", pytest.param("best_val_metric", marks=pytest.mark.slow)]
)
def test_a_comparison_of_runs_that_stop_has_its_verdict(
    engine: str, select_by: str, sgdlab: Cli
) -> None:
    result = sgdlab(
        "compare", *QUICK, *RULE[1:], f"engine={engine}", "optimizers=[sgd,adam]", "trials=3",
        "replicates=3", "study=s", "tracks=[tuned]", f"select_by={select_by}",
    )  # fmt: skip
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    runs = pd.read_csv(study / "runs.csv")
    finals = runs[runs["phase"] == "final"]
    assert len(finals) == 6
    assert (runs["status"] == "stopped").sum() >= 6
    assert finals["test_loss"].notna().all()
    table = pd.read_csv(study / "report/comparison.csv")
    assert table["completed"].tolist() == [3, 3]
    assert table["val_metric_mean"].notna().all()
    assert not table["setting"].str.contains("epochs").any()
    audit = pd.read_csv(study / "report/audit.csv")
    assert "fail" not in set(audit["status"])
    told = pd.read_csv(study / "report/runs.csv")
    assert (told["status"] == "stopped").sum() == (runs["status"] == "stopped").sum()


@pytest.mark.slow
def test_it_goes_with_halving_by_one_rule_only(sgdlab: Cli) -> None:
    result = sgdlab(
        "compare", *QUICK, *RULE[1:], "optimizers=[sgd,adam]", "search.halving=true", "trials=9",
        "study=s",
    )  # fmt: skip
    assert result.code == 2
    assert "search.halving with stop.patience" in result.err
    assert not (sgdlab.folder / "runs").exists()
