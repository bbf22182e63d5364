"""What an optimizer's update divides the gradient by, and the curvature it tolerates then."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.diagnostics.base import Subject
from sgdlab.diagnostics.divisors import RULES, Group, State, one
from sgdlab.optimizers.swats import SWATS
from sgdlab.optimizers.traits import Traits


@dataclass
class Preconditioner:
    """An update near a point where the second moment hardly changes: ``-lr·P⁻¹`` times averages.

    Attributes:
        divisor: Diagonal of ``P``, ``[d]``: bias corrections and multipliers of the rate included.
        decay: Coefficient of coupled weight decay, ``[d]``: it adds to the Hessian's diagonal.
        sign: -1 for an optimizer that maximises: the Hessian is that of the negative loss.
        limit: Largest eigenvalue of ``P⁻¹H`` at which it is stable.
        plain: Whether ``P`` is the identity and the sign 1.
    """

    divisor: Tensor
    decay: Tensor
    sign: float
    limit: float
    plain: bool


def preconditioner(subject: Subject, lr: float) -> Preconditioner | None:
    """Return what the optimizer's last update divided by; None where that is not known.

    Known for optimizers whose trait ``preconditioner`` is true. The state after a step holds the
    second moment that the step used, so no copy of it is needed.

    Not known, and None, with the reason:

    - Lion, signSGD, Rprop, Muon: the update does not shrink with the gradient, so there is no
      linear recurrence and no such limit.
    - LARS, LAMB, Adafactor: each tensor's step is divided by a norm of this very gradient, which
      cannot be held while the iterate moves.
    - Adadelta and ASGD: part of the rate that was used is overwritten by the step.
    - L-BFGS: a line search, and no diagonal.
    - Optimizers of other packages and of users, whose state may mean anything; subclasses count as
      such.

    Args:
        subject: The run after the step.
        lr: The learning rate of the step, before multipliers.
    """
    optimizer = subject.optimizer
    rule = RULES.get(type(optimizer)) if subject.traits.preconditioner else None
    if rule is None or not _alike(optimizer):
        return None
    divide, limit_of = rule
    owners = {p: group for group in optimizer.param_groups for p in group["params"]}
    first = optimizer.param_groups[0]
    common = _state(optimizer, first) if isinstance(optimizer, SWATS) else {}
    divisors, decays = [], []
    for p in subject.parameters:
        group, state = owners.get(p), {**common, **optimizer.state.get(p, {})}
        if group is None:
            return None
        try:
            # What has no state has never moved.
            divisor = divide(group, state, p) if state or divide is one else math.inf
        except KeyError:
            return None
        multiplier = group.get("lr_multiplier", 1.0)
        divisors.append(_flat(divisor, p) / multiplier)
        decays.append(_flat(_coupled_decay(subject.traits, group), p))
    divisor = torch.cat(divisors)
    return Preconditioner(
        divisor=divisor,
        decay=torch.cat(decays),
        sign=-1.0 if first.get("maximize") else 1.0,
        limit=limit_of(lr, first, _state(optimizer, first)),
        plain=bool((divisor == 1).all()) and not first.get("maximize"),
    )


def _flat(value: Tensor | float, p: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value.reshape(-1)
    return torch.full((p.numel(),), value, dtype=p.dtype, device=p.device)


def _alike(optimizer: Optimizer) -> bool:
    """Say whether one limit holds for all groups."""
    keys = ("momentum", "dampening", "nesterov", "betas", "maximize", "momentum_decay")
    first, *others = optimizer.param_groups
    return all(group.get(key) == first.get(key) for group in others for key in keys)


def _coupled_decay(traits: Traits, group: Group) -> float:
    """Return the decay that the optimizer adds to the gradient."""
    if group.get("applied_decay"):  # by a hook before the step; see `use_decay_mode`
        return group["applied_decay"] if group.get("decay_mode") == "coupled" else 0.0
    return group.get("weight_decay") or 0.0 if traits.decay == "coupled" else 0.0


def _state(optimizer: Optimizer, group: Group) -> State:
    states = (optimizer.state.get(p, {}) for p in group["params"])
    return next((state for state in states if state), {})
