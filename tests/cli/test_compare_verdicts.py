"""Verdicts of real comparisons on digits, against SciPy on what the runs wrote."""

import pytest
from cli_runs import Cli, rows, summary

from guarded import guarded

DIGITS = ("dataset=digits", "model=mlp", "epochs=8", "schedule.warmup_epochs=1", "study=s")


def finals(cli: Cli, optimizer: str) -> dict[str, float]:
    """Return the test accuracy of an optimizer's final runs by seed."""
    found = [summary(p.parent) for p in (cli.folder / "runs/s").glob("final/*/summary.csv")]
    return {r["seed"]: float(r["test_metric"]) for r in found if r["optimizer"] == optimizer}


@pytest.mark.slow
@pytest.mark.parametrize("how", ["replicates=10 seeds=1", "replicates=1 seeds=10"])
def test_no_winner_between_tuned_sgd_and_adam_unless_the_numbers_carry_it(sgdlab: Cli, how: str):
    result = sgdlab(
        "compare",
        *DIGITS,
        "optimizers=[nesterov,adam]",
        *how.split(),
        "trials=12",
        "tracks=[tuned]",
    )
    assert result.code == 0, result.err
    one, other = finals(sgdlab, "nesterov"), finals(sgdlab, "adam")
    assert len(one) == len(other) == 10
    seeds = sorted(one)
    test = guarded([one[s] for s in seeds], [other[s] for s in seeds])
    report = sgdlab.folder / "runs/s/report"
    (row,) = (r for r in rows(report / "pairwise.csv") if r["metric"] == "test_metric")
    sign = 1 if row["first"] == "nesterov" else -1
    assert float(row["p_value"]) == pytest.approx(test.p)
    assert sign * float(row["mean_difference"]) == pytest.approx(
        sum(one[s] - other[s] for s in seeds) / 10
    )
    said = " ".join(result.out.split())
    if test.p < 0.05:
        assert row["verdict"] in ("first better", "second better")
        assert " is better than " in said
    else:
        assert row["verdict"] in ("equivalent", "undecided")
        assert " is better than " not in said
    scope = (
        "tuning under this budget" if how.startswith("replicates=10") else "these tuned settings"
    )
    assert scope in said


@pytest.mark.slow
def test_an_optimizer_that_is_really_better_is_called_so(sgdlab: Cli):
    """Adam may not use rates above 1e-4 here: eight epochs are too few for it."""
    result = sgdlab(
        "compare", *DIGITS, "optimizers=[nesterov,adam]", "replicates=5", "trials=6",
        "search.adam.lr.low=1e-5", "search.adam.lr.high=1e-4", "tracks=[tuned]",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "nesterov is better than adam" in " ".join(result.out.split())
    audit = rows(sgdlab.folder / "runs/s/report/audit.csv")
    (edge,) = (r for r in audit if r["check"] == "best learning rate inside its range")
    assert edge["status"] != "pass"
    assert "adam" in edge["detail"]
