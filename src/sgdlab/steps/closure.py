"""Updates of optimizers that evaluate the function themselves, as often as they like."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from sgdlab.steps.base import MicroBatches, StatelessUpdate, StepValues, set_rates
from sgdlab.steps.objective import Objective, gradient_norm
from sgdlab.steps.streams import DrawState, draw_state, forked, put_back


@contextlib.contextmanager
def undisturbed(
    model: nn.Module,
    random_state: DrawState | Tensor | None = None,
    loss: nn.Module | None = None,
) -> Iterator[None]:
    """Give back the buffers (running statistics) and the random state that a forward pass changes.

    Args:
        model: The model, whose buffers are restored.
        random_state: The state of the generators to start from inside.
        loss: The loss, where it may have buffers, too.
    """
    devices = [t.device for t in model.parameters() if t.device.type == "cuda"][:1]
    buffers = [*model.buffers(), *(() if loss is None else loss.buffers())]
    kept = [b.clone() for b in buffers]
    try:
        with forked(devices):
            if random_state is not None:
                put_back(random_state)
            yield
    finally:
        with torch.no_grad():
            for buffer, old in zip(buffers, kept, strict=True):
                buffer.copy_(old)


@dataclass
class ClosureUpdate(StatelessUpdate):
    """Hands the optimizer a closure over the update's batches.

    All evaluations of a step see the same examples and, on CPU, the same random numbers: it is
    one function that is minimised. Running statistics and the random stream go on as after the
    first evaluation, however many follow. Clipping applies to each gradient.
    """

    objective: Objective
    optimizer: Optimizer

    def step(
        self, step: int, update: MicroBatches, lr: float, momentum: float | None
    ) -> StepValues:
        """Make one update; see `Update.step`.

        The loss is that of the first evaluation; norm and factor are those of the first gradient,
        or of the gradient that the optimizer estimated and left in ``p.grad``.
        """
        objective, loss_module = self.objective, self.objective.loss.module
        random_state = draw_state()
        losses: list[Tensor] = []
        norms: list[tuple[Tensor, Tensor | float]] = []

        def evaluate(gradient: bool) -> Tensor:
            if not gradient:
                objective.function_evaluations += 1
                return objective.value(update)
            objective.zero_grad()
            with torch.enable_grad():
                loss = objective.backward(update)
            norms.append(objective.clip())
            return loss

        def closure(gradient: bool = True) -> Tensor:
            first = not losses
            with _AS_IT_COMES if first else undisturbed(objective.model, random_state, loss_module):
                loss = evaluate(gradient)
            losses.append(loss)
            return loss

        set_rates(self.optimizer, lr, momentum)
        self.optimizer.step(closure)  # type: ignore[arg-type]
        if norms:
            norm, coefficient = norms[0]
        else:
            objective.show()
            estimated = [p.grad for p in objective.parameters if p.grad is not None]
            norm, coefficient = gradient_norm(estimated), 1.0
        objective.zero_grad()
        return StepValues(losses[0].detach(), norm, coefficient, lr)


_AS_IT_COMES = contextlib.nullcontext()
