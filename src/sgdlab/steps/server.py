"""Asynchronous SGD by processes: a parameter server, and workers that send it gradients."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._utils import _flatten_dense_tensors, _unflatten_dense_tensors
from torch.optim import Optimizer

from sgdlab.steps.base import MicroBatches, StepValues, set_rates
from sgdlab.steps.buffers import take_change
from sgdlab.steps.objective import Objective
from sgdlab.steps.plain import PlainUpdate
from sgdlab.steps.ranks import Ranks

_STOP = -1
"""Sent in the place of the number of an update: there is no more to do."""


class Pushed(NamedTuple):
    """What a worker has sent.

    Attributes:
        loss: The loss of its batch at the parameters that it had.
        examples: The examples of the batch.
        gradients: By parameter; None where the batch has none.
        buffers: The buffers of the model as its forward passes have left them.
    """

    loss: float
    examples: int
    gradients: list[Tensor | None]
    buffers: list[Tensor]


class Work(NamedTuple):
    """What a worker is busy with: the number of an update, and the updates made when it began."""

    index: int
    version: int


@dataclass
class ServerUpdate:
    """Update ``t`` applies the next gradient that arrives: ``θ_{t+1} = θ_t - lr · g(θ_{t-d_t})``.

    Every worker takes the newest parameters and the next batch of the run's order, and sends back
    the gradient; ``d_t``, how many updates were made meanwhile, is what it came to on this machine,
    this time: it is measured, and `sgdlab.steps.stale.StaleUpdate` simulates given ones. Every
    batch is applied once, in the order of arrival.

    With a bound ``s`` on ``d_t`` a worker is given a batch only while at most ``s`` others are
    out, and a gradient waits while applying it would make one that is still out too late (as in
    stale synchronous parallel, Ho et al. 2013); ``s = 0`` is one process.

    The logged loss is the worker's, at the parameters that it had.

    Attributes:
        objective: What is minimised; the server clips, and holds the parameters.
        optimizer: An optimizer that takes one gradient a step.
        correct_lr: Whether the rate is divided by ``max(1, d_t)`` (Zhang et al. 2016).
        most: The bound ``s``; None for none.
        total: The updates of the run.
    """

    objective: Objective
    optimizer: Optimizer
    correct_lr: bool
    most: int | None
    total: int = 0
    applied: list[Work] = field(default_factory=list[Work])
    """What was applied since the process began, in order."""
    _next: int = field(init=False, default=0)
    _again: deque[int] = field(init=False, default_factory=deque[int])
    _out: dict[int, Work] = field(init=False, default_factory=dict[int, Work])
    _given: dict[int, list[Tensor]] = field(init=False, default_factory=dict[int, list[Tensor]])
    """The buffers that each worker began with."""
    _arrived: dict[int, Pushed] = field(init=False, default_factory=dict[int, Pushed])
    _idle: deque[int] = field(init=False, default_factory=deque[int])

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Apply the next gradient; see `Update.step`; its batches are the workers'."""
        ranks, objective = self.objective.ranks, self.objective
        if ranks is None:  # a first step is tried before the processes have met
            return PlainUpdate(objective, self.optimizer).step(step, update, lr, momentum)
        if not self._out:
            self._idle = deque(range(1, ranks.size))
            self._hand_out(ranks, step)
        while (worker := self._first_to_apply(step)) is None:
            sender, pushed = receive_gradient(ranks, objective)
            self._arrived[sender] = pushed
        pushed, work = self._arrived.pop(worker), self._out.pop(worker)
        late = step - work.version
        for p, gradient in zip(objective.parameters, pushed.gradients, strict=True):
            p.grad = gradient
        norm, factor = objective.clip()
        used = lr / max(1, late) if self.correct_lr else lr
        set_rates(self.optimizer, used, momentum)
        self.optimizer.step()
        objective.zero_grad()
        buffers = (objective.model.buffers(), self._given.pop(worker), pushed.buffers)
        for own, before, after in zip(*buffers, strict=True):
            take_change(own, before, after)
        objective.count_from(*(count + 1 for count in objective.evaluations()))
        self.applied.append(work)
        ranks.sent = traffic(objective)
        ranks.staleness, ranks.examples = late, pushed.examples
        self._idle.append(worker)
        self._hand_out(ranks, step + 1)
        return StepValues(torch.tensor(pushed.loss, dtype=torch.float64), norm, factor, used)

    def _first_to_apply(self, step: int) -> int | None:
        """Return the worker whose gradient is next: of those that have arrived, the oldest."""
        oldest = sorted(self._arrived, key=lambda worker: self._out[worker].version)
        return next((worker for worker in oldest if self._may_apply(worker, step)), None)

    def _may_apply(self, worker: int, step: int) -> bool:
        """Say whether all others that are out can still come in time, one update after another."""
        if self.most is None:
            return True
        others = sorted(work.version for rank, work in self._out.items() if rank != worker)
        return all(step + 1 + n - version <= self.most for n, version in enumerate(others))

    def _hand_out(self, ranks: Ranks, version: int) -> None:
        while self._idle and (self.most is None or len(self._out) <= self.most):
            if self._again:
                index = self._again.popleft()
            elif self._next < self.total:
                index, self._next = self._next, self._next + 1
            else:
                return
            worker = self._idle.popleft()
            self._out[worker] = Work(index, version)
            self._given[worker] = [b.detach().clone() for b in self.objective.model.buffers()]
            send_parameters(ranks, worker, index, self.objective)

    def end(self) -> None:
        """Let the workers end: what they still send is dropped."""
        ranks = self.objective.ranks
        assert ranks is not None
        for _ in range(len(self._out) - len(self._arrived)):
            receive_gradient(ranks, self.objective)
        for worker in range(1, ranks.size):
            ranks.send(torch.tensor([_STOP]), worker)

    def sync_weights(self) -> None:
        """Do nothing: the server's parameters are in the model."""

    def state_dict(self) -> dict[str, Any]:
        """Return which batches are to be handed out again, which is next, how many workers."""
        ranks = self.objective.ranks
        again = sorted([*self._again, *(work.index for work in self._out.values())])
        return {"again": again, "next": self._next, "processes": ranks.size if ranks else 1}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self._again, self._next = deque(state["again"]), state["next"]


def work_for(server: Ranks, objective: Objective, batches: Callable[[int], MicroBatches]) -> None:
    """Compute gradients for the server, until it says that there is no more to do.

    Args:
        server: The processes; rank 0 is the server.
        objective: What is minimised, here without the other processes.
        batches: Returns the micro-batches of an update of the run, counted from 0.
    """
    parameters, buffers = objective.parameters, [*objective.model.buffers()]
    while True:
        (index,) = server.receive(torch.zeros(1, dtype=torch.int64), 0).tolist()
        if index == _STOP:
            return
        with torch.no_grad():
            receive_into(server, [p.data for p in parameters], 0)
            receive_into(server, buffers, 0)
        update = batches(index)
        loss = objective.backward(update)
        there = [p.grad is not None for p in parameters]
        examples = sum(len(batch.y) for batch in update)
        server.send(torch.tensor([float(loss), examples, *there], dtype=torch.float64), 0)
        send_all(server, [p.grad for p in parameters if p.grad is not None], 0)
        send_all(server, buffers, 0)
        objective.zero_grad()


def send_parameters(ranks: Ranks, worker: int, index: int, objective: Objective) -> None:
    """Send a worker the number of an update, and the parameters and buffers as they are."""
    ranks.send(torch.tensor([index]), worker)
    send_all(ranks, [p.detach() for p in objective.parameters], worker)
    send_all(ranks, [*objective.model.buffers()], worker)


def receive_gradient(ranks: Ranks, objective: Objective) -> tuple[int, Pushed]:
    """Return the next gradient that arrives, and whose it is."""
    head, worker = ranks.receive_any(torch.zeros(2 + len(objective.parameters)).double())
    loss, examples, *there = head.tolist()
    gradients = [
        torch.empty_like(p) if has else None
        for p, has in zip(objective.parameters, there, strict=True)
    ]
    buffers = [torch.empty_like(buffer) for buffer in objective.model.buffers()]
    receive_into(ranks, [g for g in gradients if g is not None], worker)
    receive_into(ranks, buffers, worker)
    return worker, Pushed(loss, int(examples), gradients, buffers)


def traffic(objective: Objective) -> int:
    """Return the bytes of one update: a gradient one way, parameters the other, buffers both."""
    tensors = [*objective.parameters, *objective.model.buffers()]
    return 2 * sum(t.numel() * t.element_size() for t in tensors)


def send_all(ranks: Ranks, tensors: Sequence[Tensor], to: int) -> None:
    """Send tensors to a process, those of a type as one."""
    for alike in _by_type(tensors):
        ranks.send(_flatten_dense_tensors(alike), to)


def receive_into(ranks: Ranks, tensors: Sequence[Tensor], sender: int) -> None:
    """Fill tensors with what `send_all` sends of ones of the same types and shapes."""
    for alike in _by_type(tensors):
        flat = ranks.receive(torch.empty_like(_flatten_dense_tensors(alike)), sender)
        for own, value in zip(alike, _unflatten_dense_tensors(flat, alike), strict=True):
            own.copy_(value)


def _by_type(tensors: Sequence[Tensor]) -> list[list[Tensor]]:
    kinds: dict[torch.dtype, list[Tensor]] = {}
    for tensor in tensors:
        kinds.setdefault(tensor.dtype, []).append(tensor)
    return [*kinds.values()]
