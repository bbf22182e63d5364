"""Gradient noise against a loop over the examples, one backward pass each."""

import copy
import math
import warnings

import numpy as np
import pytest
import torch
from harness import Steps, begun, named
from torch import Tensor, nn

from sgdlab.datasets.base import Split
from sgdlab.diagnostics import per_example as module
from sgdlab.diagnostics.base import Moment, Subject, flat
from sgdlab.diagnostics.dense_moments import dense_sums, is_dense
from sgdlab.diagnostics.noise import Noise
from sgdlab.diagnostics.per_example import PerExample
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import Traits
from sgdlab.steps.criterion import Criterion
from trainer_runs import built


def _at_start(steps: Steps, moment: Moment) -> nn.Module:
    """Return a copy of the model at the parameters before the update."""
    model = copy.deepcopy(steps.run.model)
    with torch.no_grad():
        for p, value in zip(model.parameters(), moment.before, strict=True):
            p.copy_(value)
    return model


def _gradients(steps: Steps, model: nn.Module, x: Tensor, y: Tensor) -> list[np.ndarray]:
    """Return the gradient of every example, ``[d]`` each."""
    found = []
    for one in range(len(y)):
        model.zero_grad()
        steps.subject.loss(model(x[one : one + 1]), y[one : one + 1]).backward()
        parts = [p.grad for p in model.parameters() if p.grad is not None]
        found.append(torch.cat([g.flatten() for g in parts]).numpy().copy())
    return found


def _loop(steps: Steps, moment: Moment) -> np.ndarray:
    model = _at_start(steps, moment)
    return np.stack([g for pair in moment.update for g in _gradients(steps, model, *pair)])


def _expected(gradients: np.ndarray, examples: float) -> tuple[float, float, float]:
    """Return grad_snr, trΣ and the corrected |G|² by the formulas, coordinate by coordinate."""
    n = len(gradients)
    mean = [math.fsum(column) / n for column in gradients.T]
    variance = [
        math.fsum((v - m) ** 2 for v in column) / (n - 1)
        for column, m in zip(gradients.T, mean, strict=True)
    ]
    share = 1 / n - 1 / examples
    ratios = [m * m / v for m, v in zip(mean, variance, strict=True) if v > 1e-30]
    trace = math.fsum(variance)
    snr = math.fsum(ratios) / len(ratios) - share
    return snr, trace, math.fsum(m * m for m in mean) - share * trace


@pytest.mark.parametrize(
    "settings",
    [
        ("model.hidden=[6]", "accumulate=3", "clip_norm=0.1"),
        ("model=cnn", "model.channels=[2]", "model.hidden=[4]", "batch_size=16"),
        ("dataset=diabetes", "model.hidden=[6]", "model.activation=tanh", "optimizer=adamw"),
        ("dataset=wine", "model=linear", "loss=perceptron", "optimizer=nesterov_lookahead"),
        ("dataset=wine", "model=linear", "loss=mse", "optimizer=lbfgs", "batch_size=full"),
        ("dataset=logistic", "optimizer=schedule_free_sgd", "batch_size=32"),
        ("dataset=quadratic", "dataset.noise=1.0", "dataset.dim=5", "accumulate=2"),
        (
            "dataset=text", "dataset.context=5", "model=gpt", "model.width=4", "model.depth=1",
            "model.positions=rotary",  # else the bias of keys has no effect, and no gradient
            "batch_size=6",
        ),
    ],
)  # fmt: skip
def test_noise_agrees_with_a_loop_over_examples(settings: tuple[str, ...]) -> None:
    steps, columns = begun(noise := Noise(decay=0.5), *settings, "dtype=float64")
    numerator = denominator = 0.0
    moments = [steps.take(), steps.uneven() if "accumulate=3" in settings else steps.take()]
    for moment in moments:
        found = named(columns, steps.measure(noise, moment))
        gradients = _loop(steps, moment)
        together = torch.cat(list(PerExample(steps.subject, moment).chunks())).numpy()
        np.testing.assert_allclose(together, gradients, rtol=1e-9, atol=1e-12)
        step = torch.cat([g.flatten() for g in moment.gradients]).numpy()
        if "nesterov_lookahead" not in str(settings):
            np.testing.assert_allclose(gradients.mean(0), step, rtol=1e-9, atol=1e-12)
        snr, trace, square = _expected(gradients, len(steps.run.data.train.y))
        assert found["grad_snr"] == pytest.approx(snr, rel=1e-8)
        assert found["noise_trace"] == pytest.approx(trace, rel=1e-9)
        numerator, denominator = (numerator + trace) / 2, (denominator + square) / 2
        expected = numerator / denominator if denominator > 0 else math.nan
        assert found["noise_scale"] == pytest.approx(expected, rel=1e-8, nan_ok=True)


def test_large_models_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, _ = begun(Noise(), "model.hidden=[6]", "accumulate=2", "dtype=float64")
    moment = steps.take()
    whole = PerExample(steps.subject, moment)
    expected, gradients = whole.moments(), torch.cat(list(whole.chunks()))
    assert [len(chunk) for chunk in whole.chunks()] == [64, 64]
    monkeypatch.setattr(module, "CHUNK", 10 * moment.start.numel() + 7)
    assert [len(chunk) for chunk in whole.chunks()] == [*[10] * 6, 4] * 2
    torch.testing.assert_close(torch.cat(list(whole.chunks())), gradients)
    torch.testing.assert_close(whole.moments(), expected)


def test_what_cannot_be_vectorised_is_looped_over(monkeypatch: pytest.MonkeyPatch) -> None:
    steps, _ = begun(Noise(), "model.hidden=[6]", "dtype=float64", "model.dropout=0.2")
    moment = steps.take()

    class Choosy(nn.Dropout):
        def forward(self, x: Tensor) -> Tensor:
            return x * 1.5 if x.sum().item() > 0 else x * 2.0

    (dropout,) = (name for name, m in steps.run.model.named_children() if type(m) is nn.Dropout)
    setattr(steps.run.model, dropout, Choosy())
    found = torch.cat(list(PerExample(steps.subject, moment).chunks()))
    np.testing.assert_allclose(found.numpy(), _loop(steps, moment), rtol=1e-9, atol=1e-12)


def test_batch_norm_keeps_the_statistics_of_the_micro_batch() -> None:
    """A loop over examples through a copy whose running statistics are those of the batch."""
    settings = ("model=cnn", "model.channels=[2]", "model.hidden=[4]", "model.batch_norm=true")
    steps, columns = begun(noise := Noise(), *settings, "dtype=float64", "accumulate=3")
    moment = steps.uneven()
    found = named(columns, steps.measure(noise, moment))
    model = _at_start(steps, moment)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d)]
    gradients = []
    for x, y in moment.update:
        model.train()
        for norm in norms:
            norm.momentum = 1.0
        in_step = model(x)
        for norm in norms:
            spatial = 1 if norm is norms[-1] else 64
            assert norm.running_var is not None
            norm.running_var *= 1 - 1 / (len(y) * spatial)  # torch stores the unbiased one
        torch.testing.assert_close(model.eval()(x), in_step)
        gradients += _gradients(steps, model, x, y)
    snr, trace, _ = _expected(np.stack(gradients), len(steps.run.data.train.y))
    assert found["noise_trace"] == pytest.approx(trace, rel=1e-8)
    assert found["grad_snr"] == pytest.approx(snr, rel=1e-8)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_every_example_has_a_dropout_mask_of_its_own(
    dropout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps, columns = begun(noise := Noise(), f"model.dropout={dropout}", "dtype=float64")
    moment = steps.take()
    ((x, y),) = moment.update
    moment.update = [Split(x[:1].expand(x.shape), y[:1].expand(y.shape))]
    monkeypatch.setattr(module, "CHUNK", 20 * moment.start.numel())
    found = named(columns, steps.measure(noise, moment))
    gradients = torch.cat(list(PerExample(steps.subject, moment).chunks()))
    distinct = len({row.numpy().tobytes() for row in gradients.round(decimals=12)})
    assert distinct == (1 if dropout == 0 else 64)
    if dropout == 0:  # examples that do not differ
        assert found["noise_trace"] < 1e-12
        assert math.isnan(found["grad_snr"])
        assert found["noise_scale"] < 1e-12


def test_dense_layers_need_one_pass_with_the_dropout_of_the_step() -> None:
    settings = ("model.dropout=0.5", "accumulate=3", "dtype=float64", "model.hidden=[6,5]")
    steps, columns = begun(noise := Noise(), *settings)
    moment = steps.uneven()
    count = sum(len(y) for _, y in moment.update)
    sums = dense_sums(steps.subject, moment)
    assert sums is not None
    torch.testing.assert_close(sums[0] / count, moment.gradient)
    # Masks differ from those of the examples one by one; the variance is that of such masks.
    drawn = [PerExample(steps.subject, moment).moments().variance.sum()]
    for seed in range(20):
        torch.manual_seed(seed)
        moment.random_state = torch.get_rng_state()
        drawn.append(PerExample(steps.subject, moment).moments().variance.sum())
    measured = named(columns, steps.measure(noise, moment))["noise_trace"]
    low, high = min(drawn).item(), max(drawn).item()
    assert 0.8 * low < measured < 1.25 * high


@pytest.mark.parametrize(
    ("settings", "dense"),
    [(("model=linear",), True), (("model.batch_norm=true",), False), (("model=cnn",), False)],
)
def test_only_dense_models_are_measured_at_once(settings: tuple[str, ...], dense: bool) -> None:
    steps = Steps(*settings)
    assert is_dense(steps.subject) == dense


class Twice(nn.Module):
    """Uses one dense layer twice."""

    def __init__(self, layer: nn.Linear) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(torch.tanh(self.layer(x)))


def test_a_layer_that_is_used_twice_is_left_to_single_examples() -> None:
    steps, columns = begun(noise := Noise(), "model.hidden=[6,6]", "dtype=float64")
    ((name, layer),) = (
        (name, child)
        for name, child in steps.run.model.named_children()
        if isinstance(child, nn.Linear) and child.in_features == child.out_features
    )
    setattr(steps.run.model, name, Twice(layer))
    renamed = {f"{name}.{kind}": f"{name}.layer.{kind}" for kind in ("weight", "bias")}
    steps.subject.names = [renamed.get(each, each) for each in steps.subject.names]
    moment = steps.take()
    assert dense_sums(steps.subject, moment) is None
    found = named(columns, steps.measure(noise, moment))
    snr, trace, _ = _expected(_loop(steps, moment), len(steps.run.data.train.y))
    assert found["noise_trace"] == pytest.approx(trace, rel=1e-9)
    assert found["grad_snr"] == pytest.approx(snr, rel=1e-8)


def test_noise_drawn_for_a_batch_is_known_exactly() -> None:
    settings = ("dataset=noisy_quadratic", "dataset.eigenvalues=[1.0,0.5,0.25]")
    rest = ("dataset.noise=2.0", "dataset.noise_shape=hessian", "batch_size=8", "dtype=float64")
    steps, columns = begun(noise := Noise(), *settings, *rest)
    moment = steps.take()
    found = named(columns, steps.measure(noise, moment))
    assert found["noise_trace"] == pytest.approx(4 * 1.75)
    g = moment.gradients[0].numpy()
    expected = np.mean(g**2 / (4 * np.array([1.0, 0.5, 0.25]))) - 1 / 8
    assert found["grad_snr"] == pytest.approx(expected)
    square = float(g @ g) - 7 / 8
    assert found["noise_scale"] == pytest.approx(
        7 / square if square > 0 else math.nan, nan_ok=True
    )


def test_noise_scale_is_that_of_the_whole_training_set() -> None:
    """At weights that hardly move, against trΣ/|G|² from the gradients of all examples."""
    settings = ("dataset=logistic", "batch_size=32", "optimizer=sgd", "schedule=constant")
    steps, columns = begun(noise := Noise(decay=0.999), *settings, "lr=1e-12", "dtype=float64")
    x, y = steps.run.data.train
    everything = np.stack(_gradients(steps, copy.deepcopy(steps.run.model), x, y))
    mean = everything.mean(0)
    expected = everything.var(axis=0, ddof=1).sum() / (mean @ mean)
    for _ in range(10 * steps.run.plan.steps_per_epoch):
        found = named(columns, steps.measure(noise, steps.take()))
    assert found["noise_scale"] == pytest.approx(expected, rel=0.05)


def test_one_example_has_no_variance() -> None:
    steps, columns = begun(noise := Noise(), "model=linear", "accumulate=2", "dataset=wine")
    moment = steps.take()
    found = named(columns, steps.measure(noise, moment))
    assert math.isfinite(found["noise_trace"])
    alone = steps.take()
    alone.update = [Split(x[:1], y[:1]) for x, y in alone.update[:1]]
    assert steps.measure(noise, alone).isnan().all()
    again = named(columns, steps.measure(noise, moment))
    assert again["noise_scale"] == pytest.approx(found["noise_scale"]), "the gap left no trace"


def test_a_resumed_run_goes_on_with_its_averages() -> None:
    steps, _ = begun(noise := Noise(), "model=linear", "dataset=wine")
    steps.measure(noise, steps.take())
    other = Noise()
    other.begin(steps.subject)
    other.load_state_dict(copy.deepcopy(noise.state_dict()))
    moment = steps.take()
    first, second = steps.measure(noise, moment), steps.measure(other, moment)
    assert torch.equal(first, second)
    fresh = Noise()
    fresh.begin(steps.subject)
    assert not torch.equal(first, steps.measure(fresh, moment))


@pytest.mark.parametrize("decay", [1.0, -0.1, "a"])
def test_decay_has_a_range(decay: object) -> None:
    with pytest.raises(InputError, match=r"^diagnostics\.quantities\.noise\.decay=.*below 1"):
        Noise(decay=decay)  # type: ignore[arg-type]


class Tied(nn.Module):
    """An autoencoder whose decoder is its encoder's weight, used outside of its layer."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(13, 6)
        self.decode = nn.Linear(13, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.encode(x))
        return self.decode(nn.functional.linear(hidden, self.encode.weight.T))


class Shared(nn.Module):
    """Two layers with one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.first, self.second = nn.Linear(13, 6), nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight
        self.out = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.out(self.second(torch.tanh(self.first(torch.tanh(self.into(x))))))


def weight_normed() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the old form, which many models still have
        return nn.Sequential(nn.utils.weight_norm(nn.Linear(13, 6)), nn.Tanh(), nn.Linear(6, 3))


@pytest.mark.parametrize("make", [Tied, Shared, weight_normed])
def test_weights_that_are_not_one_layers_own_are_measured_one_by_one(make) -> None:
    torch.manual_seed(0)
    model = make()
    names, parameters = zip(*model.named_parameters(), strict=True)
    x, y = torch.randn(20, 13), torch.arange(20) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = built("dataset=wine", "model=linear")
    subject = Subject(
        model, list(names), list(parameters), Criterion(nn.functional.cross_entropy), None,
        optimizer, Traits(), run.data, 20, 0,
    )  # fmt: skip
    each = []
    for one, label in zip(x, y, strict=True):
        loss = nn.functional.cross_entropy(model(one[None]), label[None])
        each.append(flat(torch.autograd.grad(loss, parameters)))
    gradients = torch.stack(each).double()
    start = flat(parameters)
    moment = Moment(
        1, 0.1, [Split(x, y)], torch.tensor(0.0), 1.0, gradients.mean(0).float(), start, start,
        None, [p.shape for p in parameters], torch.get_rng_state(),
    )  # fmt: skip
    noise = Noise()
    noise.begin(subject)
    with torch.no_grad():
        found = noise.measure(subject, moment)
    assert found[1].item() == pytest.approx(gradients.var(0).sum().item(), rel=1e-4)


def test_batch_norm_in_half_precision_is_measured() -> None:
    settings = ("dataset=wine", "model.batch_norm=true", "precision=bf16")
    noise = Noise()
    steps, columns = begun(noise, *settings)
    found = named(columns, steps.measure(noise, steps.take()))
    assert math.isfinite(found["noise_trace"])


def test_batch_norm_that_needs_a_batch_for_ever_is_refused_in_one_line() -> None:
    run = built("dataset=wine", "model.batch_norm=true")
    for layer in run.model.modules():
        if isinstance(layer, nn.BatchNorm1d):
            layer.track_running_stats, layer.running_mean, layer.running_var = False, None, None
    with pytest.raises(InputError, match="track_running_stats=False"):
        Noise().begin(run.diagnostics.subject)
