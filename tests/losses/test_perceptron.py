"""The perceptron against Rosenblatt's loop by hand, Novikoff's bound, and the trainer."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linprog
from torch import Tensor, nn

from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.perceptron import Perceptron
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.loop import fit
from trainer_runs import Rows, built


def separable(seed: int, n: int, d: int, k: int, margin: float) -> tuple[np.ndarray, ...]:
    """Return points of the unit ball, labels, and a unit ``W`` that separates them by ``margin``.

    The margin of a point is ``(w_y - w_c)·x`` for the best rival ``c``.
    """
    rng = np.random.default_rng(seed)
    weight = rng.normal(size=(k, d))
    weight /= np.linalg.norm(weight)
    points: list[np.ndarray] = []
    while len(points) < n:
        x = rng.normal(size=d)
        x *= rng.uniform() ** (1 / d) / np.linalg.norm(x)
        best, second = np.sort(weight @ x)[::-1][:2]
        if best - second >= margin:
            points.append(x)
    x = np.array(points)
    return x, (x @ weight.T).argmax(axis=1), weight


def step(model: nn.Linear, optimizer: torch.optim.Optimizer, x: Tensor, y: int) -> bool:
    """Make one update on one example; return whether it had a gradient."""
    loss = Perceptron()(model(x[None]), torch.tensor([y]))
    optimizer.zero_grad()
    loss.backward()
    assert model.weight.grad is not None
    optimizer.step()
    return bool(model.weight.grad.any())


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_are_rosenblatts_rule_update_by_update(seed: int) -> None:
    """``w += t·x`` where ``t·(w·x) <= 0``, on the difference of the rows, at lr 0.5."""
    x, y, separator = separable(seed, n=60, d=4, k=2, margin=0.05)
    model = nn.Linear(4, 2, bias=False, dtype=torch.float64)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    w, mistakes, epochs = np.zeros(4), 0, 0
    while True:
        wrong = 0
        for xi, yi in zip(x, y, strict=True):
            t = 2 * yi - 1
            update = t * (w @ xi) <= 0
            if update:
                w = w + t * xi
            assert step(model, optimizer, torch.from_numpy(xi), int(yi)) == update
            rows = model.weight.detach().numpy()
            np.testing.assert_allclose(rows[1] - rows[0], w, rtol=0, atol=1e-13)
            wrong += int(update)
        mistakes, epochs = mistakes + wrong, epochs + 1
        if not wrong:
            break
    # In terms of the unit vector along w_1 - w_0.
    unit = (separator[1] - separator[0]) / np.linalg.norm(separator[1] - separator[0])
    gamma = ((2 * y - 1) * (x @ unit)).min()
    radius = np.linalg.norm(x, axis=1).max()
    assert epochs > 1
    assert 1 < mistakes <= (radius / gamma) ** 2


@pytest.mark.parametrize("seed", range(2))
def test_several_classes_are_keslers_rule_within_twice_the_bound(seed: int) -> None:
    x, y, separator = separable(seed, n=60, d=6, k=4, margin=0.05)
    model = nn.Linear(6, 4, bias=False, dtype=torch.float64)
    nn.init.zeros_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    by_hand, mistakes, wrong = np.zeros((4, 6)), 0, 1
    while wrong:
        wrong = 0
        for xi, yi in zip(x, y, strict=True):
            scores = by_hand @ xi
            rivals = [c for c in range(4) if c != yi]
            rival = max(rivals, key=lambda c: (scores[c], -c))
            update = scores[yi] <= scores[rival]
            if update:
                by_hand[yi] += xi
                by_hand[rival] -= xi
            assert step(model, optimizer, torch.from_numpy(xi), int(yi)) == update
            np.testing.assert_allclose(model.weight.detach(), by_hand, rtol=0, atol=1e-13)
            wrong += int(update)
        mistakes += wrong
    scores = x @ separator.T
    own = scores[np.arange(len(y)), y]
    scores[np.arange(len(y)), y] = -np.inf
    gamma, radius = (own - scores.max(axis=1)).min(), np.linalg.norm(x, axis=1).max()
    assert 1 < mistakes <= 2 * (radius / gamma) ** 2


def best_separator(x: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return a unit ``w`` with ``t·(w·x) > 0`` everywhere, by linear programming."""
    n, d = x.shape
    rows = np.hstack([-t[:, None] * x, np.ones((n, 1))])
    bounds = [(-1, 1)] * d + [(None, None)]
    found = linprog([0.0] * d + [-1.0], A_ub=rows, b_ub=np.zeros(n), bounds=bounds)
    assert -found.fun > 0, "not separable"
    return found.x[:d] / np.linalg.norm(found.x[:d])


def test_the_trainer_makes_the_same_updates_within_the_bound() -> None:
    run = built(
        "dataset=classification", "dataset.n_classes=2", "dataset.class_sep=2.0",
        "dataset.n_clusters_per_class=1", "dataset.flip_y=0.0", "dataset.n_samples=200",
        "loss=perceptron", "model=linear", "optimizer=sgd", "lr=0.5", "epochs=10",
        "optimizer.weight_decay=0.0", "batch_size=1", "schedule=constant", "dtype=float64",
    )  # fmt: skip
    with torch.no_grad():
        for p in run.model.parameters():
            p.zero_()
    rows = Rows()
    fit(run, rows, NoDisplay())

    x, y = (values.numpy() for values in run.data.train)
    x, t = np.hstack([x, np.ones((len(x), 1))]), 2 * y - 1
    numbers = torch.arange(len(y))
    w, updates, losses = np.zeros(x.shape[1]), [], []
    for epoch in range(10):
        for ((_, index),) in run.plan.epoch(
            Split(numbers[:, None], numbers), run.config.seed, epoch
        ):
            i = int(index)
            margin = t[i] * (w @ x[i])
            losses.append(max(0.0, -margin))
            updates.append(bool(margin <= 0))
            if updates[-1]:
                w = w + t[i] * x[i]
    assert [row[4] for row in rows.step_rows] == pytest.approx(losses, abs=1e-11)
    assert [row[5] > 0 for row in rows.step_rows] == updates

    gamma = (t * (x @ best_separator(x, t))).min()
    assert updates[0]
    assert not any(updates[-len(y) :])  # separated: an epoch without a mistake
    assert 5 < sum(updates) <= (np.linalg.norm(x, axis=1).max() / gamma) ** 2


@given(st.integers(0, 99), st.integers(1, 7), st.integers(2, 5))
def test_value_and_gradient_are_those_of_the_docstring(seed: int, n: int, k: int) -> None:
    """On a grid of scores, so that ties and margins of exactly 0 are common."""
    generator = torch.Generator().manual_seed(seed)
    output = torch.randint(-1, 2, (n, k), generator=generator).double().requires_grad_()
    target = torch.randint(k, (n,), generator=generator)
    expected, gradient = 0.0, np.zeros((n, k))
    for i, (o, y) in enumerate(zip(output.tolist(), target.tolist(), strict=True)):
        rivals = [c for c in range(k) if c != y]
        r = max(rivals, key=lambda c: (o[c], -c))
        expected += max(0.0, o[r] - o[y]) / n
        if o[y] - o[r] <= 0:
            gradient[i, r] += 1 / n
            gradient[i, y] -= 1 / n
    loss = Perceptron()(output, target)
    loss.backward()
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, abs=1e-15)
    assert output.grad is not None
    np.testing.assert_allclose(output.grad, gradient, rtol=0, atol=1e-15)


def test_a_loss_that_is_not_finite_stays_so() -> None:
    output = torch.tensor([[torch.nan, 1.0], [0.0, 1.0]])
    assert Perceptron()(output, torch.tensor([0, 1])).isnan()


def test_regression_is_refused_with_what_to_take() -> None:
    with pytest.raises(InputError, match="for a regression dataset: loss=mse"):
        built("dataset=diabetes", "model=linear", "loss=perceptron")
