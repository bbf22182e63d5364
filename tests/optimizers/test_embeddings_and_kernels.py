"""Every shipped optimizer on what is neither a small matrix nor a vector: tables and kernels.

An embedding is long, and a batch has gradients for few of its rows; the kernel of a convolution has
four axes. All train, and none takes memory out of proportion.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.config.catalogue import members
from sgdlab.config.instantiate import call
from sgdlab.models.gpt import GPT
from sgdlab.models.lstm import LSTM
from sgdlab.models.resnet import resnet18
from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.roles import roles_of
from sgdlab.optimizers.traits import shipped_as, traits_of

TOKENS, CONTEXT = 12, 6
SLOW = ("kiefer_wolfowitz",)
"""Two values of the function for each of thousands of parameters in a step."""

RATES = {
    "lars": 10.0, "schedule_free_sgd": 1.0, "prodigy": 1.0, "adadelta": 30.0, "lbfgs": 0.1,
    "radam": 0.1, "lion": 0.01, "lamb": 0.1,
}  # fmt: skip
"""Where the rate of the YAML is meant for long runs."""

OPTIMIZERS = [name for name in members("optimizer") if name not in SLOW]


def gpt() -> nn.Module:
    return GPT(input_shape=(CONTEXT,), num_outputs=TOKENS, width=8, depth=1, heads=2)


def lstm() -> nn.Module:
    return LSTM(input_shape=(CONTEXT,), num_outputs=TOKENS, width=8)


def resnet() -> nn.Module:
    return resnet18(input_shape=(1, 8, 8), num_outputs=3, width=2)


def tokens() -> tuple[Tensor, Tensor]:
    """Counting up, from different starts: to be learned from a few examples."""
    start = torch.arange(8)[:, None] % TOKENS
    whole = (start + torch.arange(CONTEXT + 1)) % TOKENS
    return whole[:, :-1], whole[:, 1:]


def images() -> tuple[Tensor, Tensor]:
    y = torch.arange(12) % 3
    x = torch.randn(12, 1, 8, 8, generator=torch.manual_seed(0)) + y[:, None, None, None] - 1.0
    return x, y


MODELS: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple[Tensor, Tensor]], int]] = {
    "gpt": (gpt, tokens, 20), "lstm": (lstm, tokens, 20), "resnet18": (resnet, images, 10),
}  # fmt: skip


def optimizer_on(name: str, model: nn.Module, x: Any, **changes: Any) -> torch.optim.Optimizer:
    section = {**shipped_as(name), **changes}
    traits = traits_of(section)
    groups = parameter_groups(
        model,
        weight_decay=section.get("weight_decay"),
        roles=roles_of(model, x) if traits.roles else None,
    )
    tuples = {k: tuple(v) for k, v in section.items() if isinstance(v, list)}
    return call(section, "optimizer", {}, params=groups, **tuples)


def closure_of(
    optimizer: torch.optim.Optimizer, loss: Callable[[], Tensor]
) -> Callable[..., Tensor]:
    def closure(gradient: bool = True) -> Tensor:
        with torch.set_grad_enabled(gradient):
            value = loss()
        if gradient:
            optimizer.zero_grad()
            value.backward()
        return value.detach()

    return closure


def trained(name: str, of: str) -> tuple[list[float], torch.optim.Optimizer, nn.Module]:
    make, data, steps = MODELS[of]
    torch.manual_seed(0)
    model, (x, y) = make(), data()
    lr = RATES.get(name, shipped_as(name)["lr"] * 3)
    start = {"d0": 1e-3} if name == "prodigy" else {}  # from 1e-6 it takes hundreds of steps
    optimizer, losses = optimizer_on(name, model, x[:1], lr=lr, **start), []

    def loss() -> Tensor:
        return F.cross_entropy(model(x).flatten(0, -2), y.flatten())

    closure = closure_of(optimizer, loss)
    for _ in range(3 if name == "lbfgs" else steps):  # each is twenty evaluations
        losses.append(loss().item())
        if traits_of(shipped_as(name)).takes_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
    getattr(optimizer, "eval", lambda: None)()
    return [*losses, loss().item()], optimizer, model


@pytest.mark.parametrize("of", MODELS)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_trains_a_transformer_a_recurrent_and_a_residual_network(
    name: str, of: str
) -> None:
    losses, _, model = trained(name, of)
    assert all(map(math.isfinite, losses))
    assert all(p.isfinite().all() for p in model.parameters())
    assert losses[-1] < 0.98 * losses[0]


VOCABULARY, WIDTH = 50_000, 4


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_a_vocabulary_is_a_few_copies_of_it(name: str) -> None:
    """A preconditioner of its rows would be a table of 50,000 by 50,000, ten gigabytes."""
    model = nn.Sequential(nn.Embedding(VOCABULARY, WIDTH), nn.Linear(WIDTH, WIDTH))
    x = torch.tensor([[3, 5]])
    optimizer = optimizer_on(name, model, x)
    closure = closure_of(optimizer, lambda: model(x).square().mean())
    closure()
    before = model[0].weight.detach().clone()
    for _ in range(2):
        optimizer.step(closure) if traits_of(shipped_as(name)).takes_closure else optimizer.step()
    assert model[0].weight.isfinite().all()
    assert not torch.equal(model[0].weight[3], before[3])
    held = sum(t.numel() for t in _tensors(list(optimizer.state.values())))
    copies = 2 * 100 + 8 if name == "lbfgs" else 6  # it keeps 100 pairs of steps at most
    assert held <= copies * VOCABULARY * WIDTH


def _tensors(values: Any) -> list[Tensor]:
    if isinstance(values, Tensor):
        return [values]
    inside = values.values() if isinstance(values, dict) else values
    is_nest = isinstance(values, dict | list | tuple)
    return [t for value in inside for t in _tensors(value)] if is_nest else []


def test_soap_has_no_basis_for_axes_that_are_too_long() -> None:
    model = nn.Embedding(30, 4)
    optimizer = optimizer_on("soap", model, torch.tensor([0]), max_precondition_dim=20)
    model(torch.tensor([1, 2])).sum().backward()
    optimizer.step()
    shapes = {tuple(t.shape) for t in _tensors(list(optimizer.state.values()))}
    assert (4, 4) in shapes
    assert (30, 30) not in shapes


def test_adafactor_keeps_means_over_the_last_two_axes_of_a_kernel() -> None:
    """The mean of g² over each row and each column of every 3 by 3 kernel, not 3·3·n numbers."""
    model = nn.Conv2d(3, 5, 3, bias=False)
    optimizer = optimizer_on("adafactor", model, None)
    model(torch.randn(2, 3, 6, 6)).square().mean().backward()
    g = model.weight.grad.clone()
    optimizer.step()
    state = optimizer.state[model.weight]
    assert state["row_var"].shape == (5, 3, 3, 1)
    assert state["col_var"].shape == (5, 3, 1, 3)
    assert "variance" not in state
    torch.testing.assert_close(state["row_var"], g.square().mean(-1, keepdim=True))
    torch.testing.assert_close(state["col_var"], g.square().mean(-2, keepdim=True))


def test_rows_of_an_embedding_without_gradient_stay_where_decay_and_momentum_are_off() -> None:
    """What a table of signs or of norms would move: the rows of tokens that a batch has not."""
    for name in ("sgd", "adam", "adamw", "lion", "adagrad", "rmsprop", "lamb", "muon"):
        model = nn.Sequential(nn.Embedding(9, 4), nn.Linear(4, 3))
        x = torch.tensor([[1, 2]])
        optimizer = optimizer_on(name, model, x, weight_decay=0.0)
        before = model[0].weight.detach().clone()
        model(x).square().mean().backward()
        optimizer.step()
        moved = (model[0].weight != before).any(1).nonzero().flatten().tolist()
        assert moved == [1, 2], name
