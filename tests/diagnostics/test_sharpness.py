from dataclasses import replace

import numpy as np
import pytest
import torch
from exact import at_start, gradients, hessian, top
from harness import Steps, begun
from torch.nn.attention import SDPBackend, sdpa_kernel

from sgdlab.diagnostics.curvature import Curvature, subset_size
from sgdlab.diagnostics.preconditioned_sharpness import PreconditionedSharpness
from sgdlab.diagnostics.preconditioner import preconditioner
from sgdlab.diagnostics.sharpness import Sharpness
from sgdlab.errors import InputError

SMALL = ("dataset=wine", "model.hidden=[3]", "dtype=float64", "model.activation=tanh")
RANDOM = ("model.dropout=0.3", "model.batch_norm=true")
EXACT = {"iterations": 60, "tolerance": 0.0}


@pytest.mark.parametrize(
    "overrides",
    [
        SMALL,
        (*SMALL, *RANDOM),
        (*SMALL, "accumulate=2", "clip_norm=0.1"),
        ("dataset=diabetes", "model.hidden=[4]", "dtype=float64"),
        (*SMALL, "loss=mse", "lr_multipliers={*.bias:2}"),
    ],
)
def test_is_the_top_eigenvalue_of_the_exact_hessian_before_the_update(overrides):
    steps, columns = begun(Sharpness(examples=10**6, **EXACT), *overrides)
    assert columns == ("sharpness",)
    quantity = Sharpness(examples=10**6, **EXACT)
    quantity.begin(steps.subject)
    for _ in range(3):
        moment = steps.take()
        expected = top(hessian(steps.subject, at_start(moment)))
        assert float(steps.measure(quantity, moment)) == pytest.approx(expected, rel=1e-9)


def test_takes_a_fixed_evenly_spaced_subset():
    steps = Steps(*SMALL)
    quantity = Sharpness(examples=40, **EXACT)
    quantity.begin(steps.subject)
    moment = steps.take()
    expected = top(hessian(steps.subject, at_start(moment), examples=40))
    assert float(steps.measure(quantity, moment)) == pytest.approx(expected, rel=1e-9)


def test_products_and_gradient_are_those_of_the_exact_hessian():
    steps = Steps(*SMALL)
    moment = steps.take()
    h = hessian(steps.subject, at_start(moment))
    here = Curvature(steps.subject, moment.before, 10**6)
    columns = [here.product(v).numpy() for v in torch.eye(len(h), dtype=torch.float64)]
    np.testing.assert_allclose(np.stack(columns), h, atol=1e-12)
    g = gradients(steps.subject, at_start(moment))
    np.testing.assert_allclose(here.gradient, g.mean(0), atol=1e-12)


def test_a_run_that_is_resumed_measures_the_same():
    steps = Steps(*SMALL)
    whole = Sharpness(iterations=2)
    whole.begin(steps.subject)
    steps.measure(whole, steps.take())
    state = whole.state_dict()
    resumed = Sharpness(iterations=2)
    resumed.begin(steps.subject)
    resumed.load_state_dict({k: v.clone() for k, v in state.items()})
    moment = steps.take()
    expected = steps.measure(whole, moment)
    moment.shared.clear()
    assert torch.equal(steps.measure(resumed, moment), expected)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "nadam", "rmsprop", "adagrad", "adamax"])
def test_preconditioned_is_the_top_eigenvalue_of_the_inverse_times_the_exact_hessian(optimizer):
    overrides = (*SMALL, *RANDOM, f"optimizer={optimizer}", "lr_multipliers={1.*:0.5}")
    steps = Steps(*overrides, "optimizer.weight_decay=0.01")
    both = [Sharpness(10**6, **EXACT), PreconditionedSharpness(10**6, **EXACT)]
    columns = [column for q in both for column in q.begin(steps.subject)]
    assert columns == ["sharpness", "preconditioned_sharpness", "stability_limit", "stability"]
    for _ in range(3):
        moment = steps.take()
        h = hessian(steps.subject, at_start(moment))
        by = preconditioner(steps.subject, moment.lr)
        assert by is not None
        decays = 0.0 if optimizer == "adamw" else 0.01
        for p, part in zip(
            steps.subject.parameters,
            by.decay.split([p.numel() for p in steps.subject.parameters]),
            strict=True,
        ):
            assert part.tolist() == pytest.approx([decays * (p.ndim > 1)] * p.numel())
        matrix = (h + np.diag(by.decay.numpy())) / by.divisor.numpy()[:, None]
        expected = float(np.linalg.eigvals(matrix).real.max())
        plain = steps.measure(both[0], moment)
        value, limit, stability = steps.measure(both[1], moment).tolist()
        assert float(plain) == pytest.approx(top(h), rel=1e-8)
        assert value == pytest.approx(expected, rel=1e-6)
        assert limit == by.limit
        assert stability == pytest.approx(value / limit)


def test_for_sgd_it_is_the_sharpness_plus_the_decay():
    steps = Steps(*SMALL, "optimizer=nesterov", "optimizer.weight_decay=0.01")
    both = [Sharpness(10**6, **EXACT), PreconditionedSharpness(10**6)]
    for quantity in both:
        quantity.begin(steps.subject)
    moment = steps.take()
    plain = float(steps.measure(both[0], moment))
    value, limit, _ = steps.measure(both[1], moment).tolist()
    assert plain <= value <= plain + 0.01
    assert limit == pytest.approx(3.8 / (2.8 * moment.lr))


def test_for_an_optimizer_that_maximises_it_is_that_of_the_negative_loss():
    steps = Steps(*SMALL, "optimizer=sgd", "optimizer.weight_decay=0.0")
    for group in steps.subject.optimizer.param_groups:
        group["maximize"] = True
    both = [Sharpness(10**6, **EXACT), PreconditionedSharpness(10**6, **EXACT)]
    for quantity in both:
        quantity.begin(steps.subject)
    moment = steps.take()
    plain, seen = (steps.measure(quantity, moment) for quantity in both)
    h = hessian(steps.subject, at_start(moment))
    assert float(plain) == pytest.approx(top(h), rel=1e-8)
    assert float(seen[0]) == pytest.approx(top(-h), rel=1e-8)


@pytest.mark.parametrize("optimizer", ["lion", "lamb", "lars", "signsgd", "adafactor", "muon"])
def test_where_the_preconditioner_is_not_known_there_is_no_number(optimizer):
    steps = Steps(*SMALL, f"optimizer={optimizer}")
    quantity = PreconditionedSharpness()
    quantity.begin(steps.subject)
    assert steps.measure(quantity, steps.take()).isnan().all()


def test_a_loss_without_curvature_has_sharpness_zero():
    steps = Steps("dataset=wine", "model=linear", "loss=perceptron", "dtype=float64")
    quantity = Sharpness()
    quantity.begin(steps.subject)
    assert float(steps.measure(quantity, steps.take())) == 0


def test_a_diverged_model_has_none():
    steps = Steps(*SMALL)
    quantity = Sharpness()
    quantity.begin(steps.subject)
    moment = steps.take()
    moment.before[0].fill_(torch.nan)
    assert steps.measure(quantity, moment).isnan().all()


def test_the_model_may_be_a_function():
    steps = Steps("dataset=rosenbrock", "model=problem", "dtype=float64")
    quantity = Sharpness()
    quantity.begin(steps.subject)
    moment = steps.take()
    x, y = at_start(moment).tolist()
    h = np.array([[2 - 400 * (y - 3 * x**2), -400 * x], [-400 * x, 200]])
    assert float(steps.measure(quantity, moment)) == pytest.approx(top(h), rel=1e-9)


def test_how_many_examples_are_taken_by_default():
    assert subset_size(Steps().subject) == 384
    assert subset_size(Steps("batch_size=full").subject) == 1079
    assert subset_size(Steps("model=cnn").subject) == 128
    assert subset_size(Steps("dataset=wine").subject) == 106


def test_a_model_without_second_derivatives_is_refused_in_one_line():
    steps = Steps(*SMALL)
    original = steps.subject.loss
    steps.subject.loss = lambda output, y: original(torch.cdist(output, output), y * 0)
    with pytest.raises(InputError, match=r"no second derivatives.*diagnostics=business"):
        Sharpness().begin(steps.subject)


class Attention(torch.nn.Linear):
    def forward(self, input):
        h = super().forward(input)[:, None, :, None]
        return torch.nn.functional.scaled_dot_product_attention(h, h, h)[:, 0, :, 0]


def test_attention_has_second_derivatives():
    steps = Steps("dataset=wine", "model=linear", "dtype=float64")
    torch.manual_seed(0)
    model = Attention(13, 3, dtype=torch.float64)
    subject = replace(
        steps.subject,
        model=model,
        names=[name for name, _ in model.named_parameters()],
        parameters=list(model.parameters()),
    )
    here = Curvature(subject, subject.parameters, 30)
    at = torch.cat([p.detach().reshape(-1) for p in subject.parameters])
    with sdpa_kernel(SDPBackend.MATH):
        h = hessian(subject, at, 30)
    v = torch.ones(len(h), dtype=torch.float64)
    np.testing.assert_allclose(here.product(v), h.sum(1), atol=1e-12)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"examples": 0}, "sharpness.examples=0: must be a number from 1"),
        ({"iterations": 0}, "sharpness.iterations=0"),
        ({"tolerance": -1}, "sharpness.tolerance=-1"),
    ],
)
def test_bad_settings_are_refused(settings, text):
    with pytest.raises(InputError, match=text):
        Sharpness(**settings)
