"""Models as users bring them, by whose names configs of tests call them."""

import random
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD

from sgdlab.losses.cross_entropy import CrossEntropy


def _layers(num_outputs: int) -> list[nn.Module]:
    return [nn.Flatten(), nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, num_outputs)]


def plain(num_outputs: int) -> nn.Module:
    return nn.Sequential(*_layers(num_outputs))


def scaled(num_outputs: int, inputs: float, outputs: float) -> nn.Module:
    """Return a model whose first weights and outputs are larger or smaller by factors."""
    model = nn.Sequential(*_layers(num_outputs))
    with torch.no_grad():
        model[1].weight *= inputs
        model[3].weight *= outputs
    return model


def constant_bias(num_outputs: int) -> nn.Module:
    """Return a model with a bias that is a plain tensor, and so no parameter."""
    model = nn.Sequential(*_layers(num_outputs))
    del model[1].bias
    model[1].bias = torch.ones(12, dtype=torch.float64)
    return model


def hidden_hook(num_outputs: int) -> nn.Module:
    """Return a model that drops a gradient where autograd gathers it, not on tensor or module."""
    model = nn.Sequential(*_layers(num_outputs)).double()
    weight = model[1].weight
    gathers = weight.expand_as(weight).grad_fn.next_functions[0][0]
    gathers.register_prehook(lambda gradients: (gradients[0] * 0,))
    model[1].keeps = [gathers]
    return model


def leftover_gradient(num_outputs: int) -> nn.Module:
    """Return a model that was tried once, whose gradient the first step adds to its own."""
    model = nn.Sequential(*_layers(num_outputs))
    model(torch.ones(2, 64)).sum().backward()
    return model


class Projected(nn.Sequential):
    """Has its weights projected after each step."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__(*_layers(num_outputs))

    def project_(self) -> None:
        self[1].weight.clamp_(-0.01, 0.01)


def trained_statistics(num_outputs: int) -> nn.Module:
    """Return a model whose batch norm has seen data before."""
    model = nn.Sequential(*_layers(num_outputs))
    model.insert(2, nn.BatchNorm1d(12, momentum=None))
    model[2].running_mean += 3
    model[2].running_var *= 100
    model[2].num_batches_tracked += 50
    return model


def by_seed(num_outputs: int) -> nn.Module:
    """Return a model whose seed decides more than its weights."""
    layers = _layers(num_outputs)
    layers.insert(3, nn.Dropout(float(torch.rand(()))))
    return nn.Sequential(*layers)


def frozen_by_seed(num_outputs: int) -> nn.Module:
    """Return a model that some seeds freeze."""
    model = nn.Sequential(*_layers(num_outputs))
    model[1].weight.requires_grad_(bool(torch.rand(()) < 0.5))
    return model


def drawing(num_outputs: int) -> nn.Module:
    """Return a model whose constructor takes numbers from Python's generator."""
    random.random()
    return nn.Sequential(*_layers(num_outputs))


class Counting:
    """A schedule that counts its calls instead of reading the step."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        self.calls += 1
        return 1 / self.calls


def pure(step: int, total_steps: int, steps_per_epoch: int) -> float:
    return 1 - step / total_steps


def pure_schedule() -> Callable[[int, int, int], float]:
    return pure


def confident(output: Tensor, target: Tensor) -> Tensor:
    """Return a loss by example, which a product of all outputs of the batch enters, too."""
    alike = (output @ output.T).square().mean(1)
    return nn.functional.cross_entropy(output, target, reduction="none") + 1e-3 * alike


confident.mean_over = "batch"  # type: ignore[attr-defined]


class Annealed(nn.Module):
    """A loss that gets smoother from call to call, so slowly that two steps do not show it."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, output: Tensor, target: Tensor) -> Tensor:
        self.calls += 1
        return nn.functional.cross_entropy(output / (1 + 1e-15 * self.calls), target)


_calls = 0


def counting(output: Tensor, target: Tensor) -> Tensor:
    """Return a loss that counts its calls where it cannot be seen."""
    global _calls
    _calls += 1
    return nn.functional.cross_entropy(output, target)


def noisy(output: Tensor, target: Tensor) -> Tensor:
    """Return a loss of labels with noise in the outputs."""
    return nn.functional.cross_entropy(output + 1e-9 * torch.randn(()), target)


class MyLoss(CrossEntropy):
    """A loss that is another one by inheritance."""

    def __call__(self, output: Tensor, target: Tensor) -> Tensor:
        return 2 * super().__call__(output, target)


class MySGD(SGD):
    """An optimizer that is another one by inheritance."""

    def step(self, closure: Any = None) -> Any:
        return super().step(closure)


def patched(params: Any, lr: float) -> SGD:
    optimizer = SGD(params, lr=lr)
    optimizer.step = lambda closure=None: None  # type: ignore[method-assign]
    return optimizer


def hooked(params: Any, lr: float) -> SGD:
    optimizer = SGD(params, lr=lr)
    optimizer.register_step_post_hook(lambda *_: None)
    return optimizer


def partial(params: Any, lr: float) -> SGD:
    """Return an optimizer that leaves the first weights alone."""
    own = [p for group in params for p in group["params"]]
    return SGD(own[1:], lr=lr)


def starting(params: Any, lr: float) -> SGD:
    """Return an optimizer that halves the weights before the first step."""
    with torch.no_grad():
        for group in params:
            for p in group["params"]:
                p *= 0.5
    return SGD(params, lr=lr)


def clamping(params: Any, lr: float) -> SGD:
    """Return an optimizer that hangs a hook onto what it trains, which seldom acts."""
    for group in params:
        for p in group["params"]:
            p.register_hook(lambda g: g.clamp(-1e9, 1e9))
    return SGD(params, lr=lr)


def warm(params: Any, lr: float) -> SGD:
    """Return an optimizer that starts with a momentum."""
    optimizer = SGD(params, lr=lr, momentum=0.9)
    for group in optimizer.param_groups:
        for p in group["params"]:
            optimizer.state[p]["momentum_buffer"] = torch.ones_like(p)
    return optimizer


class Residual(nn.Module):
    """A branch around two layers, as `Sequential` cannot have it."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 12), nn.Linear(12, num_outputs)
        self.inner, self.norm = nn.Linear(12, 12), nn.BatchNorm1d(12)
        self.drop = nn.Dropout(0.2)

    def branch(self, h: Tensor) -> Tensor:
        return self.drop(torch.nn.functional.gelu(self.inner(self.norm(h))))

    def forward(self, x: Tensor) -> Tensor:
        h = self.first(x.flatten(1))
        return self.last(h + self.branch(h))


class Jittered(Residual):
    """Adds noise of its own in training."""

    def branch(self, h: Tensor) -> Tensor:
        return super().branch(h) + (0.1 * torch.randn_like(h) if self.training else 0)


class Branching(Residual):
    """Looks at values to choose what it computes."""

    def branch(self, h: Tensor) -> Tensor:
        return super().branch(h) if h.mean() > 0 else h


class Skipping(Residual):
    """Leaves its branch out by Python's generator, so seldom that no step shows it."""

    def branch(self, h: Tensor) -> Tensor:
        return super().branch(h) * (0 if self.training and random.random() < 1e-12 else 1)


class Remembering(Residual):
    """Puts a new tensor in the place of a buffer."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__(num_outputs)
        self.register_buffer("mean", torch.zeros(12))

    def branch(self, h: Tensor) -> Tensor:
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * h.detach().mean(0)
        return super().branch(h)


class Numbered(Residual):
    """Counts its calls."""

    calls = 0

    def branch(self, h: Tensor) -> Tensor:
        self.calls = self.calls + 1
        return super().branch(h)


class Averaging(Residual):
    """Updates a buffer in place."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__(num_outputs)
        self.register_buffer("mean", torch.zeros(12))

    def branch(self, h: Tensor) -> Tensor:
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * h.detach().mean(0))
        return super().branch(h) - self.mean


class Random(Residual):
    """Has a tensor that the seed draws and no state dict holds."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__(num_outputs)
        self.register_buffer("fixed", torch.randn(12), persistent=False)


class Tied(nn.Module):
    """Reads with the weights that it writes with, under two names."""

    def __init__(self, num_outputs: int) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(64, 64), nn.Linear(64, num_outputs)
        self.again = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.last(torch.tanh(self.again(torch.tanh(self.first(x.flatten(1))))))
