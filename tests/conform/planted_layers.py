"""Optimizers with a scale for each tensor or a rate of their own, one convention changed each.

Written from their equations by hand, as those of ``planted``.
"""

import math
from typing import ClassVar

import torch
from planted import Adamish, Ball, Planted


class Lamb(Adamish):
    """LAMB (You et al. 2020) with a ratio for tensors of two or more axes."""

    defaults_of: ClassVar[dict] = {
        "lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01,
    }  # fmt: skip

    def before(self, p, g, group):
        return g

    def move(self, p, g, group, state):
        self.group, self.weights = group, p
        super().move(p, g, group, state)

    def direction(self, m, v, t, b1, b2, eps, state):
        u = super().direction(m, v, t, b1, b2, eps, state)
        u = u + self.group["weight_decay"] * self.weights
        return u * self.ratio(self.weights, u, eps)

    def ratio(self, p, u, eps):
        return p.norm() / u.norm() if p.ndim > 1 else 1.0


class EpsilonInTheRatio(Lamb):
    def ratio(self, p, u, eps):
        return p.norm() / (u.norm() + eps) if p.ndim > 1 else 1.0


class RatioOfAll(Lamb):
    def ratio(self, p, u, eps):
        return p.norm() / u.norm() if u.any() else 1.0


class CappedRatio(Lamb):
    """Counts no tensor as longer than 1."""

    def ratio(self, p, u, eps):
        return p.norm().clamp(max=1.0) / u.norm() if p.ndim > 1 else 1.0


class DecayOutsideOfTheRatio(Lamb):
    def before(self, p, g, group):
        p *= 1 - group["lr"] * group["weight_decay"]
        return g

    def direction(self, m, v, t, b1, b2, eps, state):
        u = Adamish.direction(self, m, v, t, b1, b2, eps, state)
        return u * self.ratio(self.weights, u, eps)


class CorrectsTheRate(Lamb):
    """Takes the ratio of what is not corrected, and the correction into the rate."""

    def direction(self, m, v, t, b1, b2, eps, state):
        u = m / (v.sqrt() + eps) + self.group["weight_decay"] * self.weights
        return u * self.ratio(self.weights, u, eps) / (1 - b1**t)


class OneNormInTheRatio(Planted):
    """LARS with the norm of gradient and decay together."""

    defaults_of: ClassVar[dict] = {
        "lr": 1.0, "momentum": 0.9, "weight_decay": 1e-4, "trust_coefficient": 1e-3, "eps": 1e-9,
    }  # fmt: skip

    def move(self, p, g, group, state):
        d = g + group["weight_decay"] * p
        if p.ndim > 1:
            d = d * group["trust_coefficient"] * p.norm() / (d.norm() + group["eps"])
        v = state["v"] = group["momentum"] * state.get("v", torch.zeros_like(p)) + group["lr"] * d
        p -= v


class TwoEpsilons(Adamish):
    """Adds 1e-12 within the root, too."""

    def direction(self, m, v, t, b1, b2, eps, state):
        return (m / (1 - b1**t)) / ((v / (1 - b2**t) + 1e-12).sqrt() + eps)


class Whole(Planted):
    """Adafactor (Shazeer and Stern 2018) that keeps all second moments of a matrix."""

    defaults_of: ClassVar[dict] = {"lr": 0.01, "weight_decay": 0.0}

    def move(self, p, g, group, state):
        rate = min(group["lr"], 1 / math.sqrt(state["t"])) * self.scale(p)
        p *= 1 - group["weight_decay"] * self.decay_rate(rate, group)
        b2 = 1 - state["t"] ** -0.8
        v = state["v"] = b2 * state.get("v", torch.zeros_like(p)) + (1 - b2) * g**2
        u = g / self.estimate(v).sqrt().clamp(min=1e-16)
        p -= rate * u / max(1.0, u.pow(2).mean().sqrt().item())

    def scale(self, p):
        return max(1e-3, p.pow(2).mean().sqrt().item())

    def decay_rate(self, rate, group):
        return group["lr"]

    def estimate(self, v):
        return v


class Factored(Whole):
    def estimate(self, v):
        if v.ndim < 2:
            return v
        rows, columns = v.mean(-1, keepdim=True), v.mean(-2, keepdim=True)
        return rows * columns / rows.mean(-2, keepdim=True)


class RateAsItIs(Factored):
    def scale(self, p):
        return 1.0


class DecayOfTheRelativeRate(Factored):
    def decay_rate(self, rate, group):
        return rate


class GrowingRate(Ball):
    """Takes 1 % longer steps in every step."""

    def move(self, p, g, group, state):
        super().move(p, g, {**group, "lr": group["lr"] * 1.01 ** state["t"]}, state)


class ShortMemory(Ball):
    """Keeps its velocity in a type of its own."""

    def __init__(self, params, velocity_dtype=torch.float32, **settings):
        super().__init__(params, **settings)
        self.velocity_dtype = velocity_dtype

    def move(self, p, g, group, state):
        state["v"] = state.get("v", torch.zeros_like(p)).to(p.dtype)
        super().move(p, g, group, state)
        state["v"] = state["v"].to(self.velocity_dtype)


class Averaging(Planted):
    """Schedule-free AdamW (Defazio et al. 2024) from its three sequences, each of them stored."""

    defaults_of: ClassVar[dict] = {
        "lr": 0.0025, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0,
    }  # fmt: skip
    lr_power = 2.0

    def start(self, group):
        self.steps = getattr(self, "steps", 0) + 1
        self.top = max(getattr(self, "top", 0.0), group["lr"])
        weight = self.top**self.lr_power
        self.total = getattr(self, "total", 0.0) + weight
        self.share = weight / self.total

    def move(self, p, g, group, state):
        b1, b2 = group["betas"]
        z, x = state.get("z", p.clone()), state.get("x", p.clone())
        v = state["v"] = b2 * state.get("v", torch.zeros_like(p)) + (1 - b2) * g**2
        u = g / ((v / (1 - b2**self.steps)).sqrt() + group["eps"])
        z = z - group["lr"] * (u + group["weight_decay"] * self.decayed(p, z))
        x = (1 - self.share) * x + self.share * z
        state["z"], state["x"] = z, x
        p.copy_((1 - b1) * z + b1 * x)

    def decayed(self, y, z):
        return y


class DecayAtZ(Averaging):
    def decayed(self, y, z):
        return z


class EqualWeights(Averaging):
    lr_power = 0.0


class NeverTurns(Adamish):
    """SWATS that stays Adam; eps before the correction, as there."""

    defaults_of: ClassVar[dict] = {
        "lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-9, "weight_decay": 0.0,
    }  # fmt: skip

    def direction(self, m, v, t, b1, b2, eps, state):
        return math.sqrt(1 - b2**t) / (1 - b1**t) * m / (v.sqrt() + eps)
