"""A model of many runs at once by its own code: `torch.func` maps its forward pass over them."""

import contextlib
import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, grad_and_value, vmap

from sgdlab.models.outputs import logits_in
from sgdlab.stacked.general import structure
from sgdlab.stacked.general.functions import FunctionMode, Mask, drawn
from sgdlab.stacked.general.loss import GeneralLoss
from sgdlab.stacked.general.words import in_words
from sgdlab.stacked.losses import StackedLoss
from sgdlab.steps.streams import forked


class GeneralModel:
    """Forward and backward pass of many runs of any module: ``vmap(grad(loss ∘ forward))``.

    What vmap refuses cannot be stacked: control flow that depends on values, random numbers other
    than those of `torch.nn.functional.dropout`, buffers that a forward pass replaces. On CPU a
    library may round a batched product by the number of runs, so that the last bits of a run can
    depend on the runs beside it; written-out layers promise that they do not.

    Args:
        module: The model of one run, on CPU; it is copied, since a call puts the weights of runs
            into it, and stacks train on several threads.
    """

    takes_vectors = False
    draws = True
    normalises = True
    written_out = False
    refusal = staticmethod(structure.refusal)
    signature = staticmethod(structure.signature)

    def __init__(self, module: nn.Module) -> None:
        self._original, self._module = module, copy.deepcopy(module)
        self._module.zero_grad()
        self.names = [name for name, _ in module.named_parameters()]
        """Names of all trainable parameters, in the order of every list of them."""
        places = {id(p): name for name, p in module.named_parameters()}
        places |= {id(b): name for name, b in module.named_buffers()}
        whole: Mapping[str, Any] = module.state_dict(keep_vars=True)
        # A tied weight has several names in a state dict, and one among the parameters.
        self._places = {name: places[id(value)] for name, value in whole.items()}
        self._buffers: dict[str, Tensor] = {}
        self._generators: list[Generator] = []
        self._masks: dict[tuple[int, ...], list[Mask]] = {}

    def fresh(self, module: nn.Module | None = None) -> Self:
        """See `ModelForm.fresh`."""
        return type(self)(self._original if module is None else module)

    def inputs(self, x: Tensor) -> Tensor:
        """Return the inputs as they are."""
        return x

    def load(self, states: Sequence[Mapping[str, Tensor]], device: torch.device) -> list[Tensor]:
        """See `ModelForm.load`; buffers that are in no state dict are those of the module."""
        if next(self._module.parameters()).device != device:
            self._module.to(device)

        def stacked(name: str) -> Tensor:
            return torch.stack([state[name] for state in states]).to(device)

        self._buffers = {
            name: stacked(name)
            if name in self._places
            else torch.stack([b.detach()] * len(states)).to(device)
            for name, b in self._original.named_buffers()
        }
        return [stacked(name) for name in self.names]

    def state_dict(self, unpacked: Sequence[Tensor], row: int) -> dict[str, Tensor]:
        """See `ModelForm.state_dict`."""
        values = dict(zip(self.names, unpacked, strict=True)) | self._buffers
        return {name: values[place][row].clone() for name, place in self._places.items()}

    def statistics(self) -> dict[str, Tensor]:
        """See `ModelForm.statistics`."""
        return self._buffers

    def set_statistics(self, values: Sequence[Tensor]) -> None:
        """See `ModelForm.set_statistics`."""
        self._buffers = dict(zip(self._buffers, values, strict=True))

    def unpack(self, values: Sequence[Tensor]) -> list[Tensor]:
        """Return the values: they have the layout of the module."""
        return list(values)

    pack = unpack

    def select(self, rows: Tensor) -> None:
        """See `ModelForm.select`."""
        self._buffers = {n: b.index_select(0, rows) for n, b in self._buffers.items()}

    def set_generators(self, generators: list[Generator]) -> None:
        """See `ModelForm.set_generators`."""
        self._generators = generators

    def _train(self, mode: bool) -> None:
        if self._module.training != mode:
            self._module.train(mode)

    def _call(
        self, params: Sequence[Tensor], buffers: Mapping[str, Tensor], x: Tensor, mode: FunctionMode
    ) -> Any:
        """Return the outputs of one run."""
        own = dict(zip(self.names, params, strict=True)) | dict(buffers)
        with mode:
            return logits_in(functional_call(self._module, own, (x,)))

    def forward(self, params: Sequence[Tensor], x: Tensor) -> Tensor:
        """See `ModelForm.forward`."""
        self._train(False)

        def of_run(params: Sequence[Tensor], buffers: Mapping[str, Tensor], x: Tensor) -> Tensor:
            return self._call(params, buffers, x, FunctionMode(()))

        with in_words():
            return vmap(of_run)(list(params), self._buffers, x.contiguous())

    def refreshed(
        self, params: Sequence[Tensor], batches: Iterable[Tensor]
    ) -> contextlib.AbstractContextManager[None]:
        """See `ModelForm.refreshed`: there are no batch statistics where this is asked for."""
        return contextlib.nullcontext()

    def gradient(
        self,
        params: Sequence[Tensor],
        x: Tensor,
        y: Tensor,
        loss: StackedLoss,
        weight: Tensor | float,
    ) -> tuple[Tensor, list[Tensor]]:
        """See `ModelForm.gradient`; buffers advance in place."""
        assert isinstance(loss, GeneralLoss), "what StackPlanner gives the general form"
        self._train(True)
        masks = [drawn(mask, self._generators, x.device) for mask in self._asked(params, x)]

        def of_run(
            params: list[Tensor],
            buffers: dict[str, Tensor],
            masks: tuple[Tensor, ...],
            x: Tensor,
            y: Tensor,
        ) -> Tensor:
            return loss.of_run(self._call(params, buffers, x, FunctionMode(masks)), y)

        step = vmap(grad_and_value(of_run))
        # Contiguous, or batches that all runs share would be computed by another routine.
        batch = x.contiguous(), y.contiguous()
        with in_words():
            found, value = step(list(params), self._buffers, tuple(masks), *batch)
        whole = isinstance(weight, float) and weight == 1.0
        gradients = _of_their_own(found, [*params, *batch])
        return value, gradients if whole else [_times(g, weight) for g in gradients]

    def _alone(self, params: Sequence[Tensor], x: Tensor, mode: FunctionMode) -> None:
        """Make the forward pass of the first run in training; its buffers stay."""
        self._train(True)
        buffers = {name: b[0].clone() for name, b in self._buffers.items()}
        self._call([p[0] for p in params], buffers, x[0], mode)

    def _asked(self, params: Sequence[Tensor], x: Tensor) -> list[Mask]:
        """Return the masks that a forward pass in training needs, known by the batch's shape."""
        shape = tuple(x.shape[1:])
        if shape not in self._masks:
            mode = FunctionMode(None)
            with torch.no_grad():
                self._alone(params, x, mode)
            self._masks[shape] = mode.asked
        return self._masks[shape]

    def kept_bytes(self, params: Sequence[Tensor], x: Tensor) -> int:
        """See `ModelForm.kept_bytes`: what autograd keeps for one run, times their number."""
        kept: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storage = tensor.untyped_storage()
            kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        own = [p.detach().clone().requires_grad_() for p in params]
        hooks = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with torch.enable_grad(), hooks, forked():
            self._alone(own, x, FunctionMode(None))
        return len(x) * sum(kept.values())


def _of_their_own(gradients: Sequence[Tensor], others: Sequence[Tensor]) -> list[Tensor]:
    """Return gradients, contiguous, that may be changed in place: two biases of a sum share one."""
    taken = {t.untyped_storage().data_ptr() for t in others}
    own: list[Tensor] = []
    for g in gradients:
        g = g.contiguous()
        place = g.untyped_storage().data_ptr()
        own.append(g.clone() if place in taken else g)
        taken.add(place)
    return own


def _times(gradient: Tensor, weight: Tensor | float) -> Tensor:
    if isinstance(weight, Tensor):
        weight = weight.to(gradient.dtype).view(-1, *[1] * (gradient.ndim - 1))
    return gradient.mul_(weight)
