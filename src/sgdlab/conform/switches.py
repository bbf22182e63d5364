"""The conventions that implementations differ in, in words, and the values that are tried."""

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from sgdlab.conform.rule import ReferenceRule
from sgdlab.terminal.numbers import number

WORDS: dict[str, dict[Any, str]] = {
    "decay": {
        "coupled": "adds weight decay to the gradient (coupled)",
        "decoupled": "shrinks the weights by lr · weight_decay beside the step (decoupled)",
        "after": "shrinks the weights by lr · weight_decay after the step, not before it",
        "constant": "shrinks the weights by weight_decay, not multiplied by lr",
        "by_schedule": "shrinks the weights by weight_decay · the schedule's factor, without lr",
        "corrected": "multiplies its decoupled decay by lr · √(1 - β₂ᵗ) / (1 - β₁ᵗ)",
        "momentum_only": "adds weight decay to the gradient for the momentum, not for the squares",
        "none": "applies no weight decay",
    },
    "decays_vectors": {
        True: "decays every tensor",
        False: "decays tensors of two or more axes only",
    },
    "epsilon": {
        "outside": "adds eps outside the root, after the bias correction",
        "uncorrected": "adds eps outside the root, before the bias correction",
        "inside": "adds eps inside the root, after the bias correction",
        "inside_uncorrected": "adds eps inside the root, before the bias correction",
        "floor": "takes eps as the least denominator instead of adding it",
    },
    "correction": {
        "both": "corrects the bias of both moments",
        "none": "corrects no bias",
        "first": "corrects the bias of the first moment only",
        "second": "corrects the bias of the second moment only",
    },
    "first_count": {1: "counts steps from 1", 2: "counts steps from 2 in the bias correction"},
    "shared_count": {
        False: "counts the steps of each tensor",
        True: "counts steps for all tensors together, those without a gradient, too",
    },
    "lr_inside": {
        False: "keeps lr outside of the momentum buffer (torch's form)",
        True: "has lr inside of the momentum buffer (Keras's form)",
    },
    "dampening": {
        0.0: "adds whole gradients to the momentum",
        None: "averages gradients by 1 - β₁",
    },
    "first_whole": {
        True: "takes the first gradient into the momentum undampened",
        False: "dampens the first gradient, too",
    },
    "nesterov": {False: "takes no Nesterov step", True: "takes Nesterov's step"},
    "square": {
        "none": "divides by no second moment",
        "average": "divides by the root of an average of squares",
        "sum": "divides by the root of the sum of all squares (Adagrad)",
        "max": "divides by the root of the largest average of squares so far (AMSGrad)",
        "max_corrected": "takes the largest average of squares (AMSGrad) after the bias correction",
        "infinity": "divides by the largest decayed |g| (Adamax)",
        "belief": "averages squares of g - m (AdaBelief)",
        "centred": "divides by the standard deviation (centred)",
    },
    "square_start": {0.0: "starts squares at 0", 1.0: "starts squares at 1"},
    "square_stale": {
        False: "has the newest gradient in the second moment",
        True: "divides by the second moment of the step before",
    },
    "normalised_first": {
        False: "divides the momentum of the gradients",
        True: "takes the momentum of gradients that are divided already",
    },
    "ascends": {False: "descends", True: "ascends (the sign of the gradient is turned)"},
    "clip": {
        "none": "clips no gradient",
        "global": "clips the global norm of the gradient",
        "torch": "clips the global norm of the gradient (plus 1e-6, as clip_grad_norm_)",
        "tensor": "clips the norm of each tensor's gradient",
        "value": "clips each entry of the gradient",
        "rms": "clips the root mean square of each tensor's gradient",
    },
    "centralised": {
        False: "takes gradients as they are",
        True: "takes the mean of each slice out of the gradient (gradient centralisation)",
    },
    "bound": {
        "none": "clips no update",
        "global": "clips the global norm of the update",
        "tensor": "clips the norm of each tensor's update",
        "value": "clips each entry of the update",
        "rms": "clips the root mean square of each tensor's update",
    },
    "max_norm": {
        "none": "bounds no norm of weights",
        "tensor": "bounds the norm of each tensor after the step (max-norm)",
        "slices": "bounds the norm of each row after the step (max-norm)",
    },
    "late": {False: "takes the step's own rate", True: "takes the rate of the step before"},
    "absent_is_zero": {
        False: "skips tensors without a gradient",
        True: "treats a missing gradient as zero",
    },
    "lazy": {
        False: "moves entries whose gradient is zero by their momentum",
        True: "leaves entries alone whose gradient is zero (lazy)",
    },
}
"""What each value of a switch means, as a predicate."""

NUMBERS = ("lr", "beta1", "beta2", "eps", "weight_decay")
"""Settings of a `ReferenceRule` that are numbers, by the names that they are shown under."""

_SHOWN = {"beta1": "momentum (β₁)", "beta2": "memory of squares (β₂)"}
_BOUNDS = {"clip": "clip_at", "bound": "bound_at", "max_norm": "max_norm_at"}

_COMMON: dict[str, tuple[float, ...]] = {
    "beta1": (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99),
    "beta2": (0.9, 0.95, 0.98, 0.99, 0.999, 0.9999),
    "eps": (0.0, 1e-16, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3),
    "clip_at": (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0),
    "bound_at": (0.1, 0.5, 1.0, 2.0, 5.0, 10.0),
    "max_norm_at": (0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
}
"""Numbers that are tried beside those that either optimizer has among its settings."""

Change = dict[str, Any]

Numbers = Mapping[str, set[float]]
"""Numbers to try, by field of `ReferenceRule`."""

STAGES = (
    (("no decay", "large gradients", "small gradients", "zero gradients"), (), 3),
    (("schedule",), ("lr_inside", "late"), 2),
    (
        ("decay", "decay, schedule", "clipped gradients", "tied weights"),
        ("decay", "decays_vectors", "weight_decay"),
        2,
    ),
    (("no gradients",), ("absent_is_zero", "shared_count", "lazy"), 2),
)
"""Cases, the switches that only they can tell, and how many of those may differ at once. The first
stage has all switches that no other has: what acts in its cases acts in all."""


def alternatives(rule: ReferenceRule, numbers: Numbers, stage: int) -> Iterator[Change]:
    """Yield every change of one switch or one number of a rule that a stage can tell.

    Args:
        rule: What is changed.
        numbers: By field of `ReferenceRule`, further values to try.
        stage: Its place in `STAGES`.
    """
    own = STAGES[stage][1]
    later = {name for _, names, _ in STAGES for name in names}
    for change in _every(rule, numbers):
        if all((name in own) if own else (name not in later) for name in change):
            yield change


def _every(rule: ReferenceRule, numbers: Numbers) -> Iterator[Change]:
    for name, values in WORDS.items():
        if name in _BOUNDS:
            continue
        present = getattr(rule, name)
        yield from ({name: value} for value in values if value != present)
    for name in NUMBERS:
        tried = {*_COMMON.get(name, ()), *numbers.get(name, ())}
        yield from ({name: value} for value in sorted(tried) if value != getattr(rule, name))
    for name, at in _BOUNDS.items():
        for kind in WORDS[name]:
            if kind == "none":
                continue
            tried = sorted({*_COMMON[at], *numbers.get(at, ())})
            yield from ({name: kind, at: value} for value in tried)


def said(one: ReferenceRule, other: ReferenceRule, a: str, b: str) -> list[str]:
    """Return a clause for each switch and number that two rules differ in."""
    clauses: list[str] = []
    for each in fields(ReferenceRule):
        left, right = getattr(one, each.name), getattr(other, each.name)
        if left == right or each.name in _BOUNDS.values():
            continue
        if each.name in NUMBERS:
            shown = _SHOWN.get(each.name, each.name)
            clauses.append(f"{shown} is {number(left)} in {a}, {number(right)} in {b}")
            continue
        clauses.append(f"{a} {_predicate(one, each.name)}; {b} {_predicate(other, each.name)}")
    return clauses


def _predicate(rule: ReferenceRule, name: str) -> str:
    value = getattr(rule, name)
    text = WORDS[name].get(value, f"has {name} = {value}")
    at = _BOUNDS.get(name)
    return text if at is None or value == "none" else f"{text} at {number(getattr(rule, at))}"


def changed(rule: ReferenceRule, changes: Change) -> ReferenceRule:
    """Return a rule with changes made."""
    return replace(rule, **changes)
