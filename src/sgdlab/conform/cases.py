"""What two optimizers are tried on: a small network, its gradients, and what is done to them.

All numbers are float64. The gradients of a case are recorded once, along a plain descent that has
nothing to do with either optimizer, so that both see the same ones whatever they do with them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Gradients = dict[str, Tensor | None]
Change = Callable[[int, Gradients], Gradients]

_TOKENS, _WIDTH, _IMAGE, _HIDDEN, _EXAMPLES = 6, 4, 3, 4, 8


class ConformNet(nn.Module):
    """An embedding and a convolution, a hidden layer, a scalar, and an output layer.

    The last one may be the embedding's own table (tied weights). Outputs are ``_TOKENS`` logits.

    Args:
        tied: Whether the output layer is the table of the embedding.
    """

    def __init__(self, tied: bool = False) -> None:
        super().__init__()
        self.table = nn.Embedding(_TOKENS, _WIDTH)
        self.kernel = nn.Conv2d(1, 2, 2)
        self.hidden = nn.Linear(_WIDTH + 2 * (_IMAGE - 1) ** 2, _HIDDEN)
        self.scale = nn.Parameter(torch.tensor(1.3))
        self.output = nn.Linear(_HIDDEN, _TOKENS, bias=False)
        if tied:
            self.output.weight = self.table.weight

    def forward(self, x: Tensor) -> Tensor:
        """Return logits ``[N, 6]`` of ``x`` ``[N, 2 + 9]``: two tokens, then an image of 3 × 3."""
        tokens, image = x[:, :2].long(), x[:, 2:].reshape(-1, 1, _IMAGE, _IMAGE)
        features = [self.table(tokens).mean(1), self.kernel(image).flatten(1)]
        return self.output(self.scale * torch.tanh(self.hidden(torch.cat(features, 1))))


@dataclass(frozen=True)
class ConformCase:
    """One way of trying two optimizers.

    Attributes:
        name: What is tried.
        decays: Whether there is weight decay.
        tied: Whether weights of the network are tied.
        factors: What the rate of each step is multiplied by.
        change: What is done to the gradients of a step before the optimizers see them.
        gradients: Those of every step, by name of the tensor; None where there is none.
    """

    name: str
    decays: bool
    tied: bool
    factors: tuple[float, ...]
    change: Change
    gradients: tuple[Gradients, ...] = ()

    def model(self) -> ConformNet:
        """Return the network with its initial weights, the same at every call."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(7)
            return ConformNet(self.tied)

    def fill(self, model: nn.Module, step: int, gradient: bool = True) -> Tensor:
        """Put the gradients of a step at the weights of ``model`` into it; return the loss."""
        x, y = batch(step)
        with torch.set_grad_enabled(gradient):
            loss = F.cross_entropy(cast(Tensor, model(x)), y)
        if gradient:
            named = {name: p for name, p in model.named_parameters() if p.requires_grad}
            found = torch.autograd.grad(loss, list(named.values()))
            self.put(model, self.change(step, dict(zip(named, found, strict=True))))
        return loss.detach()

    @staticmethod
    def put(model: nn.Module, gradients: Mapping[str, Tensor | None]) -> None:
        """Put copies of gradients into ``model``; some optimizers write into them."""
        for name, p in model.named_parameters():
            g = gradients.get(name)
            p.grad = None if g is None or not p.requires_grad else g.clone()


@contextmanager
def in_float64() -> Iterator[None]:
    """Make float64 the type of new tensors, so that state of optimizers has it, too."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def cases(steps: int) -> list[ConformCase]:
    """Return all cases, gradients recorded; call it `in_float64`."""
    one = (1.0,) * steps
    waves = tuple(_schedule(step, steps) for step in range(steps))
    made = [
        ConformCase("no decay", False, False, one, _same),
        ConformCase("decay", True, False, one, _same),
        ConformCase("schedule", False, False, waves, _same),
        ConformCase("decay, schedule", True, False, waves, _same),
        ConformCase("large gradients", False, False, one, _times(100.0)),
        ConformCase("small gradients", False, False, one, _times(1e-4)),
        ConformCase("clipped gradients", True, False, one, _clipped),
        ConformCase("zero gradients", False, False, one, _zero),
        ConformCase("no gradients", True, False, one, _absent),
        ConformCase("tied weights", True, True, one, _same),
    ]
    return [_recorded(case) for case in made]


def _recorded(case: ConformCase) -> ConformCase:
    model, found = case.model(), []
    for step in range(len(case.factors)):
        case.fill(model, step)
        found.append({name: p.grad for name, p in model.named_parameters()})
        with torch.no_grad():
            for p in model.parameters():
                if p.grad is not None:
                    p.sub_(0.1 * p.grad / (1 + p.grad.norm()))
    return ConformCase(case.name, case.decays, case.tied, case.factors, case.change, tuple(found))


def batch(step: int) -> tuple[Tensor, Tensor]:
    """Return inputs and labels of a step."""
    generator = torch.Generator().manual_seed(100 + step)
    tokens = torch.randint(_TOKENS - 1, (_EXAMPLES, 2), generator=generator).double()
    image = torch.randn(_EXAMPLES, _IMAGE**2, generator=generator, dtype=torch.float64)
    y = torch.randint(_TOKENS, (_EXAMPLES,), generator=generator)
    return torch.cat([tokens, image], 1), y


def _schedule(step: int, steps: int) -> float:
    """Return a warm-up over a quarter of the steps, a plateau, and a drop by ten half-way."""
    warm = max(steps // 4, 1)
    return min((step + 1) / warm, 1.0) * (0.1 if step >= steps // 2 else 1.0)


def _same(_: int, gradients: Gradients) -> Gradients:
    return gradients


def _times(factor: float) -> Change:
    return lambda _, gs: {name: None if g is None else factor * g for name, g in gs.items()}


def _clipped(_: int, gradients: Gradients) -> Gradients:
    """Clip the global norm to 0.1, as a loop with ``clip_norm=0.1`` does."""
    norm = _norm([g for g in gradients.values() if g is not None])
    return _times(min(1.0, 0.1 / norm))(0, gradients)


def _norm(tensors: Sequence[Tensor]) -> float:
    return float(torch.stack([t.norm() for t in tensors]).norm())


def _zero(step: int, gradients: Gradients) -> Gradients:
    """Let the hidden layer have zeros in every third step, and the scalar from the first on."""
    return {
        name: torch.zeros_like(g)
        if g is not None
        and (("hidden" in name and step % 3 == 1) or (name == "scale" and step < 4))
        else g
        for name, g in gradients.items()
    }


def _absent(step: int, gradients: Gradients) -> Gradients:
    """Let the kernel have no gradient at all in every third step, and the bias in the first."""
    return {
        name: None
        if (name == "kernel.weight" and step % 3 == 1) or (name == "hidden.bias" and step < 2)
        else g
        for name, g in gradients.items()
    }
