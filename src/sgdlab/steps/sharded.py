"""Weights, gradients and optimizer state in parts over the processes, by torch's `fully_shard`."""

import copy
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, distribute_tensor
from torch.optim import Optimizer

from sgdlab.errors import InputError, one_line
from sgdlab.optimizers.state import load_exactly

_SUMS = "set_force_sum_reduction_for_comms"


class Shards:
    """A model that each of ``W`` processes has a ``W``-th part of, and its optimizer.

    Each element of a `torch.nn.ModuleList` or `torch.nn.Sequential` is gathered when it is needed
    and dropped again; the rest of the model stays whole from the forward pass to the backward pass
    (ZeRO stage 3, Rajbhandari et al. 2020; Zhao et al. 2023). Gradients are summed over processes
    as they are made, ``g = Σ_k g_k``, and each process steps with its part of them.

    Whoever evaluates or saves has to have the weights in one piece: `show` gathers them in rank 0,
    which keeps a whole model for that, without gradients and optimizer state.

    Args:
        model: The model, whole and the same in every process; its parameters are replaced.
        optimizer: Its optimizer, whose groups and state follow.
        group: The processes.
        shows: Whether this process has the whole model, too.

    Raises:
        InputError: This torch cannot sum the gradients, or the optimizer needs whole weights.
    """

    def __init__(
        self, model: nn.Module, optimizer: Optimizer, group: dist.ProcessGroup, shows: bool
    ) -> None:
        if not hasattr(FSDPModule, _SUMS):
            raise InputError(
                f"distributed.strategy=fsdp: torch {torch.__version__} has no FSDPModule.{_SUMS}; "
                "update torch, or take strategy=ddp"
            )
        self.whole = copy.deepcopy(model) if shows else copy.deepcopy(model).to("meta")
        self.model, self._optimizer, self._shows = model, optimizer, shows
        names = {id(p): name for name, p in model.named_parameters()}
        device = next(model.parameters()).device.type
        self._mesh = DeviceMesh.from_group(group, device)
        parts = [*_units(model), model]
        for part in parts:
            fully_shard(part, mesh=self._mesh)
        for part in model.modules():
            if isinstance(part, FSDPModule):
                part.set_gradient_divide_factor(1.0)
                part.set_force_sum_reduction_for_comms(True)
        self._follow({old: dict(model.named_parameters())[name] for old, name in names.items()})
        self._try_steps()
        self.bytes = self._traffic(parts)
        """What a process hands over for one micro-batch: gradients whole, its part of weights."""
        self.passes = 0
        """Forward passes of training since this was last set to 0."""
        model.register_forward_pre_hook(self._count)
        self._shown = True
        model.train()

    def _try_steps(self) -> None:
        """Refuse an optimizer whose arithmetic torch does not know for weights in parts."""
        trial = copy.deepcopy(self._optimizer)
        vars(trial).update({**vars(self._optimizer), **vars(trial)})  # copies have the state alone
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                for _ in range(2):  # the first makes the state
                    for group in trial.param_groups:
                        for p in group["params"]:
                            p.grad = torch.full_like(p, 1e-3)
                    trial.step()
        except Exception as error:
            raise InputError(
                f"distributed.strategy=fsdp: {type(trial).__name__} does not step with weights in "
                f"parts ({type(error).__name__}: {one_line(error)[:120]}); take another optimizer, "
                "such as adamw or momentum, or strategy=ddp"
            ) from error

    def _count(self, *_: Any) -> None:
        self.passes += torch.is_grad_enabled()

    def _follow(self, sharded: Mapping[int, nn.Parameter]) -> None:
        """Let the optimizer have the sharded parameters, by the ids of those that they were."""
        for group in self._optimizer.param_groups:
            group["params"] = [sharded[id(p)] for p in group["params"]]
        state = list(self._optimizer.state.items())
        self._optimizer.state.clear()
        for old, values in state:  # some prepare it before the first step
            new = sharded[id(old)]
            self._optimizer.state[new] = {
                key: self._part(value, _place(value, new)) for key, value in values.items()
            }

    def _traffic(self, parts: Sequence[nn.Module]) -> int:
        seen, total = set[int](), 0
        for part in parts:
            times = 1 if part is self.model else 2
            for p in part.parameters():
                if id(p) in seen or not isinstance(p, DTensor):
                    continue
                seen.add(id(p))
                own = times * p.to_local().numel() + (p.numel() if p.requires_grad else 0)
                total += own * p.element_size()
        return total

    def _part(self, value: Any, place: int | None) -> Any:
        """Return this process's part of a whole tensor, along a dimension; None: it has all."""
        if not isinstance(value, Tensor) or isinstance(value, DTensor) or place is None:
            return value
        where = Replicate() if place < 0 else Shard(place)
        device = torch.device(self._mesh.device_type)
        return distribute_tensor(value.detach().to(device), self._mesh, [where])

    def changed(self) -> None:
        """Take note of an update: what `show` has gathered is old."""
        self._shown = False

    @torch.no_grad()
    def show(self) -> None:
        """Put the weights and buffers into `whole`; all processes call it at the same steps."""
        if self._shown:
            return
        self._shown = True
        places = dict(self.whole.named_parameters())
        for name, p in self.model.named_parameters():
            full = p.full_tensor() if isinstance(p, DTensor) else p
            if self._shows:
                places[name].copy_(full)
        if self._shows:
            for place, buffer in zip(self.whole.buffers(), self.model.buffers(), strict=True):
                place.copy_(buffer)

    def gathered(self) -> dict[str, Any]:
        """Return the optimizer's ``state_dict()`` in one piece, the weights shown, too.

        All processes call it at the same steps. ``places`` has the dimensions along which its
        tensors are in parts, -1 for those that each process has.
        """
        self.show()
        state = self._optimizer.state_dict()
        whole: dict[int, dict[str, Any]] = {}
        places: dict[int, dict[str, int]] = {}
        for number, values in state["state"].items():
            whole[number], places[number] = {}, {}
            for key, value in values.items():
                if isinstance(value, DTensor):
                    (kind,) = value.placements
                    places[number][key] = kind.dim if isinstance(kind, Shard) else -1
                    value = value.full_tensor()
                whole[number][key] = value
        return {**state, "state": whole, "places": places}

    @torch.no_grad()
    def load(self, weights: Mapping[str, Any], optimizer: Mapping[str, Any]) -> None:
        """Restore what `whole` and `gathered` had, each process its part."""
        for name, p in [*self.model.named_parameters(), *self.model.named_buffers()]:
            if isinstance(p, DTensor):
                p.to_local().copy_(self._part(weights[name], _dimension(p)).to_local())
            else:
                p.copy_(weights[name])
        places = optimizer["places"]
        parts = {
            number: {
                key: self._part(value, places[number].get(key)) for key, value in values.items()
            }
            for number, values in optimizer["state"].items()
        }
        load_exactly(self._optimizer, {"state": parts, "param_groups": optimizer["param_groups"]})
        self._shown = False
        self.show()


def _dimension(p: DTensor) -> int:
    (kind,) = p.placements
    return kind.dim if isinstance(kind, Shard) else -1


def _place(value: Any, p: Tensor) -> int | None:
    """Return along which dimension a state of a parameter is in parts: as the parameter is."""
    alike = isinstance(value, Tensor) and isinstance(p, DTensor) and value.shape == p.shape
    return _dimension(p) if alike and value.ndim else None  # type: ignore[arg-type]


def _units(model: nn.Module) -> Iterator[nn.Module]:
    """Yield the parts of a model that are gathered one at a time, the outermost.

    What shares a parameter with other parts is none of them.
    """
    whole = Counter(id(p) for _, p in model.named_parameters(remove_duplicate=False))
    taken = set[int]()
    for container in model.modules():
        if not isinstance(container, nn.ModuleList | nn.Sequential) or id(container) in taken:
            continue
        for child in container:
            own = Counter(id(p) for _, p in child.named_parameters(remove_duplicate=False))
            if own and id(child) not in taken and all(whole[p] == n for p, n in own.items()):
                yield child
                taken.update(id(module) for module in child.modules())
