"""Test problems as datasets: what `prepare`, `evaluate`, `build_run` and `fit` make of them."""

from typing import Any

import pytest
import torch
from problem_settings import CONVEX, PROBLEMS, problem
from torch import nn

from sgdlab.datasets.base import Examples
from sgdlab.datasets.convert import to_examples
from sgdlab.datasets.problem import Problem
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError
from sgdlab.losses.mean import Mean
from sgdlab.metrics.by_task import LossItself
from sgdlab.models.problem import Problem as ProblemModel
from sgdlab.steps.criterion import Criterion
from sgdlab.training.evaluation import evaluate
from trainer_runs import train


class Constant(nn.Module):
    """Values of the rows themselves, whatever ``w``."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] + 0 * self.w


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_split_is_the_whole_problem(name: str) -> None:
    examples = problem(name)
    data = prepare(examples, name=name, seed=0, val=0.2, test=0.2)
    assert data.task == "optimization"
    assert data.num_outputs == 1
    assert data.input_shape == tuple(examples.x.shape[1:])
    for split in (data.train, data.val, data.test):
        assert torch.equal(split.x, examples.x)
        assert len(split.y) == len(examples.x)
    moved = data.to("cpu", torch.float64)
    assert moved.problem is data.problem is examples.problem
    assert moved.train.x.dtype == torch.float64


def test_a_problem_of_ones_own() -> None:
    own = Examples(torch.rand(5, 2), torch.zeros(5), problem=Problem(Constant(), 0.25))
    data = prepare(own, name="own", seed=0, val=0.2, test=0.2)
    assert data.task == "optimization"
    assert isinstance(ProblemModel(problem=data.problem), Constant)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "optimization"}, "task=optimization goes with problem="),
        ({"problem": Problem(Constant(), 0.0), "task": "regression"}, "found task=regression"),
        ({"problem": 0.5}, "found task=None, problem=0.5"),
        ({"problem": Problem(Constant(), 0.0), "y": torch.zeros(4)}, "x has 5 rows, y has 4"),
        (
            {"problem": Problem(Constant(), 0.0), "test": (torch.rand(5, 2), torch.zeros(5))},
            "no test split",
        ),
    ],
)
def test_half_a_problem_is_refused(changes: dict[str, Any], message: str) -> None:
    fields: dict[str, Any] = {"x": torch.rand(5, 2), "y": torch.zeros(5), **changes}
    with pytest.raises(InputError, match=message):
        to_examples(Examples(**fields), "own")


def test_an_ordinary_dataset_has_no_model_problem() -> None:
    with pytest.raises(InputError, match=r"^model=problem goes with a test problem \(dataset=qu"):
        ProblemModel(problem=None)


def test_gap_is_the_mean_in_float64_less_the_optimum() -> None:
    """Sums of these float32 values in float32 lose the small ones, one after the other."""
    x = torch.full((4000, 1), 1e-5)
    x[0] = 1000.0
    examples = Examples(x, torch.zeros(4000), problem=Problem(Constant(), 0.125))
    data = prepare(examples, name="own", seed=0, val=0.2, test=0.2)
    expected = float(x.double().mean())
    for size in (4000, 17):
        loss, gap = evaluate(Constant(), Criterion(Mean()), LossItself(0.125), data.val, size)
        assert loss == pytest.approx(expected, rel=1e-14)
        assert gap == loss - 0.125


def test_the_gap_at_the_optimum_is_rounding_in_either_precision() -> None:
    data = prepare(problem("logistic", l2=0.1), name="logistic", seed=0, val=0.2, test=0.2)
    assert data.problem is not None
    model: Any = data.problem.build().double()
    doubled = data.to("cpu", torch.float64)
    optimizer = torch.optim.LBFGS(
        model.parameters(), max_iter=150, tolerance_grad=1e-11, tolerance_change=0,
        line_search_fn="strong_wolfe",
    )  # fmt: skip

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = model(doubled.train.x).mean()
        loss.backward()
        return loss

    optimizer.step(closure)
    loss, gap = Criterion(Mean()), LossItself(data.problem.optimum)
    assert abs(evaluate(model, loss, gap, doubled.val, 100).metric) < 1e-15
    assert abs(evaluate(model.float(), loss, gap, data.val, 100).metric) < 1e-8


LRS = {"quadratic": 1.0, "noisy_quadratic": 1.0, "logistic": 0.25, "least_squares": 0.2}


@pytest.mark.parametrize("name", CONVEX)
def test_a_run_of_gradient_descent_closes_the_gap(name: str) -> None:
    settings = {
        "quadratic": ["dataset.condition=10.0", "dataset.noise=0.5", "dataset.n_samples=64"],
        "noisy_quadratic": ["dataset.condition=10.0", "dataset.noise=0.0"],
        "logistic": ["dataset.l2=0.1"],
        "least_squares": ["dataset.l2=0.1"],
    }[name]
    outcome, rows, run = train(
        f"dataset={name}", "optimizer=sgd", "schedule=constant", f"lr={LRS[name]}",
        "dtype=float64", "batch_size=full", "epochs=600", "eval.every=100", *settings,
    )  # fmt: skip
    assert outcome.status == "completed"
    columns = [row[:1] + row[5:] for row in rows.evaluations]
    assert [row[:2] for row in columns[:3]] == [(0, "train"), (0, "val"), (100, "train")]
    assert all(row[3] == row[2] - run.data.problem.optimum for row in columns)
    gaps = [row[3] for row in columns if row[1] == "val"]
    assert gaps[0] > 0.05
    assert gaps == pytest.approx(sorted(gaps, reverse=True), abs=1e-15)
    assert abs(gaps[-1]) < 1e-8
    assert outcome.progress.val_metric == gaps[-1]


def test_mini_batches_of_a_finite_sample_take_every_example_once() -> None:
    """With h = 0 in one direction the noise of whole epochs adds up to nothing there."""
    _, rows, run = train(
        "dataset=quadratic", "dataset.eigenvalues=[1.0,0.0]", "dataset.noise=1.0", "epochs=3",
        "dataset.n_samples=100", "batch_size=10", "optimizer=sgd", "schedule=constant", "lr=0.1",
        "dtype=float64",
    )  # fmt: skip
    flat, steep = run.model.w.detach()[1].item(), run.model.w.detach()[0].item()
    assert flat == pytest.approx(1.0, abs=1e-12)
    assert abs(steep) > 1e-3
    assert len(rows.step_rows) == 30


def test_a_projected_run_stays_in_its_set_and_reaches_the_constrained_optimum() -> None:
    _, rows, run = train(
        "dataset=least_squares", "dataset.projection=ball", "dataset.radius=0.2", "optimizer=sgd",
        "schedule=constant", "lr=0.2", "batch_size=full", "epochs=300", "dtype=float64",
    )  # fmt: skip
    assert float(run.model.w.detach().norm()) == pytest.approx(0.2, rel=1e-12)
    assert -1e-15 < rows.evaluations[-1][-1] < 1e-8


def test_fresh_noise_follows_the_seed_and_leaves_evaluation_alone() -> None:
    common = ["dataset=noisy_quadratic", "optimizer=sgd", "max_steps=5", "schedule=constant"]
    torch.manual_seed(0)
    _, first, _ = train(*common, "lr=0.01")
    torch.manual_seed(0)
    _, again, _ = train(*common, "lr=0.01")
    torch.manual_seed(1)
    _, other, _ = train(*common, "lr=0.01")
    assert [row[4:6] for row in first.step_rows] == [row[4:6] for row in again.step_rows]
    assert first.step_rows[0][5] != other.step_rows[0][5]
    assert first.evaluations[0][6:] == other.evaluations[0][6:]


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_default_settings_train(name: str) -> None:
    """By the command's own defaults, warm-up, schedule and all: the gap at least halves."""
    outcome, rows, run = train(f"dataset={name}", "optimizer=adam", "max_steps=150", "lr=0.05")
    assert outcome.status == "completed"
    assert outcome.progress.val_metric < 0.5 * rows.evaluations[0][7]
    assert run.data.problem is not None
