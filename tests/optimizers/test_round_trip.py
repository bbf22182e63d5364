"""Every optimizer in ``conf/optimizer`` goes on from a saved state as if nothing had happened."""

import io
from pathlib import Path
from typing import Any

import pytest
import torch
from test_optimizer_yaml import EACH, PATHS, section_and_class
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.optimizers.groups import parameter_groups
from sgdlab.optimizers.traits import Traits
from sgdlab.steps.base import set_rates

HALF = 10
STATELESS = ("sgd", "kiefer_wolfowitz", "signsgd")
"""Whose next step depends on the weights alone, at the YAML's settings."""


def a_model(seed: int) -> nn.Module:
    """Return two matrices, two biases, and the scale and shift of a normalisation layer."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 3))


def optimizer_of(path: Path, model: nn.Module) -> tuple[Optimizer, float]:
    """Build an optimizer as runs do; return its learning rate, too."""
    section, cls = section_and_class(path)
    settings: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in section.items()
    }
    groups = parameter_groups(model, weight_decay=section.get("weight_decay"))
    return cls(groups, **settings), section["lr"]


def train(model: nn.Module, optimizer: Optimizer, lr: float, first: int, count: int) -> None:
    """Make steps on batches that depend on nothing but the step, at a falling rate."""
    for step in range(first, first + count):
        generator = torch.Generator().manual_seed(step)
        x = torch.randn(8, 4, generator=generator)
        y = torch.randint(3, (8,), generator=generator)

        def closure(gradient: bool = True, x: Tensor = x, y: Tensor = y) -> Tensor:
            with torch.set_grad_enabled(gradient):
                loss = nn.functional.cross_entropy(model(x), y)
            if gradient:
                optimizer.zero_grad()
                loss.backward()
            return loss.detach()

        set_rates(optimizer, lr * 0.97**step, None)
        if Traits().seen_in(optimizer).takes_closure:
            optimizer.step(closure)
        else:
            closure()
            optimizer.step()
        optimizer.zero_grad()


def same(some: list[nn.Parameter], others: list[nn.Parameter]) -> list[bool]:
    """Say of each tensor whether it is the same to the last bit."""
    return [torch.equal(p, q) for p, q in zip(some, others, strict=True)]


@EACH
def test_a_saved_state_goes_on_bitwise(path: Path) -> None:
    """Ten steps, a file, ten steps are twenty steps; without the file's state they are not."""
    whole = a_model(0)
    train(whole, *optimizer_of(path, whole), 0, 2 * HALF)

    first = a_model(0)
    optimizer, lr = optimizer_of(path, first)
    train(first, optimizer, lr, 0, HALF)
    file = io.BytesIO()
    torch.save({"model": first.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)

    ends = []
    for loads in (True, False):
        model = a_model(1)
        model.load_state_dict(saved["model"])
        resumed, lr = optimizer_of(path, model)
        if loads:
            resumed.load_state_dict(saved["optimizer"])
        train(model, resumed, lr, HALF, HALF)
        ends.append(list(model.parameters()))
    (resumed_end, forgetful_end), end = ends, list(whole.parameters())
    assert same(resumed_end, end) == [True] * len(end)
    assert same(end, list(a_model(0).parameters())) == [False] * len(end)
    assert all(same(forgetful_end, end)) == (path.stem in STATELESS)


@pytest.mark.parametrize(
    "path", [p for p in PATHS if "pytorch_optimizer" not in p.read_text()], ids=lambda p: p.stem
)
def test_the_state_is_tensors_and_plain_numbers(path: Path) -> None:
    """So that the bytes of the state that a run reports are right; of ours and torch's."""
    model = a_model(0)
    optimizer, lr = optimizer_of(path, model)
    train(model, optimizer, lr, 0, 3)
    for state in optimizer.state.values():
        for key, value in state.items():
            tensors = isinstance(value, list) and all(torch.is_tensor(v) for v in value)
            assert tensors or value is None or isinstance(value, Tensor | int | float), key
