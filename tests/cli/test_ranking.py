"""What is never put in one order, as a person sees it."""

import re

from cli_runs import QUICK, Cli, rows


def places(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines() if re.match(r"\s*\d+ (?!comp)", line)]


def swept(sgdlab: Cli, *what: str) -> tuple[list[list[str]], str]:
    result = sgdlab("train", "-m", *QUICK[1:], "epochs=3", *what, "hydra.sweep.dir=out")
    assert result.code == 0, result.err
    return places(result.out), result.err


def test_losses_that_differ_are_ranked_by_the_metric(sgdlab: Cli) -> None:
    ranked, said = swept(sgdlab, "dataset=wine", "loss=cross_entropy,mse", "lr=0.05,0.0001")
    accuracies = [float(row[row.index("%") - 1]) for row in ranked]
    assert accuracies == sorted(accuracies, reverse=True)
    assert [row[0] for row in ranked] == ["1", "2", "3", "4"]
    assert "losses differ and are not comparable: ranked by the metric" in said


def test_a_setting_of_the_loss_is_another_loss(sgdlab: Cli) -> None:
    _, said = swept(
        sgdlab, "dataset=wine", "loss=cross_entropy", "loss.label_smoothing=0.0,0.3", "seed=0"
    )
    assert "losses differ" in said


def test_runs_on_other_data_have_ranks_of_their_own(sgdlab: Cli) -> None:
    ranked, said = swept(sgdlab, "dataset=wine,diabetes", "lr=0.05,0.0001")
    assert [row[0] for row in ranked] == ["1", "2", "1", "2"]
    assert [row[1] for row in ranked] == ["wine", "wine", "diabetes", "diabetes"]
    assert "ranked within the same loss and data" in said


def test_one_loss_is_ranked_as_ever(sgdlab: Cli) -> None:
    ranked, said = swept(sgdlab, "dataset=wine", "lr=0.0001,0.05")
    assert [row[1] for row in ranked] == ["0.05", "0.0001"]
    assert "ranked" not in said


def test_a_report_keeps_losses_apart(sgdlab: Cli) -> None:
    swept(sgdlab, "dataset=wine", "loss=cross_entropy,mse", "lr=0.05", "seed=0,1,2")
    result = sgdlab("report", "out")
    assert result.code == 0, result.err
    report = sgdlab.folder / "out" / "report"
    names = {row["optimizer"] for row in rows(report / "comparison.csv")}
    assert names == {"nesterov loss=cross_entropy", "nesterov loss=mse"}
    compared = {row["metric"] for row in rows(report / "pairwise.csv")}
    assert "final_val_metric" in compared
    assert not any(name.endswith("_loss") for name in compared)
