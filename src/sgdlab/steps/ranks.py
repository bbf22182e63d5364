"""The processes that train one run together, and what they tell each other."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from sgdlab.signals import Lost
from sgdlab.steps.reduction import Reduction, buckets
from sgdlab.steps.synced_norm import over

SENT, STALENESS = "sent_bytes", "staleness"


class Ranks:
    """This process among those of a run.

    Every process has the same weights and its part of every micro-batch. Gradients are summed once
    for an update, after its last micro-batch, each weighted by what its examples count among those
    of all; so the sum is the gradient of one process with the whole batch, whatever a process's
    part counts, and if it has none.

    That is why there is no `DistributedDataParallel`, which takes the plain mean over processes of
    what one wrapped module has made: a loss with parameters of its own, a user's step that asks
    the model for more than ``forward``, an optimizer that evaluates as often as it likes, and a
    process whose part is empty would each be left out or hang. What it is faster by, gradients
    that are sent while others are computed, is missing.

    Args:
        control: Carries numbers and objects, between CPUs.
        data: Carries tensors, between the devices of the run.
        reduction: Sums gradients.
        lost: Called with what failed where another process cannot be reached; returns which.
    """

    def __init__(
        self,
        control: dist.ProcessGroup,
        data: dist.ProcessGroup,
        reduction: Reduction,
        lost: Callable[[BaseException], Lost],
    ) -> None:
        self._control, self._data, self._lost = control, data, lost
        self.reduction = reduction
        self.devices = data
        """What carries tensors between the devices of the run."""
        self.rank, self.size = control.rank(), control.size()
        self.wants_pause: Callable[[], bool] = lambda: False
        """Asked in every step whether this process has something else to do after it."""
        self.pause = False
        """Whether some process had, in a step since this was last set to false."""
        self.begun = False
        """Whether rank 0 has told the others how to begin."""
        self.sent = 0
        """Bytes of gradients that this process has handed over in the last update."""
        self.lockstep = True
        """Whether all make every step together; if not, rank 0 is the server of the others."""
        self.staleness, self.examples = 0, 0
        """Of a server: how late the last gradient was, in updates, and of how many examples."""
        self.end: Callable[[], None] = lambda: None
        """Called when rank 0 makes no more steps, however that came."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of ``steps.csv`` that a run of several processes has."""
        return (SENT,) if self.lockstep else (SENT, STALENESS)

    def cells(self) -> tuple[int, ...]:
        """Return what stands there of the last update."""
        return (self.sent,) if self.lockstep else (self.sent, self.staleness)

    @contextlib.contextmanager
    def leaving(self) -> Iterator[None]:
        """Let processes that wait for this one go when the block ends, unless one of them is lost.

        A server that cannot reach a worker has no word for the others: they end by themselves.
        """
        try:
            with self.reaching_all():
                yield
        except Lost:
            raise
        except BaseException:
            self.end()
            raise
        self.end()

    @contextlib.contextmanager
    def reaching_all(self) -> Iterator[None]:
        """Say which process is lost where torch's own messages in the block break off.

        Those of a model in parts are sent within its passes, not by this class: without it a killed
        process would end the run as failed, and nothing would go on from its checkpoint.
        """
        try:
            yield
        except RuntimeError as error:
            if not _is_of_a_connection(error):
                raise
            raise self._lost(error) from error

    @contextlib.contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            raise self._lost(error) from error

    @contextlib.contextmanager
    def within_a_step(self) -> Iterator[None]:
        """Let batch norms take their statistics over all processes in the block."""
        with over(self._all_reduce):
            yield

    def _all_reduce(self, tensor: Tensor) -> None:
        with self._reaching():
            dist.all_reduce(tensor, group=self._data)

    def total(self, own: float) -> float:
        """Return the sum over all processes of what their parts of an update count."""
        return self.totals([own])[0]

    def totals(self, own: Sequence[float]) -> list[float]:
        """Return the sums over all processes of numbers of a step."""
        told = torch.tensor([*own, float(self.wants_pause())], dtype=torch.float64)
        with self._reaching():
            dist.all_reduce(told, group=self._control)
        *whole, pauses = told.tolist()
        self.pause = self.pause or pauses > 0
        return whole

    @torch.no_grad()
    def means(self, tensors: Sequence[Tensor], weight: float) -> list[Tensor]:
        """Return ``Σ_k w_k x_k`` over the processes ``k``, new tensors.

        Of whole numbers it is the largest.

        Args:
            tensors: Those of this process; the others have as many, of the same kinds and shapes.
            weight: That of this process, ``w_k``; those of all add up to 1.
        """
        broken = [t.is_floating_point() or t.is_complex() for t in tensors]
        whole = iter(self.largest([t for t, one in zip(tensors, broken, strict=True) if not one]))
        found = [
            t.detach().clone() if one else next(whole)
            for t, one in zip(tensors, broken, strict=True)
        ]
        with self._reaching():
            for bucket in buckets([t for t, one in zip(found, broken, strict=True) if one]):
                # What does not count need not be finite, as in a mask.
                flat = bucket.buffer().mul_(weight) if weight else bucket.buffer().zero_()
                dist.all_reduce(flat, group=self._between(flat))
                self.sent += flat.numel() * flat.element_size()
                bucket.put_back(flat)
        return found

    @torch.no_grad()
    def largest(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """Return the largest of each tensor over the processes, new tensors; see `means`."""
        found = [t.detach().clone() for t in tensors]
        with self._reaching():
            for t in found:
                wide = t.int() if t.dtype == torch.int16 else t  # which gloo and NCCL lack
                dist.all_reduce(wide, dist.ReduceOp.MAX, group=self._between(t))
                t.copy_(wide)
                self.sent += wide.numel() * wide.element_size()
        return found

    def _between(self, tensor: Tensor) -> dist.ProcessGroup:
        """Return what carries a tensor: some that are kept with weights on a GPU are on the CPU."""
        return self._control if tensor.device.type == "cpu" else self._data

    def whole(self, value: Tensor) -> Tensor:
        """Return a number of a step in one piece: here it is."""
        return value

    def sum(self, value: Tensor) -> Tensor:
        """Return the sum of a tensor over all processes."""
        total = value.detach().double()
        self._all_reduce(total)
        return total.to(value.dtype)

    def sum_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Replace the gradients of parameters by their sums over all processes.

        One that no process has stays None: optimizers leave its parameter alone.
        """
        found = torch.tensor([p.grad is not None for p in parameters], dtype=torch.uint8)
        with self._reaching():
            dist.all_reduce(found, dist.ReduceOp.MAX, group=self._control)
            there = [p for p, has in zip(parameters, found.tolist(), strict=True) if has]
            for p in there:
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
            with torch.no_grad():
                self.sent = self.reduction.sum(p.grad for p in there if p.grad is not None)

    def send(self, tensor: Tensor, to: int) -> None:
        """Send a tensor to another process."""
        with self._reaching():
            dist.send(tensor, to, group=self._between(tensor))

    def receive(self, tensor: Tensor, sender: int) -> Tensor:
        """Fill a tensor with what a process sends, and return it."""
        with self._reaching():
            dist.recv(tensor, sender, group=self._between(tensor))
        return tensor

    def receive_any(self, tensor: Tensor) -> tuple[Tensor, int]:
        """Fill a tensor on the CPU with what comes first; return it, and which process sent it."""
        with self._reaching():
            return tensor, dist.recv(tensor, group=self._control)

    def broadcast(self, value: Any = None) -> Any:
        """Return in every process what rank 0 has given."""
        held = [value]
        with self._reaching():
            dist.broadcast_object_list(held, group_src=0, group=self._control)
        return held[0]

    def gather(self, value: Any) -> list[Any]:
        """Return in every process what all have given, by rank."""
        found: list[Any] = [None] * self.size
        with self._reaching():
            dist.all_gather_object(found, value, group=self._control)
        return found


def _is_of_a_connection(error: RuntimeError) -> bool:
    return isinstance(error, dist.DistError) or "gloo/transport" in str(error)
