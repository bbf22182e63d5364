"""A graph of several steps of a stack, made once for all stacks of one shape."""

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.stacked.batches import Micro
from sgdlab.stacked.form import ModelForm
from sgdlab.stacked.rules.base import Coefficients, State
from sgdlab.stacked.update import Advance

Graph = Callable[..., Sequence[Tensor]]


@dataclass(frozen=True)
class Form:
    """What a graph is made for; all else are numbers that it is given.

    Attributes:
        steps: The sizes of the micro-batches of each step.
        slots: The state tensors of each parameter.
        statistics: The running statistics of the layers, in all.
        class_of: The class of coefficients of each parameter.
        names: The names of the coefficients of each class.
        ndims: The dimensions of the parameters of each class.
        clips: Whether any run clips.
    """

    steps: tuple[tuple[int, ...], ...]
    slots: tuple[int, ...]
    statistics: int
    class_of: tuple[int, ...]
    names: tuple[tuple[str, ...], ...]
    ndims: tuple[int, ...]
    clips: bool

    @property
    def examples(self) -> int:
        """The examples of all steps."""
        return sum(map(sum, self.steps))


@dataclass
class Between:
    """What a stack has between two steps.

    Attributes:
        params: The stacked parameters.
        slots: The states of the optimizer, for each parameter.
        statistics: The running statistics of the layers, in the order of the model.
    """

    params: list[Tensor]
    slots: list[State]
    statistics: list[Tensor]

    def flat(self) -> list[Tensor]:
        """Return all tensors in one list."""
        return [*self.params, *(slot for own in self.slots for slot in own), *self.statistics]


def split(form: Form, flat: Sequence[Tensor]) -> tuple[Between, list[Tensor]]:
    """Undo `Between.flat`; return what follows in the list, too."""
    values = iter(flat)
    params = [next(values) for _ in form.class_of]
    slots = [tuple(next(values) for _ in range(count)) for count in form.slots]
    return Between(params, slots, [next(values) for _ in range(form.statistics)]), list(values)


class Steps(nn.Module):
    """The steps of a form as a function of a flat list of tensors, which a tracer can follow.

    It takes what `Between.flat` gives, inputs and targets of the training split, the order of the
    examples of these steps ``[R, n]``, the largest norms ``[R]`` where runs clip, and for each
    class its coefficients ``[names, steps, R]``. It returns what `Between.flat` gives after the
    steps, and losses, norms and, where runs clip, factors, each ``[steps, R]``.

    Args:
        form: The form.
        model: A stacked model that nothing else uses: its statistics are set.
        advance: One update by that model.
    """

    def __init__(self, form: Form, model: ModelForm, advance: Advance) -> None:
        super().__init__()
        self._form, self._model, self._advance = form, model, advance

    def forward(self, *flat: Tensor) -> list[Tensor]:
        """Make the steps."""
        form = self._form
        now, (x, y, order, *numbers) = split(form, flat)
        clip = numbers.pop(0) if form.clips else None
        self._model.set_statistics(now.statistics)
        params, slots = now.params, now.slots
        made: list[list[Tensor]] = []
        start = 0
        for step, sizes in enumerate(form.steps):
            micros: list[Micro] = []
            for size in sizes:
                index = order[:, start : start + size].reshape(-1)
                rows = (len(order), size)
                inputs, targets = (s.index_select(0, index).unflatten(0, rows) for s in (x, y))
                micros.append((inputs, targets, size / sum(sizes)))
                start += size
            coefficients: list[Coefficients] = [
                {name: table[i, step].view(-1, *[1] * ndim) for i, name in enumerate(names)}
                for names, table, ndim in zip(form.names, numbers, form.ndims, strict=True)
            ]
            params, slots, *measured = self._advance(params, slots, micros, clip, coefficients)
            made.append([value for value in measured if value is not None])
        after = Between(params, slots, list(self._model.statistics().values()))
        return [*after.flat(), *(torch.stack(values) for values in zip(*made, strict=True))]


@functools.cache
def has_compiler() -> bool:
    """Say whether torch finds a C++ compiler."""
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        return bool(get_cpp_compiler())
    except Exception:  # whatever it raises where there is none
        return False


def compiled(steps: Steps, flat: Sequence[Tensor]) -> Graph:
    """Return compiled code of some steps, which lets other threads run while it does.

    Torch's own cache on disk keeps it, so that the next process has it within seconds.

    Args:
        steps: The steps.
        flat: Their arguments, for their shapes.
    """
    import torch._inductor as inductor

    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler to its own authors
        traced: Any = torch.export.export(steps, tuple(flat), strict=False)
        # Code that is C++ throughout neither holds Python's lock nor pays for calls from Python.
        options: Any = {"config_patches": {"cpp_wrapper": True}}
        return inductor.standalone_compile(traced.graph_module, list(flat), options=options)
