"""Hidden units that pass on nothing of a batch."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from sgdlab.diagnostics.base import Moment, Quantity, Subject

# What is at most 0 where an output is dead, for every kind of activation.
_LIFE: dict[type[nn.Module], Callable[[Any, Tensor], Tensor]] = {
    nn.ReLU: lambda _, y: y,
    nn.ReLU6: lambda _, y: y,
    nn.LeakyReLU: lambda _, y: y.abs(),
    nn.GELU: lambda _, y: y.abs() - 0.01,
    nn.SiLU: lambda _, y: y.abs() - 0.01,
    nn.ELU: lambda module, y: y + 0.99 * module.alpha,
    nn.Tanh: lambda _, y: 0.99 - y.abs(),
    nn.Sigmoid: lambda _, y: 0.99 - (2 * y - 1).abs(),
}


class DeadUnits(Quantity):
    """Share of hidden units that are dead on every example of the update.

    A unit is an output of an activation layer; of a convolution, a channel, dead at all places;
    of ``[examples, tokens, features]`` in a model without Conv1d, a feature, dead at all tokens.
    Dead is::

        relu               y = 0
        gelu, silu         |y| <= .01
        elu                y <= -.99 α
        tanh, sigmoid      |y| >= .99, |2y - 1| >= .99: saturated, the slope is 2 % of the largest

    Such a unit and the weights into it get no gradient, or next to none, from this batch. A leaky
    relu never dies. The outputs are those of the step itself: parameters before the update, the
    same dropout (on CPU), the batch's own statistics. NaN for a model without layers of these
    kinds; functions such as ``torch.relu`` in a ``forward`` are not seen.
    """

    def __init__(self) -> None:
        self._hooks: list[RemovableHandle] = []
        self._seen: list[dict[tuple[int, int], Tensor]] = []

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Find the activation layers; see `Quantity.begin`."""
        self._layers = [
            (module, life)
            for module in subject.model.modules()
            for kind, life in _LIFE.items()
            if isinstance(module, kind)
        ]
        return ("dead_units",)

    def before(self, subject: Subject) -> None:
        """Watch the forward passes of the step that comes; see `Quantity.before`."""
        self._forget()
        if self._layers:
            self._listen(subject.model)

    def measure(self, subject: Subject, moment: Moment) -> list[float]:
        """Return the share; see `Quantity.measure`."""
        if not self._layers:
            return [math.nan]
        count = len(moment.update)
        # Of an optimizer that evaluates again, the first evaluation is that of the row.
        best: dict[tuple[int, int], Tensor] = {}
        for lives in self._seen[:count]:
            for key, life in lives.items():  # a layer may be skipped by chance
                best[key] = torch.maximum(best[key], life) if key in best else life
        self._forget()
        if not best:
            return [math.nan]
        life = torch.cat(list(best.values()))
        return [int((life <= 0).sum()) / len(life)]

    def _listen(self, model: nn.Module) -> None:
        """Note, at each forward pass, what is at most 0 for dead units, by layer."""
        seen = self._seen
        channels_first = any(isinstance(m, nn.Conv1d) for m in model.modules())

        def attend(place: int, life: Callable[[Any, Tensor], Tensor]) -> Any:
            def note(module: nn.Module, _: Any, y: Tensor) -> None:
                if seen:
                    use = sum(1 for key in seen[-1] if key[0] == place)
                    # At once, not the tensor: a layer behind may work in place.
                    seen[-1][place, use] = _by_unit(life(module, y.detach()), channels_first)

            return note

        self._hooks = [model.register_forward_pre_hook(lambda *_: seen.append({}))]
        for place, (module, life) in enumerate(self._layers):
            self._hooks.append(module.register_forward_hook(attend(place, life)))

    def _forget(self) -> None:
        for hook in self._hooks:
            hook.remove()
        self._hooks, self._seen = [], []


def _by_unit(values: Tensor, channels_first: bool) -> Tensor:
    """Return the largest value of each unit, ``[units]``."""
    if values.dim() == 2:
        return values.amax(0)
    last = values.dim() == 1 or (values.dim() == 3 and not channels_first)
    unit = values.dim() - 1 if last else 1
    return values.amax([d for d in range(values.dim()) if d != unit])
