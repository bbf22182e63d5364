"""Adam that turns into SGD by itself."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_number, require_numbers
from sgdlab.optimizers.closure import loss_of


class SWATS(Optimizer):
    """SWATS, switching from Adam to SGD (Keskar and Socher 2017), with a learned rate for SGD.

    First Adam, in the paper's form: ``m <- β₁·m + (1 - β₁)·g``; ``a <- β₂·a + (1 - β₂)·g²``;
    ``p = -η · sqrt(1 - β₂^k) / (1 - β₁^k) · m / (sqrt(a) + eps)``; ``w <- w + p``, with ``k`` the
    step from 1. ``γ = p·p / (-p·g)`` is the rate at which the step ``-γ·g`` of SGD has ``p`` as
    its orthogonal projection on ``p``. Its average ``λ <- β₂·λ + (1 - β₂)·γ`` from 0, corrected
    ``λ̂ = λ / (1 - β₂^k)``, decides: when ``k > 1`` and ``|λ̂ - γ| < switch_tolerance``, the rate
    of SGD is learned, ``Λ = λ̂``. (A step with ``p·g = 0`` leaves ``λ`` alone.)

    From then on: ``v <- β₁·v + g``, with ``v`` from 0; ``w <- w - (1 - β₁)·Λ·v``.

    ``w``, ``p`` and ``g`` are the vectors of all parameters together, so there is one criterion,
    one switch and one ``Λ``. Beyond the paper: only ``Λ > 0`` is accepted, as the negative one
    would climb. With a schedule the rate after the switch is ``Λ · η_t / η_s``, where ``η_s`` was
    the rate at the switch: it follows the schedule's relative changes from there. A group's
    ``lr_multiplier`` goes on to apply.

    Against Adam, the nearest twin before the switch: ``eps`` is added to ``sqrt(a)`` before the
    correction (torch: after), a difference of ``sqrt(1 - β₂^k)`` in its size. Against heavy ball,
    the twin after it: the factor ``1 - β₁``, so ``Λ`` is the rate of SGD without momentum. Against
    pytorch-optimizer's ``SWATS``: that one has a criterion for every tensor and lets the last
    one that meets it set the rate of its group; its tolerance is ``1e-8 + eps·|γ|``.

    The criterion costs one read of two numbers from the device in every step before the switch.
    ``γ`` of a mini-batch is noisy, and large where ``p·g`` is nearly 0. The paper prints 1e-9 as
    the tolerance, which single precision can hardly ever meet, so that Adam would run to the end;
    a larger one switches earlier. `findings` says when and at what rate, if at all.

    Args:
        params: Parameters or groups.
        lr: ``η`` of Adam, from 0.
        betas: ``(β₁, β₂)``, each from 0 to below 1.
        eps: Outside the root, from 0; the paper's is 1e-9.
        switch_tolerance: Above 0, in units of the learned rate.
        weight_decay: From 0; coupled, ``g <- g + weight_decay·w`` in both phases.

    Raises:
        InputError: A setting is out of its range.
    """

    # Decoupled decay would go on at the rate of Adam after the switch.
    decay_modes: ClassVar[tuple[str, ...]] = ("coupled", "independent")

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.001,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-9,
        switch_tolerance: float = 1e-3,
        weight_decay: float = 0.0,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_numbers("optimizer.betas", betas, 2, below=1)
        require_number("optimizer.eps", eps)
        require_number("optimizer.switch_tolerance", switch_tolerance, open_low=True)
        require_number("optimizer.weight_decay", weight_decay)
        defaults = {
            "lr": lr,
            "betas": tuple(betas),
            "eps": eps,
            "switch_tolerance": switch_tolerance,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    def findings(self) -> dict[str, float | int | None]:
        """Return the number of updates before SGD took over, and ``Λ``; None while Adam runs."""
        common = self._common()
        return {"switch_step": common["switch_step"], "switch_lr": common["switch_lr"]}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        common = self._common()
        common["step"] += 1
        if common["switch_step"] is not None:
            for p, g, group in self._moving():
                self._sgd(p, g, group, common["switch_lr"])
            return loss
        steps = [(self._adam(p, g, group, common["step"]), g) for p, g, group in self._moving()]
        if steps:
            self._decide(steps, common)
        return loss

    def _common(self) -> dict[str, Any]:
        """Return what all parameters share, kept with the first of them."""
        state = self.state[self.param_groups[0]["params"][0]]
        if "switch_step" not in state:
            state.update(step=0, rate_average=0.0, switch_step=None, switch_lr=None)
        return state

    def _moving(self) -> Iterator[tuple[Tensor, Tensor, dict[str, Any]]]:
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    yield p, p.grad.add(p, alpha=group["weight_decay"]), group

    def _adam(self, w: Tensor, g: Tensor, group: dict[str, Any], k: int) -> Tensor:
        """Make Adam's step; return it."""
        state, (beta1, beta2) = self.state[w], group["betas"]
        if "exp_avg" not in state:
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(w), torch.zeros_like(w)
        m = state["exp_avg"].lerp_(g, 1 - beta1)
        a = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        rate = group["lr"] * math.sqrt(1 - beta2**k) / (1 - beta1**k)
        p = (m / (a.sqrt().add_(group["eps"]))).mul_(-rate)
        w.add_(p)
        return p

    def _decide(self, steps: list[tuple[Tensor, Tensor]], common: dict[str, Any]) -> None:
        """Update the average of ``γ`` and switch if it is time."""
        squares = torch.stack([torch.sum(p * p) for p, _ in steps]).sum()
        products = torch.stack([torch.sum(p * g) for p, g in steps]).sum()
        # The host must know whether to switch: the one read of a step.
        square, product = torch.stack([squares, products]).tolist()
        if product == 0:
            return
        first = self.param_groups[0]
        beta2, k = first["betas"][1], common["step"]
        rate = square / -product
        common["rate_average"] = beta2 * common["rate_average"] + (1 - beta2) * rate
        learned = common["rate_average"] / (1 - beta2**k)
        if k > 1 and learned > 0 and abs(learned - rate) < first["switch_tolerance"]:
            common["switch_step"], common["switch_lr"] = k, learned
            for group in self.param_groups:
                group["lr_at_switch"] = group["lr"]
                for p in group["params"]:
                    self.state[p].pop("exp_avg", None)
                    self.state[p].pop("exp_avg_sq", None)

    def _sgd(self, w: Tensor, g: Tensor, group: dict[str, Any], learned: float) -> None:
        state, beta1 = self.state[w], group["betas"][0]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(w)
        v = state["momentum_buffer"].mul_(beta1).add_(g)
        since = group["lr"] / group["lr_at_switch"] if group["lr_at_switch"] else 0.0
        rate = learned * since * group.get("lr_multiplier", 1.0)
        w.sub_(v, alpha=(1 - beta1) * rate)
