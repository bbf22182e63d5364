"""Optimizers with one convention changed each, written from their equations by hand."""

import math
from typing import ClassVar

import torch
from torch.optim import Optimizer


class Planted(Optimizer):
    """Calls ``move(p, g, group, state)`` for each tensor with a gradient."""

    defaults_of: ClassVar[dict] = {}

    def __init__(self, params, **settings):
        super().__init__(params, {**self.defaults_of, **settings})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            self.start(group)
            for p in group["params"]:
                if p.grad is not None:
                    state = self.state[p]
                    state["t"] = state.get("t", 0) + 1
                    self.move(p, p.grad, group, state)

    def start(self, group):
        """Look at a whole group before its tensors move."""

    def move(self, p, g, group, state):
        raise NotImplementedError


class Adamish(Planted):
    defaults_of: ClassVar[dict] = {
        "lr": 1e-3,
        "betas": (0.9, 0.999),
        "eps": 1e-8,
        "weight_decay": 0.0,
    }

    def move(self, p, g, group, state):
        g = self.before(p, g, group)
        b1, b2 = group["betas"]
        m = state["m"] = b1 * state.get("m", torch.zeros_like(p)) + (1 - b1) * g
        v = state["v"] = b2 * state.get("v", torch.zeros_like(p)) + (1 - b2) * g**2
        t = state["t"]
        p -= group["lr"] * self.direction(m, v, t, b1, b2, group["eps"], state)
        self.afterwards(p, group)

    def before(self, p, g, group):
        return g + group["weight_decay"] * p

    def direction(self, m, v, t, b1, b2, eps, state):
        return (m / (1 - b1**t)) / ((v / (1 - b2**t)).sqrt() + eps)

    def afterwards(self, p, group):
        pass


class DecoupledByHand(Adamish):
    def before(self, p, g, group):
        p *= 1 - group["lr"] * group["weight_decay"]
        return g


class DecayWithoutRate(Adamish):
    def before(self, p, g, group):
        p *= 1 - group["weight_decay"]
        return g


class DecayAtTheEnd(Adamish):
    def before(self, p, g, group):
        return g

    def afterwards(self, p, group):
        p *= 1 - group["lr"] * group["weight_decay"]


class EpsilonInside(Adamish):
    def direction(self, m, v, t, b1, b2, eps, state):
        return (m / (1 - b1**t)) / torch.sqrt(v / (1 - b2**t) + eps)


class EpsilonHat(Adamish):
    """The second form of section 2 of Kingma and Ba, as TensorFlow has it."""

    def direction(self, m, v, t, b1, b2, eps, state):
        return math.sqrt(1 - b2**t) / (1 - b1**t) * m / (v.sqrt() + eps)


class NoCorrection(Adamish):
    def direction(self, m, v, t, b1, b2, eps, state):
        return m / (v.sqrt() + eps)


class FirstMomentOnly(Adamish):
    def direction(self, m, v, t, b1, b2, eps, state):
        return m / (1 - b1**t) / (v.sqrt() + eps)


class CountsLate(Adamish):
    def direction(self, m, v, t, b1, b2, eps, state):
        return super().direction(m, v, t + 1, b1, b2, eps, state)


class LargestSquares(Adamish):
    def direction(self, m, v, t, b1, b2, eps, state):
        state["top"] = torch.maximum(state.get("top", v), v)
        return super().direction(m, state["top"], t, b1, b2, eps, state)


class OldSquares(Adamish):
    """Divides by the squares before this gradient; 1 in the first step is their start."""

    def direction(self, m, v, t, b1, b2, eps, state):
        old = state.get("old", torch.zeros_like(v))
        state["old"] = v.clone()
        return super().direction(m, old, t, b1, b2, eps, state)


class HiddenMemory(Adamish):
    """Says nothing of its β₂, which is 0.99."""

    defaults_of: ClassVar[dict] = {"lr": 1e-3, "eps": 1e-8, "weight_decay": 0.0}

    def move(self, p, g, group, state):
        super().move(p, g, {**group, "betas": (0.9, 0.99)}, state)


class BoundedUpdate(Adamish):
    """Adafactor's clipping of the update: its root mean square is at most 1."""

    def direction(self, m, v, t, b1, b2, eps, state):
        u = super().direction(m, v, t, b1, b2, eps, state)
        return u / max(1.0, u.pow(2).mean().sqrt().item())


class Ball(Planted):
    defaults_of: ClassVar[dict] = {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.0}

    def move(self, p, g, group, state):
        g = g + group["weight_decay"] * p
        state["v"] = group["momentum"] * state.get("v", torch.zeros_like(p)) + g
        p -= group["lr"] * state["v"]


class RateInside(Ball):
    def move(self, p, g, group, state):
        g = g + group["weight_decay"] * p
        state["v"] = group["momentum"] * state.get("v", torch.zeros_like(p)) - group["lr"] * g
        p += state["v"]


class Averaged(Ball):
    def move(self, p, g, group, state):
        mu = group["momentum"]
        g = g + group["weight_decay"] * p
        state["v"] = mu * state.get("v", torch.zeros_like(p)) + (1 - mu) * g
        p -= group["lr"] * state["v"]


class DampedFromTheStart(Ball):
    """torch's dampening of 0.5, in the first step, too."""

    defaults_of: ClassVar[dict] = {"lr": 0.01, "momentum": 0.9, "dampening": 0.5}

    def move(self, p, g, group, state):
        damp = group["dampening"]
        state["v"] = group["momentum"] * state.get("v", torch.zeros_like(p)) + (1 - damp) * g
        p -= group["lr"] * state["v"]


class LooksAhead(Ball):
    def move(self, p, g, group, state):
        g = g + group["weight_decay"] * p
        mu = group["momentum"]
        state["v"] = mu * state.get("v", torch.zeros_like(p)) + g
        p -= group["lr"] * (g + mu * state["v"])


class ShortWeights(Ball):
    """Max-norm: no tensor is longer than 1.5 after its step."""

    def move(self, p, g, group, state):
        super().move(p, g, group, state)
        if p.norm() > 1.5:
            p *= 1.5 / p.norm()


class ClipsItself(Ball):
    """Clips the global norm of the gradient at 1."""

    def start(self, group):
        torch.nn.utils.clip_grad_norm_(group["params"], 1.0)


class SparesVectors(Ball):
    def move(self, p, g, group, state):
        own = group if p.ndim > 1 else {**group, "weight_decay": 0.0}
        super().move(p, g, own, state)


class YesterdaysRate(Ball):
    """Reads the rate after the step, as a scheduler that is called too late does."""

    def step(self, closure=None):
        rates = [group["lr"] for group in self.param_groups]
        for group, late in zip(self.param_groups, getattr(self, "late", rates), strict=True):
            group["lr"] = late
        super().step()
        self.late = rates


class FillsInZeros(Ball):
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    p.grad = torch.zeros_like(p)
        super().step()


class Squares(Planted):
    """RMSprop with momentum, as torch has it but for the place of the rate."""

    defaults_of: ClassVar[dict] = {"lr": 1e-3, "alpha": 0.99, "eps": 1e-8, "momentum": 0.9}

    def move(self, p, g, group, state):
        a = group["alpha"]
        s = state["s"] = a * state.get("s", torch.zeros_like(p)) + (1 - a) * g**2
        step = group["lr"] * g / (s.sqrt() + group["eps"])
        state["b"] = group["momentum"] * state.get("b", torch.zeros_like(p)) + step
        p -= state["b"]


class CoupledSign(Planted):
    """Lion with the decay in the gradient."""

    defaults_of: ClassVar[dict] = {"lr": 1e-4, "betas": (0.9, 0.99), "weight_decay": 0.1}

    def move(self, p, g, group, state):
        b1, b2 = group["betas"]
        g = g + group["weight_decay"] * p
        m = state.get("m", torch.zeros_like(p))
        p -= group["lr"] * torch.sign(b1 * m + (1 - b1) * g)
        state["m"] = b2 * m + (1 - b2) * g


class ClippedSign(CoupledSign):
    """Lion whose momentum sees gradients of at most 1 a tensor; decay as published."""

    def move(self, p, g, group, state):
        g = g / max(1.0, g.norm().item())
        p *= 1 - group["lr"] * group["weight_decay"]
        super().move(p, g, {**group, "weight_decay": 0.0}, state)
