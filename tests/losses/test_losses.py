import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.losses.auto import auto
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.mean import Mean
from sgdlab.losses.mse import MeanSquaredError


def batch(seed: int, n: int, k: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, k, generator=generator, dtype=torch.float64)
    return output, torch.randint(k, (n,), generator=generator)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(2, 6), st.floats(0, 0.99))
def test_cross_entropy_is_its_formula(seed: int, n: int, k: int, smoothing: float) -> None:
    output, target = batch(seed, n, k)
    o, y = output.numpy(), target.numpy()
    log_p = o - np.log(np.exp(o).sum(axis=1, keepdims=True))
    q = (1 - smoothing) * np.eye(k)[y] + smoothing / k
    expected = -(q * log_p).sum() / n
    value = CrossEntropy(label_smoothing=smoothing)(output, target)
    assert value.shape == ()
    assert float(value) == pytest.approx(expected, rel=1e-12)


@given(st.integers(0, 99), st.integers(1, 9), st.integers(2, 6))
def test_mse_on_classes_is_half_the_sum_over_classes(seed: int, n: int, k: int) -> None:
    output, target = batch(seed, n, k)
    expected = 0.0
    for o, y in zip(output.tolist(), target.tolist(), strict=True):
        expected += 0.5 * sum((o[c] - (c == y)) ** 2 for c in range(k)) / n
    value = MeanSquaredError()(output, target)
    assert value.shape == ()
    assert float(value) == pytest.approx(expected, rel=1e-12)


def test_mse_on_classes_has_the_residual_as_gradient() -> None:
    output, target = batch(0, 5, 3)
    output.requires_grad_()
    MeanSquaredError()(output, target).backward()
    residual = output.detach() - torch.eye(3, dtype=torch.float64)[target]
    assert output.grad is not None
    assert torch.allclose(output.grad, residual / 5, atol=1e-15)


@pytest.mark.parametrize(
    ("shape", "target"), [((4, 1), (4,)), ((4, 1), (4, 1)), ((4,), (4, 1)), ((4, 3), (4, 3))]
)
def test_mse_on_values_is_the_mean_whatever_the_shape(shape: Any, target: Any) -> None:
    output = torch.randn(shape, dtype=torch.float64)
    y = torch.randn(target, dtype=torch.float64)
    expected = np.mean((output.numpy().ravel() - y.numpy().ravel()) ** 2)
    value = MeanSquaredError()(output, y)
    assert value.shape == ()
    assert float(value) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("loss", [CrossEntropy(0.1), MeanSquaredError()], ids=type)
def test_a_loss_is_a_mean_over_examples(loss: Any) -> None:
    output, target = batch(1, 9, 4)
    parts = 4 * loss(output[:4], target[:4]) + 5 * loss(output[4:], target[4:])
    assert float(loss(output, target)) == pytest.approx(float(parts) / 9, rel=1e-12)


def test_uniform_prediction_costs_the_log_of_the_classes() -> None:
    loss = CrossEntropy()
    assert float(loss(torch.zeros(3, 10), torch.tensor([1, 2, 3]))) == pytest.approx(math.log(10))


def test_losses_stay_in_float32_under_bf16_autocast() -> None:
    output, target = batch(2, 64, 10)
    for loss in (CrossEntropy(), MeanSquaredError()):
        with torch.autocast("cpu", torch.bfloat16):
            value = loss(output.float(), target)
        assert value.dtype == torch.float32
        assert float(value) == pytest.approx(float(loss(output, target)), rel=1e-6)


def test_auto_follows_the_task() -> None:
    assert isinstance(auto("classification"), CrossEntropy)
    assert isinstance(auto("regression"), MeanSquaredError)
    assert isinstance(auto("optimization"), Mean)


def test_mean_is_that_of_the_outputs() -> None:
    output = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    value = Mean()(output, torch.full((3, 1), 7.0))
    assert value.shape == ()
    assert float(value) == 3.0


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_mean_is_refused_where_outputs_are_no_losses(task: Any) -> None:
    with pytest.raises(InputError, match=f"loss=mean goes with test problems; for {task}"):
        Mean(task=task)


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, math.nan, "much", True])
def test_label_smoothing_out_of_range_is_refused(smoothing: Any) -> None:
    with pytest.raises(InputError, match=r"loss.label_smoothing=.*from 0 to below 1"):
        CrossEntropy(label_smoothing=smoothing)


def test_cross_entropy_of_a_regression_task_is_refused() -> None:
    with pytest.raises(InputError, match="loss=mse"):
        CrossEntropy(task="regression")
