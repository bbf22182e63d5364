"""A family of update rules with a switch for every convention that implementations differ in.

SGD with momentum, Adam, RMSprop, Adagrad, Adamax, AdaBelief, LARS, LAMB, Adafactor, schedule-free
learning and their kin are members. A rule is a reference, not an optimizer to train with: NumPy,
float64, on one flat vector of all weights.
"""

import math
from dataclasses import dataclass
from typing import Literal

Decay = Literal[
    "coupled", "decoupled", "after", "constant", "by_schedule", "corrected", "momentum_only",
    "in_update", "scaled", "none",
]  # fmt: skip
Square = Literal["none", "average", "sum", "max", "max_corrected", "infinity", "belief", "centred"]
Epsilon = Literal["outside", "uncorrected", "inside", "inside_uncorrected", "floor"]
Correction = Literal["both", "none", "first", "second"]
Norm = Literal["none", "global", "torch", "tensor", "value", "rms"]
Trust = Literal["none", "gradient", "update"]
Pace = Literal["given", "common", "tensor"]


@dataclass(frozen=True)
class ReferenceRule:
    """One member: ``w <- w - lr · u``, with ``u`` from gradients as the switches say.

    Attributes:
        lr: The rate, before the factor of the schedule.
        beta1: Share of the velocity (first moment) that is kept, ``μ`` or ``β₁``.
        beta2: Share of the average of squares that is kept.
        eps: What keeps the denominator from 0; see ``epsilon``.
        weight_decay: See ``decay``.
        dampening: New gradients enter the velocity times ``1 - dampening``; None: ``beta1``.
        first_whole: Whether the first of them enters whole, as in torch's SGD.
        lr_inside: Whether the rate is inside the velocity, as in Keras's SGD.
        nesterov: Whether ``u`` is ``β₁·v + (1 - dampening)·g`` instead of ``v``.
        square: What gradients are divided by: nothing, the root of an average or of a sum of
            squares, of its largest value so far (before or after correction), the largest
            ``|g|``, an average of ``(g - m)²``, a variance.
        square_start: What squares start at.
        square_stale: Whether the newest gradient is left out of the denominator.
        normalised_first: Whether the velocity is one of gradients divided already.
        epsilon: Where ``eps`` stands: beside the root after or before the bias correction, within
            it after or before, or as the least denominator.
        correction: Which moments are divided by ``1 - βᵗ``.
        first_count: ``t`` of the first step.
        shared_count: Whether steps are counted for all tensors together, so that they count for a
            tensor, too, that had no gradient.
        decay: How the decay acts; ``after`` shrinks the weights after the step, ``constant`` by
            ``1 - weight_decay`` whatever the rate, ``by_schedule`` times the schedule's factor
            alone, ``corrected`` by the rate with its bias corrections, ``momentum_only`` adds it
            to the gradient for the velocity, not for the squares, ``in_update`` adds it to ``u``
            before the trust ratio, and moves ``z`` of schedule-free learning by the decay at ``y``;
            ``scaled`` shrinks by the rate as ``rms_scaled`` and ``capped`` have made it.
        decays_vectors: Whether tensors with less than two axes decay, too.
        ascends: Whether the gradient is negated.
        clip: Which norm of the gradient is at most ``clip_at``; ``torch`` is the global norm plus
            1e-6, as in ``clip_grad_norm_``.
        clip_at: The bound.
        centralised: Whether the mean over all axes but the first is taken out of the gradient of
            tensors with two or more.
        bound: Which norm of ``u`` is at most ``bound_at``.
        bound_at: The bound.
        max_norm: Whether weights are shrunk after the step to at most ``max_norm_at``: a tensor, or
            each slice along the first axis.
        max_norm_at: The bound.
        late: Whether the rate is that of the step before.
        absent_is_zero: Whether a tensor without a gradient is treated as if it were 0.
        lazy: Whether entries whose gradient is 0 are left alone, with their moments.
        eps_inside: Added to the squares within the root, beside what ``eps`` does.
        bound_first: Whether ``bound`` acts on gradients that are divided already, before the
            velocity.
        trust: What is multiplied by ``trust_coefficient · |w| / |·|`` of each tensor: nothing, the
            gradient before the velocity (LARS), or ``u`` (LAMB).
        trust_coefficient: The factor.
        trust_vectors: Whether tensors with less than two axes have a ratio, too.
        trust_eps: Whether ``eps`` is added to the denominator of the ratio.
        trust_cap: Largest ``|w|`` in the ratio.
        trust_apart: Whether the denominator is ``|g| + λ·|w|`` instead of ``|g + λ·w|``.
        trust_of_decayed: Whether ``|w|`` is that after a decoupled decay.
        trust_uncorrected: Whether the ratio is that of ``u`` without its bias correction, which
            then acts on the rate.
        factored: Whether squares of a matrix are those of rows times those of columns.
        growing: Whether ``β₂`` of step ``t`` is ``1 - t^beta2_power``.
        beta2_power: The power, below 0.
        rms_scaled: Whether the rate is times the root mean square of the tensor's weights.
        rms_floor: The least that this is.
        capped: Whether the rate is at most ``1/√t``.
        ignores_schedule: Whether the rate stays what it was at first.
        standing_decay: A decoupled decay that is there in every case.
        average_beta: Share of the average of iterates at the place of the gradient, in
            schedule-free learning; 0: there is no average.
        average_power: Power of ``t`` in the average's weights.
        average_lr_power: Power of the largest rate so far in these weights.
        turn_tolerance: How near the rate that is learned for SGD must be to its average for SGD to
            take over (SWATS); 0: it never does.
        pace: Whether the rate is the one that is ``given``, or one that the rule finds by itself
            in every step, ``common`` to all tensors or of each ``tensor``.
    """

    lr: float
    beta1: float = 0.0
    beta2: float = 0.0
    eps: float = 0.0
    weight_decay: float = 0.0
    dampening: float | None = 0.0
    first_whole: bool = True
    lr_inside: bool = False
    nesterov: bool = False
    square: Square = "none"
    square_start: float = 0.0
    square_stale: bool = False
    normalised_first: bool = False
    epsilon: Epsilon = "outside"
    correction: Correction = "none"
    first_count: int = 1
    shared_count: bool = False
    decay: Decay = "coupled"
    decays_vectors: bool = True
    ascends: bool = False
    clip: Norm = "none"
    clip_at: float = 1.0
    centralised: bool = False
    bound: Norm = "none"
    bound_at: float = 1.0
    max_norm: Literal["none", "tensor", "slices"] = "none"
    max_norm_at: float = 1.0
    late: bool = False
    absent_is_zero: bool = False
    lazy: bool = False
    eps_inside: float = 0.0
    bound_first: bool = False
    trust: Trust = "none"
    trust_coefficient: float = 1.0
    trust_vectors: bool = True
    trust_eps: bool = False
    trust_cap: float = math.inf
    trust_apart: bool = False
    trust_of_decayed: bool = True
    trust_uncorrected: bool = False
    factored: bool = False
    growing: bool = False
    beta2_power: float = -0.8
    rms_scaled: bool = False
    rms_floor: float = 1e-3
    capped: bool = False
    ignores_schedule: bool = False
    standing_decay: float = 0.0
    average_beta: float = 0.0
    average_power: float = 0.0
    average_lr_power: float = 2.0
    turn_tolerance: float = 0.0
    pace: Pace = "given"
