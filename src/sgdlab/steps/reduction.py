"""The sum of gradients over processes, whole or rounded on the way."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors

_BUCKET = 25 * 2**20
"""Bytes that are sent at once, as in torch's DistributedDataParallel."""
_WHOLE_STEPS = 10
"""Steps before PowerSGD begins: the first gradients are far from low rank."""


class Bucket:
    """Gradients of one type that are sent at once; what torch's communication hooks ask of one.

    Args:
        index: Its number in the step.
        gradients: The gradients, which `put_back` changes.
        last: Whether it is the last of the step.
    """

    def __init__(self, index: int, gradients: list[Tensor], last: bool) -> None:
        self._index, self._own, self._last = index, gradients, last
        self._flat = _flatten_dense_tensors(gradients)
        self._views = [
            view if view.ndim else view.view(1)
            for view in _unflatten_dense_tensors(self._flat, gradients)
        ]

    def index(self) -> int:
        """Return the number of the bucket in the step."""
        return self._index

    def is_last(self) -> bool:
        """Say whether it is the last of the step."""
        return self._last

    def buffer(self) -> Tensor:
        """Return all gradients as one vector."""
        return self._flat

    def gradients(self) -> list[Tensor]:
        """Return the gradients as views of the vector."""
        return self._views

    def put_back(self, vector: Tensor) -> None:
        """Give the gradients the values of a vector."""
        for own, value in zip(self._own, _unflatten_dense_tensors(vector, self._own), strict=True):
            own.copy_(value)


class Reduction:
    """Sums gradients over the processes of a group: ``g = Σ_k g_k``.

    With a compression ``Q`` it is torch's communication hook of that name, which makes a mean,
    ``g = W · hook(W · g_k) / W``: ``fp16`` and ``bf16`` round what is sent; ``powersgd`` sends
    matrices of a low rank after the first 10 steps, and adds what that has lost to the gradients
    of the next step (Vogels, Karimireddy & Jaggi 2019).

    Args:
        group: The processes.
        compression: ``none``, ``fp16``, ``bf16`` or ``powersgd``.
        rank: The rank of the matrices.
    """

    def __init__(self, group: dist.ProcessGroup, compression: str = "none", rank: int = 1) -> None:
        from torch.distributed.algorithms.ddp_comm_hooks import (  # few runs need it
            default_hooks,
            powerSGD_hook,
        )

        self._group, self._size = group, group.size()
        self._low_rank: Any = None
        if compression == "powersgd":
            self._low_rank = powerSGD_hook.PowerSGDState(
                group, rank, start_powerSGD_iter=_WHOLE_STEPS
            )
        self._hook: Callable[[Any, Any], Any] | None = {
            "none": None,
            "fp16": default_hooks.fp16_compress_hook,
            "bf16": default_hooks.bf16_compress_hook,
            "powersgd": powerSGD_hook.powerSGD_hook,
        }[compression]
        self._bytes = {"fp16": 2, "bf16": 2}.get(compression)

    def sum(self, gradients: Iterable[Tensor]) -> int:
        """Replace gradients by their sums; return the bytes that this process has handed over."""
        sent = 0
        for bucket in buckets(list(gradients)):
            flat = bucket.buffer()
            if self._hook is None:
                dist.all_reduce(flat, group=self._group)
                sent += flat.numel() * flat.element_size()
                bucket.put_back(flat)
                continue
            flat.mul_(self._size)  # the hooks divide, and half precision ends at 6e-8
            state, before = self._low_rank or self._group, self._numbers_sent()
            found = self._hook(state, bucket).wait()
            found = found[0] if isinstance(found, list) else found
            numbers = self._numbers_sent() - before or flat.numel()
            sent += numbers * (self._bytes or flat.element_size())
            bucket.put_back(found)
        return sent

    def _numbers_sent(self) -> int:
        return 0 if self._low_rank is None else self._low_rank.total_numel_after_compression

    def state_dict(self) -> dict[str, Any]:
        """Return what a resumed run needs: of low rank its errors and matrices, else nothing."""
        low = self._low_rank
        if low is None:
            return {}
        return {
            "iter": low.iter,
            **{name: dict(getattr(low, name)) for name in _TENSORS},
        }

    def load_state_dict(self, state: dict[str, Any], device: torch.device) -> None:
        """Restore what `state_dict` returned."""
        if self._low_rank is None or not state:
            return
        self._low_rank.iter = state["iter"]
        for name in _TENSORS:
            setattr(self._low_rank, name, {k: t.to(device) for k, t in state[name].items()})


_TENSORS = ("error_dict", "p_memory_dict", "q_memory_dict")


def buckets(gradients: list[Tensor]) -> Iterator[Bucket]:
    """Yield tensors of one device as what is sent at once, by type and size."""
    parts: list[list[Tensor]] = []
    room: dict[torch.dtype, tuple[list[Tensor], int]] = {}
    for gradient in gradients:
        part, taken = room.get(gradient.dtype, ([], _BUCKET))
        size = gradient.numel() * gradient.element_size()
        if taken + size > _BUCKET:
            part, taken = [], 0
            parts.append(part)
        part.append(gradient)
        room[gradient.dtype] = part, taken + size
    for index, part in enumerate(parts):
        yield Bucket(index, part, index == len(parts) - 1)
