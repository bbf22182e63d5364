"""The rule of sgdlab.optimizers.swats.SWATS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sgdlab.stacked.rules.base import (
    Coefficients,
    Moved,
    Norm,
    Numbers,
    Rule,
    State,
    States,
    Steps,
    Table,
)  # fmt: skip


@dataclass(frozen=True)
class SWATSRule(Rule):
    """Adam, ``w <- w + p``, until ``|λ̂ - γ| < switch_tolerance``; then SGD at the rate ``Λ = λ̂``.

    ``γ = p·p / (-p·g)`` over all parameters, ``λ <- β₂·λ + (1 - β₂)·γ``, ``λ̂ = λ / (1 - β₂^t)``;
    after the switch ``v <- β₁·v + g`` and ``w <- w - (1 - β₁)·Λ·(lr_t/lr_s)·v``, with ``lr_s`` the
    rate of the switch. Each run switches for itself, so that both steps are made for all.

    What a run knows of its switch is kept with every parameter, ``[R]`` in float64 (the optimizer
    has Python's numbers): ``λ``, the step of the switch (0: none), ``Λ`` and ``lr_s``.
    """

    by_shape = True
    settings = ("betas", "eps", "switch_tolerance")
    slots = (
        "exp_avg", "exp_avg_sq", "momentum_buffer", "rate_average", "switch_step", "switch_lr",
        "lr_at_switch",
    )  # fmt: skip

    def numbers(self, group: Mapping[str, Any]) -> dict[str, float]:
        """Return the settings, and ``multiplier``, which the rate of SGD keeps."""
        multiplier = float(group.get("lr_multiplier", 1.0))
        return super().numbers(group) | {"multiplier": multiplier}

    def init(self, w: Tensor, first: Coefficients) -> State:
        """Return zeros; see `Rule.init`."""
        numbers = w.new_zeros(len(w), dtype=torch.float64)
        return (*[torch.zeros_like(w)] * 3, *[numbers] * 4)

    def coefficients(self, h: Numbers, t: Steps, carry: Table) -> Table:
        """Return what `update` and `update_all` multiply by, and the step ``t``."""
        beta1, beta2, t = h["beta1"], h["beta2"], t[:, None]
        correction = 1 - beta2**t
        return {
            "new_m": 1 - beta1,
            "new_a": 1 - beta2,
            "keep": beta1,
            "eps": h["eps"],
            "rate": h["lr"] * correction**0.5 / (1 - beta1**t),
            "lr": h["lr"],
            "of_v": (1 - beta1) * h["multiplier"],
            "correction": correction,
            "tolerance": h["switch_tolerance"],
            "step": t + 0 * h["lr"],
        }

    def update(self, w: Tensor, g: Tensor, state: State, c: Coefficients, norm: Norm) -> Moved:
        """Raise an error: parameters are updated together.

        Raises:
            TypeError: Always.
        """
        raise TypeError("one criterion for all parameters: see update_all")

    def update_all(
        self, ws: Sequence[Tensor], gs: Sequence[Tensor], states: Sequence[State],
        cs: Sequence[Coefficients], norm: Norm,
    ) -> tuple[list[Tensor], States]:  # fmt: skip
        """Make a step; see `Rule.update_all`."""
        moved: list[Tensor] = []
        moments: list[State] = []
        squares: list[Tensor] = []
        products: list[Tensor] = []
        for w, g, state, c in zip(ws, gs, states, cs, strict=True):
            m, a, v, _, step, learned, before = state
            switched = _like(step, w) > 0
            m = torch.lerp(m, g, c["new_m"])
            a = torch.lerp(a, g.square(), c["new_a"])
            p = (c["rate"] * m).div_(a.sqrt().add_(c["eps"])).neg_()
            v = torch.where(switched, torch.addcmul(g, c["keep"], v), v)
            since = torch.where(before > 0, _flat(c["lr"]) / before, 0.0)
            rate = _like(learned * since * _flat(c["of_v"]), w).to(w.dtype)
            moved.append(w + torch.where(switched, -(rate * v), p))
            moments.append((m, a, v))
            squares.append((p * p).flatten(1).sum(1))
            products.append((p * g).flatten(1).sum(1))
        found = self._decided(states[0], cs[0], _total(squares), _total(products))
        fresh = (found[1] > 0) & (states[0][4] == 0)
        new: States = []
        for of_moments, state, c in zip(moments, states, cs, strict=True):
            new.append((*of_moments, *found, torch.where(fresh, _flat(c["lr"]), state[6])))
        return moved, new

    def _decided(self, state: State, c: Coefficients, square: Tensor, product: Tensor) -> State:
        """Return ``λ``, the step of the switch and ``Λ`` after a step."""
        average, step, learned = state[3:6]
        waits = (step == 0) & (product != 0)
        rate = square / -product
        average = torch.where(waits, torch.lerp(average, rate, _flat(c["new_a"])), average)
        corrected, now = average / _flat(c["correction"]), _flat(c["step"])
        near = (corrected - rate).abs() < _flat(c["tolerance"])
        switches = waits & (now > 1) & (corrected > 0) & near
        step = torch.where(switches, now, step)
        return average, step, torch.where(switches, corrected, learned)

    def found(self, states: Sequence[State], row: int, step: int) -> Mapping[str, Any]:
        """Return when SGD took over and its ``Λ``; then the moments of Adam are given up."""
        _, _, _, _, switch, learned, _ = states[0]
        at = int(switch[row])
        if not 0 < at <= step:
            return {}
        findings = {"switch_step": at, "switch_lr": float(learned[row])}
        left = sum(v[row].nbytes for _, _, v, *_ in states) if at < step else 0
        return {"findings": findings, "optimizer_state_bytes": left}


def _flat(c: Tensor) -> Tensor:
    """Return coefficients ``[R, 1, …]`` as ``[R]`` in float64."""
    return c.flatten().double()


def _like(numbers: Tensor, w: Tensor) -> Tensor:
    """Return numbers ``[R]`` so that they broadcast over a parameter."""
    return numbers.view(-1, *[1] * (w.ndim - 1))


def _total(of_tensors: Sequence[Tensor]) -> Tensor:
    return torch.stack(list(of_tensors)).sum(0).double()
