from functools import partial

import pytest
import torch
from frozen import descend, subject_of
from torch import Tensor, nn
from torch.optim import Adadelta, Adagrad, Adam, Adamax, AdamW, Optimizer, RAdam, RMSprop

from sgdlab.diagnostics.preconditioner import preconditioner
from sgdlab.optimizers.decay import use_decay_mode
from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from sgdlab.optimizers.swats import SWATS


def gradient(optimizer: Optimizer, x: Tensor, g: Tensor) -> Tensor:
    return g


def average(optimizer: Optimizer, x: Tensor, g: Tensor) -> Tensor:
    return optimizer.state[x]["exp_avg"]


BETAS = {"betas": (0.8, 0.7)}
RULES = {
    "adam": (partial(Adam, eps=0.1, **BETAS), average),
    "amsgrad": (partial(Adam, eps=0.1, amsgrad=True, **BETAS), average),
    "adamw": (partial(AdamW, eps=0.1, weight_decay=0.0, **BETAS), average),
    "adamax": (partial(Adamax, eps=0.1, **BETAS), average),
    "radam": (partial(RAdam, eps=0.1, betas=(0.8, 0.9)), average),
    "swats": (partial(SWATS, eps=0.1, switch_tolerance=1e-300, **BETAS), average),
    "rmsprop": (partial(RMSprop, eps=0.1), gradient),
    "centred": (partial(RMSprop, eps=0.1, centered=True), gradient),
    "adagrad": (partial(Adagrad, eps=0.1, lr_decay=0.3), gradient),
}


@pytest.mark.parametrize("name", RULES)
def test_every_update_is_the_rate_times_an_average_of_gradients_over_the_divisor(name):
    make, direction = RULES[name]
    x = nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    optimizer = make([{"params": [x], "lr_multiplier": 0.5}], lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(12):  # RAdam adapts from the sixth on
        before = x.detach().clone()
        g = torch.randn(3, generator=generator, dtype=torch.float64)
        x.grad = g.clone()
        optimizer.param_groups[0]["lr"] = 0.5 * 0.02
        optimizer.step()
        by = preconditioner(subject_of(optimizer, x), 0.02)
        assert by is not None
        expected = -0.02 * direction(optimizer, x, g) / by.divisor
        torch.testing.assert_close(x.detach() - before, expected, rtol=1e-9, atol=0)
        assert not by.plain


@pytest.mark.parametrize("make", [ScheduleFreeSGD, ScheduleFreeAdamW])
def test_schedule_free_moves_z_by_the_gradient_over_the_divisor(make):
    x = nn.Parameter(torch.tensor([1.0, -2.0, 3.0], dtype=torch.float64))
    optimizer = make([x], lr=0.01, warmup_steps=3)
    z = x.detach().clone()
    for t in range(5):
        x.grad = torch.tensor([1.0, 0.5 * t, -2.0], dtype=torch.float64)
        optimizer.step()
        by = preconditioner(subject_of(optimizer, x), 0.01)
        assert by is not None
        moved = optimizer.state[x]["z"] - z
        torch.testing.assert_close(moved, -0.01 * x.grad / by.divisor)
        z = optimizer.state[x]["z"].clone()


def test_swats_after_its_switch_is_a_heavy_ball_at_the_rate_it_learned():
    x = nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = SWATS([x], lr=0.01, switch_tolerance=1e9)
    h = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    while optimizer.findings()["switch_step"] is None:
        descend(optimizer, x, h, 1)
    assert preconditioner(subject_of(optimizer, x), 0.01) is None  # Adam's moment is gone
    optimizer.param_groups[0]["lr"] = 0.005
    before = x.detach().clone()
    descend(optimizer, x, h, 1)
    by = preconditioner(subject_of(optimizer, x), 0.005)
    assert by is not None
    expected = -0.005 * 0.1 * optimizer.state[x]["momentum_buffer"] / by.divisor
    torch.testing.assert_close(x.detach() - before, expected)
    assert by.limit == pytest.approx(38 / 0.005)


@pytest.mark.parametrize("decoupled", [False, True])
def test_decay_is_on_the_diagonal_only_where_it_is_in_the_gradient(decoupled):
    x, bias = (nn.Parameter(torch.ones(2, 2)), nn.Parameter(torch.ones(2)))
    groups = [{"params": [x]}, {"params": [bias], "weight_decay": 0.0}]
    optimizer = Adam(groups, weight_decay=0.25, decoupled_weight_decay=decoupled)
    x.grad, bias.grad = torch.ones(2, 2), torch.ones(2)
    optimizer.step()
    by = preconditioner(subject_of(optimizer, x, bias), 0.001)
    assert by is not None
    assert by.decay.tolist() == [0.0 if decoupled else 0.25] * 4 + [0.0] * 2


@pytest.mark.parametrize(("mode", "counted"), [("coupled", 0.25), ("decoupled", 0.0)])
def test_decay_that_sgdlab_applies_counts_when_it_is_coupled(mode, counted):
    x = nn.Parameter(torch.ones(2, 2))
    optimizer = AdamW([x], weight_decay=0.25)
    use_decay_mode(optimizer, mode, 0.001, "adamw")
    x.grad = torch.ones(2, 2)
    optimizer.step()
    by = preconditioner(subject_of(optimizer, x), 0.001)
    assert by is not None
    assert by.decay.tolist() == [counted] * 4


def test_what_has_never_moved_has_an_infinite_divisor():
    x, unused = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = Adam([x, unused])
    x.grad = torch.ones(2)
    optimizer.step()
    by = preconditioner(subject_of(optimizer, x, unused), 0.001)
    assert by is not None
    assert by.divisor.isinf().tolist() == [False, False, True, True]


class Mine(Adam):
    pass


@pytest.mark.parametrize("make", [Adadelta, Mine])
def test_what_is_not_known_is_none(make):
    x = nn.Parameter(torch.ones(2))
    optimizer = make([x])
    x.grad = torch.ones(2)
    optimizer.step()
    assert preconditioner(subject_of(optimizer, x), 0.001) is None


def test_groups_of_different_momentum_have_no_common_limit():
    x, y = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2))
    optimizer = Adam([{"params": [x]}, {"params": [y], "betas": (0.5, 0.999)}])
    assert preconditioner(subject_of(optimizer, x, y), 0.001) is None
