"""Metrics against scikit-learn, whatever the batch that they are fed in."""

import importlib
import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from sgdlab.errors import InputError
from sgdlab.metrics.auto import accuracy, auto, objective, rmse
from sgdlab.metrics.base import Metric, Scale
from sgdlab.metrics.own import as_metric

# After sgdlab, beside whose torch it imports torchvision.
torchmetrics: Any = importlib.import_module("torchmetrics")
GENERATOR = torch.Generator().manual_seed(0)
SCORES = torch.randn(50, 3, generator=GENERATOR)
LABELS = torch.randint(3, (50,), generator=GENERATOR)
SCALE = Scale(40.0, 150.0)


def value_of(metric: Metric, output: Tensor, target: Tensor, size: int, loss: float = 0.0) -> float:
    metric.begin(torch.device("cpu"))
    for o, y in zip(output.split(size), target.split(size), strict=True):
        metric.add(o, y)
    return metric.value(loss)


@pytest.mark.parametrize("size", [1, 7, 50])
def test_metrics_of_tasks_are_scikit_learns(size: int) -> None:
    labels, scores = LABELS.numpy(), SCORES.numpy()
    found = value_of(auto("classification", Scale(), 0.0), SCORES, LABELS, size)
    assert found == pytest.approx(sk.accuracy_score(labels, scores.argmax(1)), abs=1e-15)

    several = (SCORES > 0.3).float()
    found = value_of(auto("multilabel", Scale(), 0.0), SCORES, several, size)
    expected = 1 - sk.hamming_loss(several.numpy(), scores > 0)
    assert found == pytest.approx(expected, abs=1e-15)

    target = torch.randn(50, 3, generator=GENERATOR)
    found = value_of(auto("regression", SCALE, 0.0), SCORES, target, size)
    mean_square = sk.mean_squared_error(target.double().numpy() * 40, scores.astype(float) * 40)
    assert found == pytest.approx(math.sqrt(mean_square), rel=1e-12)

    counts = torch.poisson(SCORES.exp(), generator=GENERATOR)
    found = value_of(auto("counts", Scale(), 0.0), SCORES, counts, size)
    expected = sk.mean_poisson_deviance(
        counts.numpy().ravel(), np.exp(scores.astype(float)).ravel()
    )
    assert found == pytest.approx(expected, rel=1e-12)

    assert value_of(auto("custom", Scale(), 0.0), SCORES, LABELS, size, 0.25) == 0.25
    assert value_of(auto("optimization", Scale(), 0.125), SCORES, LABELS, size, 0.25) == 0.125


@pytest.mark.parametrize("shape", [(50,), (50, 1)])
def test_one_logit_tells_two_classes_apart(shape: tuple[int, ...]) -> None:
    """The largest of one output is always output 0, which is right for half of the examples."""
    target = LABELS.clamp(max=1)
    logit = torch.where(target == 1, 2.0, -2.0).reshape(shape)
    assert value_of(accuracy("classification"), logit, target, 7) == 1.0


def test_outputs_that_fit_no_targets_are_refused() -> None:
    with pytest.raises(InputError, match=r"outputs \[50, 3\] do not fit targets \[50, 2\]"):
        value_of(accuracy("custom"), SCORES, torch.zeros(50, 2), 50)
    with pytest.raises(InputError, match=r"for regression: rmse, r2, or auto$"):
        accuracy("regression")
    with pytest.raises(InputError, match="metric=rmse: is for regression and counts; for cl"):
        rmse("classification", Scale())
    assert objective().direction == "min"


@pytest.mark.parametrize("size", [1, 7, 50])
def test_a_function_sees_the_whole_split_in_the_units_of_the_data(size: int) -> None:
    def median_error(output: Tensor, target: Tensor) -> Tensor:
        return (output - target).abs().median()

    target = torch.randn(50, 1, generator=GENERATOR)
    metric = as_metric(median_error, "mine", "min", SCALE)
    assert (metric.name, metric.direction) == ("mine", "min")
    found = value_of(metric, SCORES[:, :1], target, size)
    expected = (SCORES[:, :1].double() - target.double()).abs().median() * 40
    assert found == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("size", [7, 50])
def test_torchmetrics_are_taken_with_their_direction(size: int) -> None:
    of_classes: Any = torchmetrics.classification
    macro = as_metric(of_classes.MulticlassF1Score(3, average="macro"), "f1", None, Scale())
    assert macro.direction == "max"
    found = value_of(macro, SCORES, LABELS, size)
    expected = sk.f1_score(LABELS.numpy(), SCORES.argmax(1).numpy(), average="macro")
    assert found == pytest.approx(expected, abs=1e-6)

    binary = as_metric(of_classes.BinaryAUROC(), "auroc", None, Scale())
    target = LABELS.clamp(max=1)
    found = value_of(binary, SCORES[:, :1], target, size)
    assert found == pytest.approx(sk.roc_auc_score(target.numpy(), SCORES[:, 0].numpy()), abs=1e-6)

    error = as_metric(torchmetrics.MeanAbsoluteError(), "mae", None, SCALE)
    assert error.direction == "min"
    wanted = torch.randn(50, 1, generator=GENERATOR)
    found = value_of(error, SCORES[:, :1], wanted, size)
    assert found == pytest.approx(40 * float((SCORES[:, :1] - wanted).abs().mean()), rel=1e-5)


def test_a_metric_says_what_is_better_or_is_asked() -> None:
    with pytest.raises(InputError, match=r"metric=mine: which is better.*direction: max"):
        as_metric(lambda output, target: 0.0, "mine", None, Scale())
    with pytest.raises(InputError, match="metric=mine: int is no function"):
        as_metric(3, "mine", "max", Scale())
    by_class = torchmetrics.classification.MulticlassRecall(3, average=None)
    each = as_metric(by_class, "each", "max", Scale())
    with pytest.raises(InputError, match="not one number: choose an average"):
        value_of(each, SCORES, LABELS, 50)
    broken = as_metric(lambda output, target: output @ target, "broken", "max", Scale())
    with pytest.raises(InputError, match=r"metric=broken: RuntimeError.*outputs \[50, 3\]"):
        value_of(broken, SCORES, LABELS, 50)
