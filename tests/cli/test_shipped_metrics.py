"""Metrics by name, end to end: what a run writes is scikit-learn's on its final weights."""

import pytest
import torch
from cli_runs import QUICK, Cli, rows, summary
from sklearn import metrics as sk

from trainer_runs import built

CASES = {
    "auroc": ("breast_cancer", lambda y, o: sk.roc_auc_score(y, o[:, 1] - o[:, 0])),
    "r2": ("diabetes", sk.r2_score),
    "macro_f1": ("wine", lambda y, o: sk.f1_score(y, o.argmax(1), average="macro")),
    "top5": ("digits", lambda y, o: sk.top_k_accuracy_score(y, o, k=5)),
}


@pytest.mark.parametrize("metric", CASES)
def test_a_run_is_judged_by_it(sgdlab: Cli, metric: str) -> None:
    dataset, expected = CASES[metric]
    chosen = (f"metric={metric}", f"dataset={dataset}", "model=linear", "schedule=constant")
    run = sgdlab.folder / "run"
    result = sgdlab("train", *chosen, "epochs=2", "save_final=true", f"hydra.run.dir={run}")
    assert result.code == 0, result.err
    row = summary(run)
    assert (row["metric"], row["metric_direction"]) == (metric, "max")
    again = built(*chosen)
    again.model.load_state_dict(torch.load(run / "final.pt", weights_only=True))
    with torch.no_grad():
        output = again.model(again.data.val.x).double().numpy()
    found = float(row["final_val_metric"])
    assert found == pytest.approx(expected(again.data.val.y.numpy(), output), abs=1e-12)
    assert float(rows(run / "evals.csv")[-1][metric]) == found


@pytest.mark.parametrize(
    ("metric", "dataset", "said"),
    [
        ("top5", "wine", "metric=top5: needs more than 5 classes, and there are 3"),
        (
            "auroc",
            "diabetes",
            "metric=auroc: is for classification and multilabel; for reg",
        ),
        ("r2", "wine", "metric=r2: is for regression and counts; for classification: acc"),
    ],
)
def test_what_it_cannot_judge_is_refused_in_a_line(
    sgdlab: Cli, metric: str, dataset: str, said: str
) -> None:
    result = sgdlab("train", f"metric={metric}", f"dataset={dataset}", "model=linear")
    assert result.code == 2
    assert result.err.splitlines()[0].startswith(f"sgdlab: {said}")
    assert not (sgdlab.folder / "runs").exists()


@pytest.mark.slow
def test_a_comparison_selects_and_reports_by_it(sgdlab: Cli) -> None:
    arguments = ("optimizers=[sgd,adam]", "trials=1", "replicates=2", "epochs=1", "study=f1")
    chosen = ("metric=macro_f1", "select_by=final_val_metric")
    result = sgdlab("compare", *QUICK, *arguments, *chosen)
    assert result.code == 0, result.err
    table = rows(sgdlab.folder / "runs" / "f1" / "runs.csv")
    assert {row["metric"] for row in table} == {"macro_f1"}
    assert "macro_f1" in (sgdlab.folder / "runs/f1/report/report.html").read_text()
