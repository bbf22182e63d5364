"""What a mean runs over, against sums over single examples in float64."""

import functools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.mse import MeanSquaredError
from sgdlab.steps.criterion import Criterion, StepCriterion
from sgdlab.steps.loss_check import deviation
from sgdlab.steps.objective import Objective

CLASS_WEIGHT = torch.tensor([0.5, 10.0, 1.0], dtype=torch.float64)


class Tokens(nn.Module):
    """Scores of 3 classes for each of 7 tokens, ``[n, 3, 7]``."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(4, 21)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x).unflatten(1, (3, 7))


def draw(n: int = 23) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return x, torch.randint(3, (n,), generator=generator)


def masked_tokens(n: int = 23) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    y = torch.randint(3, (n, 7), generator=generator)
    lengths = torch.randint(0, 8, (n, 1), generator=generator)  # some have no token that counts
    return y.masked_fill(torch.arange(7) >= lengths, -100)


class ByHand:
    """Class weights by the contract: a function of the user's that says what examples count."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        values = F.cross_entropy(output, target, reduction="none")
        return (values * CLASS_WEIGHT[target]).sum() / CLASS_WEIGHT[target].sum()

    def weight_of(self, target: Tensor) -> Tensor:
        return CLASS_WEIGHT[target]


MEANS = {
    "plain": nn.CrossEntropyLoss(),
    "class weights": nn.CrossEntropyLoss(weight=CLASS_WEIGHT),
    "weights and smoothing": nn.CrossEntropyLoss(weight=CLASS_WEIGHT, label_smoothing=0.1),
    "an ignored class": nn.CrossEntropyLoss(ignore_index=2),
    "a function with class weights": functools.partial(F.cross_entropy, weight=CLASS_WEIGHT),
    "by example": nn.CrossEntropyLoss(reduction="none"),
    "by contract": ByHand(),
}


def gradient(loss: object, model: nn.Module, update: list[Split]) -> tuple[Tensor, Tensor]:
    parameters = list(model.parameters())
    objective = Objective(model, Criterion(loss), parameters, None, half=None)  # type: ignore[arg-type]
    objective.zero_grad()
    value = objective.backward(update)
    assert torch.allclose(objective.value(update), value, rtol=1e-12, atol=0)
    return value, torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


@pytest.mark.parametrize("name", MEANS)
@pytest.mark.parametrize("size", [1, 4, 7, 22])
def test_accumulation_is_the_one_large_batch_whatever_the_mean_runs_over(
    name: str, size: int
) -> None:
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    x, y = draw()
    whole, expected = gradient(MEANS[name], model, [Split(x, y)])
    direct = MEANS[name](model(x), y)
    assert float(whole) == pytest.approx(float(direct.detach().mean()), rel=1e-12)
    value, found = gradient(MEANS[name], model, list(Split(x, y).batches(size)))
    assert float(value) == pytest.approx(float(whole), rel=1e-12)
    assert torch.allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [1, 5, 23])
def test_tokens_that_are_ignored_count_nothing(size: int) -> None:
    torch.manual_seed(0)
    model, (x, _), y = Tokens().double(), draw(), masked_tokens()
    loss = nn.CrossEntropyLoss()
    expected = F.cross_entropy(model(x), y)
    value, found = gradient(loss, model, list(Split(x, y).batches(size)))
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-12)
    wanted = torch.cat([g.flatten() for g in torch.autograd.grad(expected, [*model.parameters()])])
    assert torch.allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", [nn.CrossEntropyLoss(), ByHand(), MeanSquaredError()])
def test_weights_of_examples_repeat_them(loss: object) -> None:
    """An example of weight 3 is the same as that example three times; one of 0 is not there."""
    torch.manual_seed(0)
    model = nn.Linear(4, 3).double()
    x, y = draw(6)
    weight = torch.tensor([1.0, 3.0, 0.0, 2.0, 1.0, 1.0], dtype=torch.float64)
    repeated = torch.repeat_interleave(torch.arange(6), weight.long())
    criterion = Criterion(loss, weighted=True)  # type: ignore[arg-type]
    with torch.no_grad():
        found = criterion(model(x), y, weight)
        expected = Criterion(loss)(model(x[repeated]), y[repeated])  # type: ignore[arg-type]
    assert float(found) == pytest.approx(float(expected), rel=1e-12)
    update = list(Split(x, y, weight).batches(2))
    objective = Objective(model, criterion, list(model.parameters()), None, half=None)
    assert float(objective.backward(update)) == pytest.approx(float(expected), rel=1e-12)


def test_a_sum_is_refused_by_name() -> None:
    with pytest.raises(InputError, match="reduction=sum: a loss has to be a mean over examples"):
        Criterion(nn.CrossEntropyLoss(reduction="sum"))
    with pytest.raises(InputError, match="reduction=sum"):
        Criterion(functools.partial(F.cross_entropy, reduction="sum"))


def balanced(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output, target, weight=CLASS_WEIGHT.to(output.dtype))


def summed(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output, target, reduction="sum")


def contrastive(output: Tensor, target: Tensor) -> Tensor:
    return -torch.log_softmax(output @ output.T, 1).diagonal().mean()


def ordered(output: Tensor, target: Tensor) -> Tensor:
    return (F.cross_entropy(output, target, reduction="none") * torch.arange(len(target))).mean()


@pytest.mark.parametrize(
    ("loss", "says"),
    [
        (balanced, "in the mean"),
        (summed, "it is a sum"),
        (contrastive, "in the mean"),
        (ordered, "in another order"),
        *((loss, None) for loss in MEANS.values()),
    ],
)
def test_what_is_no_mean_over_examples_is_found(loss: object, says: str | None) -> None:
    torch.manual_seed(0)
    model, examples = nn.Linear(4, 3).double(), Split(*draw())
    found = deviation(Criterion(loss), model, examples)  # type: ignore[arg-type]
    assert (found is None) if says is None else says in str(found)


def test_batch_norm_and_dropout_are_no_fault_of_the_loss() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
    model.train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert deviation(Criterion(nn.CrossEntropyLoss()), model.double(), Split(*draw())) is None
    assert model.training
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_a_step_of_ones_own_gets_the_batch_as_the_data_are() -> None:
    x, y = draw(5)
    model = nn.Linear(4, 3).double()

    def step(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        value = F.cross_entropy(model(batch["inputs"]), batch["labels"])
        return value, {"twice": 2 * value.item()}

    value, metrics = StepCriterion(step, "labels").measure(model, Split({"inputs": x}, y))
    assert value.item() == pytest.approx(F.cross_entropy(model(x), y).item(), rel=1e-14)
    assert metrics == {"twice": pytest.approx(2 * value.item(), rel=1e-14)}
    with pytest.raises(InputError, match=r"has to return the loss.*returned str"):
        StepCriterion(lambda model, batch: "loss", None).measure(model, Split(x, y))


class Focal(nn.CrossEntropyLoss):
    """The common form: a subclass whose ``reduction`` says nothing of what forward returns."""

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        log = F.cross_entropy(input, target, reduction="none")
        return ((1 - (-log).exp()) ** 2 * log).mean()


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_a_subclass_is_what_it_returns(reduction: str) -> None:
    torch.manual_seed(0)
    model, (x, y) = nn.Linear(4, 3).double(), draw()
    focal = Focal(reduction=reduction)
    with torch.no_grad():
        direct = focal(model(x), y)
        assert float(Criterion(focal)(model(x), y)) == pytest.approx(float(direct), rel=1e-14)
    assert deviation(Criterion(focal), model, Split(x, y)) is None
    ones = Split(x, y, torch.ones(len(y), dtype=torch.float64))
    assert deviation(Criterion(focal, weighted=True), model, ones) is None


def test_probabilities_of_positions_are_a_mean_over_positions() -> None:
    torch.manual_seed(0)
    model, (x, _) = Tokens().double(), draw()
    target = torch.softmax(torch.randn(23, 3, 7, dtype=torch.float64), 1)
    expected = F.cross_entropy(model(x), target).item()
    value, _ = gradient(nn.CrossEntropyLoss(), model, list(Split(x, target).batches(5)))
    assert value.item() == pytest.approx(expected, rel=1e-12)


def test_weights_of_one_are_no_weights_for_a_divergence() -> None:
    torch.manual_seed(0)
    logs = torch.log_softmax(torch.randn(9, 4, dtype=torch.float64), 1)
    target = torch.softmax(torch.randn(9, 4, dtype=torch.float64), 1)
    loss = nn.KLDivLoss(reduction="batchmean")
    ones = torch.ones(9, dtype=torch.float64)
    found = Criterion(loss, weighted=True)(logs, target, ones)
    assert float(found) == pytest.approx(float(loss(logs, target)), rel=1e-12)


class OwnValues:
    """Values by example, and what each counts."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(output, target, reduction="none")

    def weight_of(self, target: Tensor) -> Tensor:
        return CLASS_WEIGHT[target]


def test_values_by_example_are_multiplied_by_what_they_count() -> None:
    torch.manual_seed(0)
    model, (x, y) = nn.Linear(4, 3).double(), draw()
    with torch.no_grad():
        expected = F.cross_entropy(model(x), y, weight=CLASS_WEIGHT)
        assert float(Criterion(OwnValues())(model(x), y)) == pytest.approx(
            float(expected), rel=1e-12
        )


@pytest.mark.parametrize("loss", [balanced, lambda o, y: F.cross_entropy(o, y, reduction="sum")])
def test_weights_that_would_make_another_loss_are_found(loss: object) -> None:
    torch.manual_seed(0)
    x, y = draw()
    ones = Split(x, y, torch.ones(len(y), dtype=torch.float64))
    assert deviation(Criterion(loss, weighted=True), nn.Linear(4, 3).double(), ones)  # type: ignore[arg-type]


def test_a_model_that_starts_at_zero_hides_nothing() -> None:
    """All examples have one loss then, whatever the mean runs over."""
    model = nn.Linear(4, 3).double()
    with torch.no_grad():
        for p in model.parameters():
            p.zero_()
    assert deviation(Criterion(balanced), model, Split(*draw()))
