"""Labels that do not count, from the command line to the sums of accumulated micro-batches."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgdlab.config.run_id import run_id
from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.contract import ignored_label
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.losses.weighted_cross_entropy import weighted_cross_entropy
from sgdlab.steps.criterion import Criterion
from sgdlab.steps.loss_check import deviation
from trainer_runs import built, config_of, train

WEIGHT = [0.5, 10.0, 0.0, 1.0, 2.0]


def tokens(n: int = 12, t: int = 6) -> tuple[Tensor, Tensor]:
    """Draw outputs and labels of which 0 is to be ignored: in the first row everywhere."""
    generator = torch.Generator().manual_seed(0)
    target = torch.randint(1, 5, (n, t), generator=generator)
    target = target.masked_fill(torch.rand(n, t, generator=generator) < 0.4, 0)
    target[0] = 0
    return torch.randn(n, t, 5, generator=generator, dtype=torch.float64), target


def losses(smoothing: float, weight: list[float] | None):
    if weight is None:
        return CrossEntropy(smoothing, ignore_index=0, task="language")
    loss = weighted_cross_entropy(weight, smoothing, ignore_index=0, task="language", num_outputs=5)
    return loss.double()


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weight", [None, WEIGHT])
def test_micro_batches_of_unequal_counts_are_torchs_number_of_all(
    smoothing: float, weight: list[float] | None
) -> None:
    loss = losses(smoothing, weight)
    criterion, (output, target) = Criterion(loss), tokens()
    numbers = None if weight is None else torch.tensor(weight, dtype=torch.float64)
    leaf, ours = output.clone().requires_grad_(), output.clone().requires_grad_()
    expected = F.cross_entropy(
        leaf.transpose(1, 2), target, numbers, ignore_index=0, label_smoothing=smoothing
    )
    expected.backward()
    torch.testing.assert_close(criterion(output, target), expected.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(output, target), expected.detach(), rtol=1e-12, atol=0)
    total = sum(float(criterion.total(Split(output, target[a : a + 5]))) for a in (0, 5, 10))
    for start in (0, 5, 10):
        part = slice(start, start + 5)
        share = float(criterion.total(Split(output[part], target[part]))) / total
        (criterion(ours[part], target[part]) * share).backward()
    torch.testing.assert_close(ours.grad, leaf.grad, rtol=1e-12, atol=1e-15)
    assert float(criterion(output[:1], target[:1])) == 0.0
    assert ignored_label(loss) == 0


def test_classes_and_all_tokens_ignore_nothing_unless_asked() -> None:
    output, target = tokens()
    loss = CrossEntropy(0.1, task="language")
    expected = F.cross_entropy(output.flatten(0, 1), target.flatten(), label_smoothing=0.1)
    torch.testing.assert_close(loss(output, target), expected)
    assert Criterion(loss).uniform
    weighted = Criterion(loss, weighted=True)
    ones = torch.ones(len(target), dtype=torch.float64)
    torch.testing.assert_close(weighted(output, target, ones), expected)


@pytest.mark.parametrize("ignored", [0, 3])
def test_classification_is_torchs(ignored: int) -> None:
    output, target = tokens()
    flat, labels = output.flatten(0, 1), target.flatten()
    found = Criterion(CrossEntropy(0.2, ignored))(flat, labels)
    expected = F.cross_entropy(flat, labels, ignore_index=ignored, label_smoothing=0.2)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=0)


TEXT = (
    "dataset=text", "dataset.path=words.txt", "dataset.context=8", "model=lstm", "model.width=4",
    "dtype=float64", "optimizer=sgd", "lr=0.5", "max_steps=3", "schedule=constant", "threads=1",
    "loss.ignore_index=32", "loss.label_smoothing=0.1",
)  # fmt: skip


@pytest.mark.parametrize("loss", ["cross_entropy", "weighted_cross_entropy"])
def test_accumulated_steps_of_a_run_are_those_of_the_large_batch(loss: str, tmp_path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("a  bc   d efg       hijk l    mn op           qrs tuvw x\n" * 40)
    options = [*TEXT, f"loss={loss}", *(["loss.weight=null"] if "weighted" in loss else [])]
    options[1] = f"dataset.path={words}"
    large = train(*options, "batch_size=12")[1].step_rows
    small, again = train(*options, "batch_size=3", "accumulate=4")[1:]
    assert [row[4] for row in small.step_rows] == pytest.approx([r[4] for r in large], rel=1e-12)
    assert again.metric.ignored == 32
    examples = again.data.train.take(slice(16))
    assert deviation(again.objective.loss, again.model, examples) is None


def test_ids_of_runs_that_ignore_nothing_are_those_of_before() -> None:
    plain = config_of("loss=cross_entropy")
    before = config_of("loss=cross_entropy")
    before.loss.pop("ignore_index")
    assert run_id(plain) == run_id(before)
    assert run_id(config_of("loss=cross_entropy", "loss.ignore_index=0")) != run_id(plain)
    weighted = config_of("loss=weighted_cross_entropy")
    assert "ignore_index" in weighted.loss


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("loss=cross_entropy", "loss.ignore_index=x"), "loss.ignore_index=x: must be a whole"),
        (("loss=cross_entropy", "loss.ignore_index=1", "augment.mixup=0.2"), "leave one out"),
    ],
)
def test_what_cannot_be_is_refused(options: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        built(*options, "max_steps=1")
