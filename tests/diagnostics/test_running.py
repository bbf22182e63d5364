"""The economy tier: averages of scalars against direct sums, alone and in a stack."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cli.cli_runs import QUICK, Cli, rows
from sgdlab.diagnostics.running import COLUMNS, Running
from sgdlab.results import STEP_COLUMNS

LAMBDA = 0.98


def expected(steps: pd.DataFrame, every: int) -> pd.DataFrame:
    """Return the columns from their definitions, by sums over all earlier steps."""
    loss, norm, factor = (steps[c].to_numpy() for c in ("loss", "grad_norm", "clip_coef"))
    average = pd.Series(loss).ewm(alpha=1 - LAMBDA).mean().to_numpy()
    residual = np.concatenate([[0.0], loss[1:] - average[:-1]])
    made = []
    last = 0
    for t in range(1, len(loss) + 1):
        if t != 1 and t % every:
            made.append([math.nan] * 4)
            continue
        weights = LAMBDA ** np.arange(t - 1, -1, -1.0)
        below = (weights * residual[:t] ** 2).sum()
        above = (weights[1:] * residual[1:t] * residual[: t - 1]).sum()
        oscillation = above / below if below > 0 else math.nan
        share = (factor[last:t] < 1).mean()
        made.append([average[t - 1], norm[t - 1] * factor[t - 1], share, oscillation])
        last = t
    return pd.DataFrame(made, columns=pd.Index(COLUMNS))


def check(folder: Path, every: int) -> None:
    steps = pd.read_csv(folder / "steps.csv")
    assert list(steps.columns) == [*STEP_COLUMNS, *COLUMNS]
    np.testing.assert_allclose(
        steps[[*COLUMNS]].to_numpy(), expected(steps, every).to_numpy(), rtol=1e-9, atol=1e-12
    )


def test_a_run_has_the_averages_on_every_tenth_row(tmp_path: Path) -> None:
    sgdlab = Cli(tmp_path)
    folder = sgdlab.train("run", "lr=0.3", "epochs=12", "clip_norm=0.3", "batch_size=20")
    check(folder, 10)
    steps = pd.read_csv(folder / "steps.csv")
    assert 0 < steps["clipped_share"].mean() < 1
    due = steps["step"].isin([1, *range(10, 1000, 10)])
    assert (steps["loss_average"].notna() == due).all()


def test_another_cadence_and_none(tmp_path: Path) -> None:
    sgdlab = Cli(tmp_path)
    check(sgdlab.train("three", "diagnostics.every=3", "epochs=4"), 3)
    off = sgdlab.train("off", "diagnostics=off", "epochs=4")
    three = pd.read_csv(tmp_path / "three" / "steps.csv")[[*STEP_COLUMNS]]
    pd.testing.assert_frame_equal(pd.read_csv(off / "steps.csv"), three)


def test_a_stack_writes_what_a_run_alone_would(tmp_path: Path) -> None:
    sgdlab = Cli(tmp_path)
    result = sgdlab(
        "train", "-m", *QUICK, "lr=0.01,0.1,1000", "clip_norm=0.5", "epochs=10", "batch_size=16",
        "limits.loss_factor=3", "diagnostics.every=4", "study=s", "hydra/launcher=stacked",
    )  # fmt: skip
    assert result.code == 0, result.err
    runs = rows(tmp_path / "runs" / "s" / "runs.csv")
    assert {row["engine"] for row in runs} == {"stacked"}, result.err
    assert "diverged" in {row["status"] for row in runs}
    for row in runs:
        check(tmp_path / "runs" / "s" / row["run_id"], 4)


def test_alternation_noise_and_trend_have_their_signs() -> None:
    def oscillation(losses: np.ndarray) -> float:
        running = Running(1)
        for t, loss in enumerate(losses, start=1):
            found = running.add(t, float(loss), 1.0, 1.0)
        return found[3]  # type: ignore[index,return-value]

    t = np.arange(2000)
    assert oscillation(1 + 0.1 * (-1.0) ** t) == pytest.approx(-1, abs=0.03)
    noise = np.random.default_rng(0).normal(size=20_000)
    late = [oscillation(noise[:n]) for n in range(2000, 20_000, 500)]
    assert abs(np.mean(late)) < 0.05
    assert oscillation(10 - 0.01 * t) > 0.9
    assert math.isnan(oscillation(np.ones(5)))


def test_many_runs_at_once_are_the_single_ones_bit_for_bit() -> None:
    draw = np.random.default_rng(1)
    losses, norms, factors = draw.uniform(size=(3, 50, 4))
    factors = np.where(factors < 0.5, factors, 1.0)
    many, alone = Running(7), [Running(7) for _ in range(4)]
    for t in range(50):
        if t == 20:
            many.keep([0, 2])
            alone = [alone[0], alone[2]]
            losses, norms, factors = (a[:, [0, 2]] for a in (losses, norms, factors))
        if t == 30:
            many = Running(7, [np.array(v) for v in zip(*map(many.state, (0, 1)), strict=True)])
            alone = [Running(7, one.state()) for one in alone]
        together = many.add(t + 1, losses[t], norms[t], factors[t])
        singles = [
            one.add(t + 1, float(losses[t, r]), float(norms[t, r]), float(factors[t, r]))
            for r, one in enumerate(alone)
        ]
        for r, single in enumerate(singles):
            mine = None if together is None else tuple(float(column[r]) for column in together)
            np.testing.assert_equal(mine, single)


def test_averages_start_anew_where_a_checkpoint_has_none() -> None:
    late = Running(1, None)
    found = late.add(51, 2.0, 1.0, 1.0)
    assert found is not None
    assert found[0] == 2.0
    many = Running(1, None).add(51, np.array([2.0, 3.0]), np.ones(2), np.ones(2))
    np.testing.assert_array_equal(many[0], [2.0, 3.0])  # type: ignore[index]
