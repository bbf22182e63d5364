"""Orthogonalised momentum for the matrices of a network, AdamW for the rest."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

from sgdlab.checks import require_flag, require_number, require_numbers, require_one_of
from sgdlab.errors import InputError
from sgdlab.optimizers.closure import loss_of

ADJUSTMENTS = ("original", "match_rms_adamw")


class Muon(Optimizer):
    """Muon (Jordan et al. 2024) for hidden matrices, AdamW for all else, in one optimizer.

    For a matrix ``W`` of shape ``[m, n]`` with gradient ``G``:
    ``B <- μ·B + (1 - μ)·G``; ``M = μ·B + (1 - μ)·G`` (``M = B`` without ``nesterov``);
    ``O = NS(M)``; ``W <- (1 - η·weight_decay)·W - η·r·O``.

    ``NS`` makes ``M = U·S·Vᵀ`` nearly orthogonal, ``O ≈ U·Vᵀ``: ``X = M / max(|M|, eps)``
    (Frobenius norm), then ``ns_steps`` times ``X <- a·X + b·(X·Xᵀ)·X + c·(X·Xᵀ)²·X``
    (Newton–Schulz) with ``(a, b, c) = ns_coefficients``. These coefficients are tuned for few
    steps: the singular values end between about 0.7 and 1.2, not at 1. It runs in bfloat16 whatever
    the parameters' type, as published: ``O`` has two to three digits, in float64 as well.

    ``r`` makes up for the shape: ``sqrt(max(1, m/n))`` (``original``), or ``0.2·sqrt(max(m, n))``
    (``match_rms_adamw``, Liu et al. 2025), with which rates and decays tuned for AdamW carry over:
    then take ``adamw_lr_ratio=1.0``.

    The rest, with ``η' = adamw_lr_ratio · η`` as its rate and ``λ' = adamw_weight_decay`` as its
    decay, is AdamW (Loshchilov and Hutter 2019):
    ``m <- β₁·m + (1 - β₁)·g``; ``v <- β₂·v + (1 - β₂)·g²``;
    ``w <- (1 - η'·λ')·w - η'·(m / (1 - β₁^t)) / (sqrt(v / (1 - β₂^t)) + adamw_eps)``.

    Which is which, as Muon's authors advise: Muon gets the parameters whose role in their group's
    ``roles`` is ``hidden``, a convolution's kernel ``[out, in, h, w]`` as the matrix
    ``[out, in·h·w]``; AdamW gets the output layer, embeddings (those that are the output layer,
    too), biases, the parameters of normalisation layers and other scales
    (`sgdlab.optimizers.roles`). Groups without ``roles``, as another program makes them, know
    neither modules nor their order: there the last parameter with ``ndim > 1`` is taken for the
    output layer, and all others with ``ndim > 1`` are Muon's. A model with one matrix has none for
    Muon.

    Against `torch.optim.Muon`, whose update this is: that one takes 2-D parameters only and leaves
    the rest to a second optimizer. Against Shampoo: Muon without its momentum and with exact ``NS``
    is Shampoo without accumulation. Against SGD with momentum: all directions of a matrix move
    equally far, so the scale of the loss has no effect.

    A group of parameters that has both kinds becomes two groups; the AdamW part's ``lr_multiplier``
    is its own (default 1) times ``adamw_lr_ratio``. A group with a ``weight_decay`` of its own
    keeps the ratio of that to ``weight_decay`` in the AdamW part; where ``weight_decay`` is 0, it
    has none.

    Args:
        params: Parameters or groups.
        lr: ``η``, from 0.
        momentum: ``μ``, from 0 to below 1.
        nesterov: See above.
        weight_decay: From 0; decoupled; for both parts unless ``adamw_weight_decay`` is given.
        ns_coefficients: ``(a, b, c)``.
        ns_steps: Newton–Schulz steps, 1 to 99.
        eps: Smallest norm that ``M`` is divided by, above 0.
        adjust_lr_fn: ``original`` or ``match_rms_adamw``.
        adamw_lr_ratio: AdamW's rate over Muon's, above 0.
        adamw_betas: ``(β₁, β₂)``, each from 0 to below 1.
        adamw_eps: Outside the root, from 0.
        adamw_weight_decay: The AdamW part's, from 0; None: ``weight_decay``.

    Raises:
        InputError: A setting is out of its range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.02,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.01,
        ns_coefficients: Sequence[float] = (3.4445, -4.7750, 2.0315),
        ns_steps: int = 5,
        eps: float = 1e-7,
        adjust_lr_fn: str = "original",
        adamw_lr_ratio: float = 0.015,
        adamw_betas: Sequence[float] = (0.9, 0.95),
        adamw_eps: float = 1e-10,
        adamw_weight_decay: float | None = None,
    ) -> None:
        require_number("optimizer.lr", lr)
        require_number("optimizer.momentum", momentum, high=1, open_high=True)
        require_flag("optimizer.nesterov", nesterov)
        require_number("optimizer.weight_decay", weight_decay)
        require_numbers("optimizer.ns_coefficients", ns_coefficients, 3, low=-math.inf)
        if type(ns_steps) is not int or not 1 <= ns_steps <= 99:
            raise InputError(f"optimizer.ns_steps={ns_steps}: must be a whole number from 1 to 99")
        require_number("optimizer.eps", eps, open_low=True)
        require_one_of("optimizer.adjust_lr_fn", adjust_lr_fn, ADJUSTMENTS)
        require_number("optimizer.adamw_lr_ratio", adamw_lr_ratio, open_low=True)
        require_numbers("optimizer.adamw_betas", adamw_betas, 2, below=1)
        require_number("optimizer.adamw_eps", adamw_eps)
        if adamw_weight_decay is not None:
            require_number("optimizer.adamw_weight_decay", adamw_weight_decay)
        matrices = {
            "use_muon": True,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": tuple(ns_coefficients),
            "ns_steps": ns_steps,
            "eps": eps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        rest = {"use_muon": False, "betas": tuple(adamw_betas), "eps": adamw_eps}
        groups: list[dict[str, Any]] = []
        for group, hidden in _split(params):
            if hidden:
                groups.append({**group, **matrices})
                continue
            multiplier = group.get("lr_multiplier", 1.0) * adamw_lr_ratio
            own = {"lr_multiplier": multiplier, "lr": group.get("lr", lr) * adamw_lr_ratio}
            if adamw_weight_decay is not None:
                share = group.get("weight_decay", weight_decay)
                share = share / weight_decay if weight_decay else float("weight_decay" not in group)
                own["weight_decay"] = share * adamw_weight_decay
            groups.append({**group, **rest, **own})
        super().__init__(groups, {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Make one update; return the closure's loss, if there is a closure."""
        loss = loss_of(closure)
        for group in self.param_groups:
            update = self._muon if group["use_muon"] else self._adamw
            for p in group["params"]:
                if p.grad is not None:
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    update(p, p.grad, group)
        return loss

    def _muon(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(p)
        b = state["momentum_buffer"].lerp_(g, 1 - group["momentum"])
        m = g.lerp(b, group["momentum"]) if group["nesterov"] else b
        matrix = m.flatten(1)
        rows, columns = matrix.shape
        if group["adjust_lr_fn"] == "original":
            ratio = math.sqrt(max(1.0, rows / columns))
        else:
            ratio = 0.2 * math.sqrt(max(rows, columns))
        o = orthogonalized(matrix, group["ns_coefficients"], group["ns_steps"], group["eps"])
        p.sub_(o.reshape(p.shape), alpha=group["lr"] * ratio)

    def _adamw(self, p: Tensor, g: Tensor, group: dict[str, Any]) -> None:
        state = self.state[p]
        if not state:
            # On the CPU whatever the device, as in torch: reading it waits for no kernel.
            state["step"] = torch.tensor(0.0)
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(p), torch.zeros_like(p)
        state["step"] += 1
        t, (beta1, beta2) = state["step"].item(), group["betas"]
        m = state["exp_avg"].lerp_(g, 1 - beta1)
        v = state["exp_avg_sq"].mul_(beta2).addcmul_(g, g, value=1 - beta2)
        root = (v.sqrt() / math.sqrt(1 - beta2**t)).add_(group["eps"])
        p.addcdiv_(m, root, value=-group["lr"] / (1 - beta1**t))


def orthogonalized(m: Tensor, coefficients: Sequence[float], steps: int, eps: float) -> Tensor:
    """Return ``NS(m)``, nearly ``U·Vᵀ`` for ``m = U·S·Vᵀ``; see `Muon`.

    Args:
        m: ``[rows, columns]``.
        coefficients: ``(a, b, c)`` of the polynomial ``a·s + b·s³ + c·s⁵`` that every step applies
            to the singular values.
        steps: How often.
        eps: Smallest norm that ``m`` is divided by.

    Returns:
        bfloat16, of the same shape.
    """
    a, b, c = coefficients
    tall = m.shape[0] > m.shape[1]
    x = m.bfloat16()
    x = x.T if tall else x
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _split(params: ParamsT) -> Iterable[tuple[dict[str, Any], bool]]:
    """Yield groups of one kind each, and whether they are Muon's."""
    given: list[Any] = [params] if isinstance(params, Tensor) else list(params)
    if given and not isinstance(given[0], dict):
        given = [{"params": given}]
    groups = [{**group, "params": list(group["params"])} for group in given]
    if all("roles" in group for group in groups):
        pairs = (pair for g in groups for pair in zip(g["params"], g["roles"], strict=True))
        hidden = {p for p, role in pairs if role == "hidden"}
    else:
        hidden = set([p for group in groups for p in group["params"] if p.ndim > 1][:-1])
    for group in groups:
        group.pop("roles", None)  # their order is that of the group as it was given
        for kind in (True, False):
            chosen = [p for p in group["params"] if (p in hidden) is kind]
            if chosen:
                yield {**group, "params": chosen}, kind
