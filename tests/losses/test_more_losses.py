"""Losses against torch's own functions, and what their means run over."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.contract import ignored_label, is_scale_free
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.hinge import Hinge
from sgdlab.losses.huber import HuberLoss
from sgdlab.losses.weighted_cross_entropy import weighted_cross_entropy
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.loss_check import deviation
from sgdlab.steps.objective import Objective
from trainer_runs import built, train

WEIGHT = [0.5, 10.0, 0.0, 1.0]
IGNORED = -100


def drawn(n: int = 24, k: int = 4, tokens: int | None = None) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shape = () if tokens is None else (tokens,)
    output = torch.randn(n, k, *shape, generator=generator, dtype=torch.float64)
    target = torch.randint(k, (n, *shape), generator=generator)
    return output, target.masked_fill(torch.rand(target.shape, generator=generator) < 0.2, IGNORED)


def both(loss: Any, output: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    leaf = output.clone().requires_grad_()
    value = loss(leaf, target)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


def assert_same(ours: Any, torchs: Any, output: Tensor, target: Tensor) -> None:
    for found, expected in zip(
        both(ours, output, target), both(torchs, output, target), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHT])
@pytest.mark.parametrize("tokens", [None, 5])
def test_weighted_cross_entropy_is_torchs(
    smoothing: float, weight: list[float] | None, tokens: int | None
) -> None:
    output, target = drawn(tokens=tokens)
    numbers = None if weight is None else torch.tensor(weight, dtype=torch.float64)

    def expected(o: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(o, y, numbers, label_smoothing=smoothing, ignore_index=IGNORED)

    loss = Criterion(weighted_cross_entropy(weight, smoothing))
    assert_same(loss, expected, output, target)
    ignoring = Criterion(weighted_cross_entropy(weight, smoothing, ignore_index=1))
    kept = target.where(target != IGNORED, 0)
    assert_same(
        ignoring,
        lambda o, y: F.cross_entropy(o, y, numbers, label_smoothing=smoothing, ignore_index=1),
        output,
        kept,
    )


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.9])
def test_label_smoothing_is_torchs(smoothing: float) -> None:
    output, target = drawn()
    target = target.clamp(min=0)
    expected = lambda o, y: F.cross_entropy(o, y, label_smoothing=smoothing)  # noqa: E731
    assert_same(CrossEntropy(smoothing), expected, output, target)
    assert_same(weighted_cross_entropy(None, smoothing), expected, output, target)


@pytest.mark.parametrize("margin", [0.5, 1.0])
@pytest.mark.parametrize("k", [2, 4])
def test_hinge_is_torchs(margin: float, k: int) -> None:
    output, target = drawn(k=k)
    target = target.clamp(min=0)
    expected = lambda o, y: F.multi_margin_loss(o, y, margin=margin)  # noqa: E731
    assert_same(Hinge(margin), expected, output, target)
    assert_same(Hinge(margin), expected, output.round(), target)  # on the kink, too
    by_hand = 0.0
    for o, y in zip(output.tolist(), target.tolist(), strict=True):
        by_hand += sum(max(0.0, margin - o[y] + o[c]) for c in range(k) if c != y) / k
    assert float(Hinge(margin)(output, target)) == pytest.approx(by_hand / 24, rel=1e-12)
    assert Hinge()(output * math.nan, target).isnan()


@pytest.mark.parametrize("delta", [0.3, 1.0, 100.0])
@pytest.mark.parametrize(("shape", "wanted"), [((24, 1), (24,)), ((24,), (24, 1)), ((24, 3),) * 2])
def test_huber_is_torchs_whatever_the_shape(delta: float, shape: Any, wanted: Any) -> None:
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(shape, generator=generator, dtype=torch.float64)
    target = torch.randn(wanted, generator=generator, dtype=torch.float64)
    expected = lambda o, y: F.huber_loss(o, y.reshape(o.shape), delta=delta)  # noqa: E731
    assert_same(HuberLoss(delta), expected, output, target)


def test_huber_in_deviations_does_not_depend_on_the_unit() -> None:
    """``L`` of ``a·y + b`` with ``δ`` in deviations is ``a²·L``; with a fixed one it is not."""
    generator = torch.Generator().manual_seed(2)
    y, o = torch.randn(2, 50, generator=generator, dtype=torch.float64)
    y[:3] += 9.0

    def relative(o: Tensor, y: Tensor) -> Tensor:
        return F.huber_loss(o, y, delta=float(0.7 * y.std()))

    value = relative(40 * o + 7, 40 * y + 7)
    assert float(value) == pytest.approx(1600 * float(relative(o, y)), rel=1e-12)
    fixed = F.huber_loss(40 * o, 40 * y, delta=0.7) / F.huber_loss(o, y, delta=0.7)
    assert float(fixed) < 800
    assert is_scale_free(HuberLoss)
    assert not is_scale_free(F.huber_loss)
    run = built("dataset=diabetes", "model=linear", "loss=huber")
    assert float(run.data.train.y.std(correction=0)) == pytest.approx(1, abs=1e-6)


class Tokens(nn.Module):
    def __init__(self, k: int, tokens: int) -> None:
        super().__init__()
        self.k, self.tokens, self.head = k, tokens, nn.Linear(4, k * tokens)

    def forward(self, x: Tensor) -> Tensor:
        found = self.head(x).unflatten(1, (self.k, self.tokens))
        return found if self.tokens > 1 else found.squeeze(2)


@pytest.mark.parametrize("tokens", [None, 5])
@pytest.mark.parametrize("sizes", [[6, 6, 6, 6], [1, 9, 13, 1]])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHT, "balanced"])
def test_four_micro_batches_are_one_batch(
    tokens: int | None, sizes: list[int], smoothing: float, weight: Any
) -> None:
    torch.manual_seed(0)
    _, y = drawn(tokens=tokens)
    counts = torch.bincount(y[y >= 0].flatten(), minlength=4)
    loss = weighted_cross_entropy(weight, smoothing, class_counts=counts)
    model = Tokens(4, tokens or 1).double()
    batch = Split(torch.randn(24, 4, dtype=torch.float64), y)
    found = []
    for update in ([batch], list(batch.batches(sizes))):
        objective = Objective(model, Criterion(loss), list(model.parameters()), None, half=None)
        objective.zero_grad()
        value = objective.backward(update)
        found.append((value, *[p.grad for p in model.parameters()]))
    for one, four in zip(*found, strict=True):
        torch.testing.assert_close(four, one, rtol=1e-12, atol=1e-15)
    assert deviation(Criterion(loss), model, batch) is None


def test_balanced_weights_are_scikit_learns_of_the_training_split() -> None:
    run = built("dataset=wine", "model=linear", "loss=weighted_cross_entropy", "dtype=float64")
    y = run.data.train.y.numpy()
    expected = compute_class_weight("balanced", classes=np.arange(3), y=y)
    loss: Any = run.objective.loss.loss
    np.testing.assert_allclose(loss.weight.numpy(), expected, rtol=1e-15)
    assert loss.weight.dtype == torch.float64
    single = built("dataset=wine", "model=linear", "loss=weighted_cross_entropy")
    held: Any = single.objective.loss.loss
    assert held.weight.dtype == torch.float32
    counts = torch.tensor([30, 10, 20])
    some: Any = weighted_cross_entropy(ignore_index=1, class_counts=counts).weight
    expected = compute_class_weight("balanced", classes=np.array([0, 2]), y=[0] * 30 + [2] * 20)
    np.testing.assert_allclose(some.numpy(), [expected[0], 0, expected[1]], rtol=1e-15)
    assert ignored_label(weighted_cross_entropy(None, ignore_index=1)) == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"weight": "even"}, "loss.weight=even: must be balanced, null, or a number for every"),
        ({"weight": [1, -1]}, r"loss.weight=\[1, -1\]: .*from 0"),
        ({"weight": [0, 0]}, "one of them must be above 0"),
        ({"weight": [1, 2], "task": "classification", "num_outputs": 3}, "2 weights for 3 classes"),
        ({}, "loss.weight=balanced: the targets are no classes"),
        ({"class_counts": torch.tensor([3, 0])}, "class 1 has no example in the training split"),
        ({"weight": None, "label_smoothing": 1}, "loss.label_smoothing=1: .*below 1"),
        ({"weight": None, "ignore_index": 0.5}, "loss.ignore_index=0.5: must be a whole number"),
        ({"weight": None, "task": "regression"}, "needs classes; for regression: loss=auto"),
    ],
)
def test_weights_that_cannot_be_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        weighted_cross_entropy(**settings)


def test_other_losses_refuse_what_they_are_not_for() -> None:
    for build, task, needs in (
        (Hinge, "regression", "classes"),
        (HuberLoss, "counts", "quantities"),
    ):
        with pytest.raises(InputError, match=f"needs {needs}; for {task}: loss=auto"):
            build(task=task)
    for build, key in ((Hinge, "margin"), (HuberLoss, "delta")):
        with pytest.raises(InputError, match=f"loss.{key}=0: .*above 0"):
            build(0)
    with pytest.raises(InputError, match="loss=hinge: the model has one output"):
        Hinge()(torch.zeros(3, 1), torch.zeros(3, dtype=torch.long))


@pytest.mark.parametrize(
    "chosen",
    [
        ("loss=weighted_cross_entropy", "loss.label_smoothing=0.1", "dataset=wine"),
        ("loss=hinge", "dataset=wine"),
        ("loss=huber", "dataset=diabetes"),
    ],
    ids=lambda chosen: chosen[0],
)
def test_accumulated_steps_of_a_run_are_those_of_the_large_batch(chosen: tuple[str, ...]) -> None:
    """The same examples in one batch of 32 and in 4 of 8: the same curve."""
    common = (*chosen, "model=linear", "dtype=float64", "schedule=constant", "epochs=2")
    _, one, _ = train(*common, "batch_size=32")
    _, four, _ = train(*common, "batch_size=8", "accumulate=4")
    losses = [[row[4] for row in rows.step_rows] for rows in (one, four)]
    assert losses[0][-1] < losses[0][0]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-12)
