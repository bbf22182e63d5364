"""SGD whose average replaces the schedule."""

from typing import Any

from torch import Tensor
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number
from sgdlab.optimizers.schedule_free import ScheduleFree


class ScheduleFreeSGD(ScheduleFree):
    """Schedule-free SGD (Defazio et al. 2024).

    ``d(y) = g(y) + weight_decay · y`` in `ScheduleFree`, where the equations and symbols stand:
    ``y = (1 - μ)·z + μ·x``; ``z <- z - η·d(y)``; ``x <- (1 - c)·x + c·z``. What is evaluated is
    ``x``.

    Use it with ``schedule=constant``: the average does the work of a decaying rate, and with one
    the run would slow down twice. Its warm-up is built in.

    Against heavy ball, whose memory it has: ``momentum`` is no velocity but how near to the average
    the gradient is taken; ``μ -> 1`` is primal averaging, ``μ -> 0`` is plain SGD with
    Polyak–Ruppert averaging. The authors advise rates 10 to 50 times SGD's. Against
    ``average=polyak`` around SGD: there the run does not know of its average.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``μ`` (the ``β`` of the paper), above 0 and below 1.
        weight_decay: From 0; at ``y``, multiplied by the rate like a penalty's gradient, so a
            penalty ``λ·|w|²`` in the loss is ``weight_decay = 2λ``.
        warmup_steps: Steps of the linear warm-up; the rate is ``η·t / warmup_steps`` in step ``t``.
        r: Power of ``t`` in the average's weights, from 0; larger ones forget the start sooner.
        weight_lr_power: Power of the largest rate so far in these weights, from 0.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
    ) -> None:
        require_number("optimizer.momentum", momentum, high=1, open_low=True, open_high=True)
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "warmup_steps": warmup_steps,
            "r": r,
            "weight_lr_power": weight_lr_power,
        }
        super().__init__(params, defaults)

    def _beta(self, group: dict[str, Any]) -> float:
        return group["momentum"]

    def _direction(self, y: Tensor, g: Tensor, group: dict[str, Any]) -> Tensor:
        return g.add(y, alpha=group["weight_decay"])
