"""Metrics of classes and ranks against scikit-learn, whatever the batch that they are fed in."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import Tensor

from sgdlab.config.catalogue import members
from sgdlab.datasets.tasks import TASKS
from sgdlab.errors import InputError
from sgdlab.metrics.auroc import AreaUnderROC
from sgdlab.metrics.base import TASKS_OF, Metric, Scale, require_task
from sgdlab.metrics.by_task import Accuracy
from sgdlab.metrics.macro_f1 import MacroF1
from sgdlab.metrics.r2 import R2
from sgdlab.metrics.top5 import Top5

SIZES = pytest.mark.parametrize("size", [1, 7, 60])
IGNORED = -100


def value_of(metric: Metric, output: Tensor, target: Tensor, size: int) -> float:
    """Return the metric of a split, after another one that it has to forget."""
    for o, y in ((output.flip(0), target), (output, target)):
        metric.begin(torch.device("cpu"))
        for part, wanted in zip(o.split(size), y.split(size), strict=True):
            metric.add(part, wanted)
        found = metric.value(0.0)
    return found


def drawn(seed: int, classes: int, ties: bool = False) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if ties:
        output = torch.randint(-2, 3, (60, classes), generator=generator).float()
    else:
        output = torch.randn(60, classes, generator=generator)
    return output, torch.randint(classes, (60,), generator=generator)


@SIZES
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("absent", [None, 2])
def test_top5_is_scikit_learns(size: int, ties: bool, absent: int | None) -> None:
    """Of equal outputs scikit-learn takes the last class first: both see the classes turned."""
    output, target = drawn(0, 9, ties)
    target = target.where(target != (-1 if absent is None else absent), 0)
    turned = output.flip(1).numpy()
    expected = sk.top_k_accuracy_score(8 - target.numpy(), turned, k=5, labels=range(9))
    found = value_of(Top5("classification", 9), output, target, size)
    assert found == pytest.approx(expected, abs=1e-15)
    assert 0.4 < found < 0.8
    assert value_of(Accuracy(), output, target, size) <= found


def test_top5_counts_equal_outputs_by_label_and_nan_nowhere() -> None:
    labels = torch.arange(10)
    assert value_of(Top5(), torch.zeros(10, 10), labels, 3) == 0.5
    assert value_of(Top5(), torch.full((10, 10), torch.nan), labels, 3) == 0.0


@SIZES
def test_top5_of_tokens_leaves_out_ignored_ones(size: int) -> None:
    generator = torch.Generator().manual_seed(1)
    output = torch.randn(60, 8, 4, generator=generator)
    target = torch.randint(8, (60, 4), generator=generator)
    target[torch.rand(60, 4, generator=generator) < 0.3] = IGNORED
    flat, kept = output.movedim(1, -1).reshape(-1, 8), target.reshape(-1) != IGNORED
    expected = sk.top_k_accuracy_score(
        target.reshape(-1)[kept].numpy(), flat[kept].numpy(), k=5, labels=range(8)
    )
    assert value_of(Top5("custom"), output, target, size) == pytest.approx(expected, abs=1e-15)
    assert value_of(Top5("custom"), output, torch.full_like(target, IGNORED), size) == 0.0


def test_top5_needs_six_classes_before_a_run_starts_or_as_it_sees_them() -> None:
    with pytest.raises(InputError, match="metric=top5: needs more than 5 classes, and there are 5"):
        Top5("classification", 5)
    with pytest.raises(InputError, match="there are 3; metric=accuracy"):
        value_of(Top5("custom"), *drawn(0, 3), 7)
    assert Top5("classification", 6).direction == "max"


@SIZES
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("absent", [(), (2,), (0, 1, 3)])
def test_macro_f1_is_scikit_learns(size: int, ties: bool, absent: tuple[int, ...]) -> None:
    """An absent class counts 0 where it is predicted, and not at all where it is not."""
    output, target = drawn(2, 5, ties)
    for c in absent:
        target = target.where(target != c, 4)
    metric = MacroF1("classification")
    expected = sk.f1_score(target.numpy(), output.numpy().argmax(1), average="macro")
    assert value_of(metric, output, target, size) == pytest.approx(expected, abs=1e-15)
    for c in absent:
        output[:, c] = -9.0
    labels = sorted({*range(5)} - {*absent})
    expected = sk.f1_score(target.numpy(), output.numpy().argmax(1), average="macro", labels=labels)
    assert value_of(metric, output, target, size) == pytest.approx(expected, abs=1e-15)


@SIZES
@pytest.mark.parametrize("shape", [(60,), (60, 1)])
def test_macro_f1_of_one_logit_has_two_classes(size: int, shape: tuple[int, ...]) -> None:
    output, target = drawn(3, 2)
    logit = output[:, 0]
    expected = sk.f1_score(target.numpy(), logit.numpy() > 0, average="macro")
    found = value_of(MacroF1("classification"), logit.reshape(shape), target, size)
    assert found == pytest.approx(expected, abs=1e-15)
    halved = value_of(MacroF1("classification", 0.5), logit.sigmoid().reshape(shape), target, size)
    assert halved == pytest.approx(expected, abs=1e-15)


@SIZES
def test_macro_f1_of_several_labels_leaves_out_those_that_never_occur(size: int) -> None:
    output, _ = drawn(4, 4)
    target = (drawn(5, 4)[0] > 0).float()
    output[:, 3], target[:, 3] = -1.0, 0.0
    expected = sk.f1_score(
        target.numpy(), output.numpy() > 0, average="macro", zero_division=np.nan
    )
    found = value_of(MacroF1("multilabel"), output, target, size)
    assert found == pytest.approx(expected, abs=1e-15)


def test_macro_f1_of_ignored_labels_is_that_of_the_others() -> None:
    output, target = drawn(6, 3)
    ignored = target.clone()
    ignored[::3] = IGNORED
    kept = ignored != IGNORED
    found = value_of(MacroF1(), output, ignored, 7)
    assert found == value_of(MacroF1(), output[kept], target[kept], 7)
    assert value_of(MacroF1(), output, torch.full_like(target, IGNORED), 7) == 0.0
    with pytest.raises(InputError, match="labels 7 to 7, and the model has 3 outputs"):
        value_of(MacroF1("custom"), output, torch.full_like(target, 7), 7)


def softmax(output: Tensor) -> np.ndarray:
    return output.double().softmax(1).numpy()


@SIZES
@pytest.mark.parametrize("ties", [False, True])
def test_auroc_of_two_classes_is_scikit_learns(size: int, ties: bool) -> None:
    output, target = drawn(7, 2, ties)
    gap = (output[:, 1] - output[:, 0]).numpy()
    expected = sk.roc_auc_score(target.numpy(), gap)
    found = value_of(AreaUnderROC("classification"), output, target, size)
    assert found == pytest.approx(expected, abs=1e-14)
    if not ties:
        assert found == pytest.approx(
            sk.roc_auc_score(target.numpy(), softmax(output)[:, 1]), abs=1e-14
        )
    single = value_of(AreaUnderROC("classification"), output[:, :1], target, size)
    expected = sk.roc_auc_score(target.numpy(), output[:, 0].numpy())
    assert single == pytest.approx(expected, abs=1e-14)


@SIZES
def test_auroc_of_more_classes_is_scikit_learns_one_against_the_rest(size: int) -> None:
    output, target = drawn(8, 4)
    scores = softmax(output)
    expected = sk.roc_auc_score(target.numpy(), scores, multi_class="ovr", average="macro")
    found = value_of(AreaUnderROC("classification"), output, target, size)
    assert found == pytest.approx(expected, abs=1e-14)

    target = target.where(target != 2, 0)  # a class that the split has not
    present = [sk.roc_auc_score(target.numpy() == c, scores[:, c]) for c in (0, 1, 3)]
    found = value_of(AreaUnderROC("classification"), output, target, size)
    assert found == pytest.approx(np.mean(present), abs=1e-14)

    ignored = target.clone()
    ignored[::3] = IGNORED
    kept = ignored != IGNORED
    found = value_of(AreaUnderROC(), output, ignored, size)
    assert found == value_of(AreaUnderROC(), output[kept], target[kept], size)


@SIZES
def test_auroc_of_several_labels_is_scikit_learns(size: int) -> None:
    output, target = drawn(9, 3, ties=True)[0], (drawn(10, 3)[0] > 0).float()
    expected = sk.roc_auc_score(target.numpy(), output.numpy(), average="macro")
    found = value_of(AreaUnderROC("multilabel"), output, target, size)
    assert found == pytest.approx(expected, abs=1e-14)


def test_auroc_is_that_of_chance_in_a_split_of_one_class_and_counts_pairs_exactly() -> None:
    output, _ = drawn(11, 2)
    assert value_of(AreaUnderROC(), output, torch.ones(60, dtype=torch.long), 7) == 0.5
    assert value_of(AreaUnderROC(), output[:1], torch.zeros(1, dtype=torch.long), 1) == 0.5
    assert math.isnan(value_of(AreaUnderROC(), output * torch.nan, torch.arange(60) % 2, 7))
    scores, labels = torch.tensor([0.1, 0.4, 0.4, 0.8]), torch.tensor([0, 0, 1, 1])
    assert value_of(AreaUnderROC(), scores, labels, 3) == 3.5 / 4
    far = torch.tensor([[0.0, 90.0], [0.0, 91.0]])  # both softmaxes are 1 in float32
    assert value_of(AreaUnderROC(), far, torch.tensor([0, 1]), 1) == 1.0


def test_auroc_refuses_outputs_that_fit_no_targets() -> None:
    with pytest.raises(InputError, match=r"metric=auroc: outputs \[60, 3\] do not fit"):
        value_of(AreaUnderROC("custom"), drawn(0, 3)[0], torch.zeros(60, 2), 60)


@SIZES
@pytest.mark.parametrize("outputs", [1, 3])
def test_r2_is_scikit_learns(size: int, outputs: int) -> None:
    generator = torch.Generator().manual_seed(12)
    target = torch.randn(60, outputs, generator=generator, dtype=torch.float64) + 1e4
    output = target + torch.randn(60, outputs, generator=generator)
    expected = sk.r2_score(target.numpy(), output.numpy())
    metric = R2("regression", Scale(40.0, 150.0))
    assert value_of(metric, output, target, size) == pytest.approx(expected, abs=1e-11)
    if outputs == 1:
        found = value_of(metric, output, target[:, 0], size)
        assert found == pytest.approx(expected, abs=1e-11)


@SIZES
def test_r2_of_counts_takes_logarithms(size: int) -> None:
    generator = torch.Generator().manual_seed(13)
    logs = torch.randn(60, 1, generator=generator)
    counts = torch.poisson(logs.exp(), generator=generator)
    expected = sk.r2_score(counts.double().numpy(), logs.double().exp().numpy())
    assert value_of(R2("counts", Scale(log=True)), logs, counts, size) == pytest.approx(
        expected, abs=1e-12
    )


@SIZES
def test_r2_of_equal_targets_is_a_number_as_in_scikit_learn(size: int) -> None:
    target = torch.full((60, 2), 0.25)  # scikit-learn sees that 0.1 is constant by rounding alone
    target[:, 1] = torch.linspace(0, 1, 60)
    output = target.clone()
    assert value_of(R2(), output, target, size) == 1.0
    output[3, 0] += 1.0
    expected = sk.r2_score(target.numpy(), output.numpy())
    assert value_of(R2(), output, target, size) == pytest.approx(expected, abs=1e-15) == 0.5
    assert value_of(R2(), output[3:4], target[3:4], 1) == 0.5  # of one example
    tenth = torch.full((60, 1), 0.1)
    assert value_of(R2(), tenth, tenth, size) == 1.0
    assert value_of(R2(), tenth + 1.0, tenth, size) == 0.0


@pytest.mark.parametrize(
    ("build", "task", "named"),
    [
        (Top5, "regression", "top5"),
        (Top5, "multilabel", "top5"),
        (MacroF1, "regression", "macro_f1"),
        (AreaUnderROC, "regression", "auroc"),
        (R2, "classification", "r2"),
    ],
)
def test_a_task_that_a_metric_is_not_of_is_refused(
    build: Callable[[str], Any], task: str, named: str
) -> None:
    with pytest.raises(InputError, match=f"metric={named}: is for .*; for {task}: .*auto$"):
        build(task)
    with pytest.raises(InputError, match=r"metric=r2: outputs \[4, 2\] do not fit targets \[4\]"):
        value_of(R2(), torch.zeros(4, 2), torch.zeros(4), 4)


@pytest.mark.parametrize("task", TASKS)
def test_what_is_offered_for_a_task_is_for_it(task: str) -> None:
    for name, own in TASKS_OF.items():
        if task in own:
            require_task(name, task)
            continue
        with pytest.raises(InputError) as refused:
            require_task(name, task)
        offered = str(refused.value).partition(f"; for {task}: ")[2].split(", ")[:-1]
        assert set(offered) == {other for other, tasks in TASKS_OF.items() if task in tasks}
        assert set(offered) <= set(members("metric"))
