"""Which conventions and numbers of a `ReferenceRule` are tried, and where each can be seen."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from typing import Any

from sgdlab.conform.conventions import WORDS
from sgdlab.conform.rule import ReferenceRule
from sgdlab.terminal.numbers import number

_SHOWN = {
    "lr": "lr", "beta1": "momentum (β₁)", "beta2": "memory of squares (β₂)", "eps": "eps",
    "weight_decay": "weight_decay", "beta2_power": "power of the growing memory of squares",
    "eps_inside": "what is added to squares within the root, beside eps,",
    "trust_coefficient": "factor of the trust ratio", "trust_cap": "largest |w| in the trust ratio",
    "rms_floor": "least root mean square that the rate is multiplied by",
    "standing_decay": "decoupled decay that no weight_decay turns off",
    "average_beta": "share of the average of iterates (β)",
    "average_power": "power of the step in the average's weights",
    "average_lr_power": "power of lr in the average's weights",
    "turn_tolerance": "tolerance at which Adam turns into SGD (SWATS; 0: never)",
}  # fmt: skip
NUMBERS = tuple(_SHOWN)
"""Settings of a `ReferenceRule` that are numbers; above, what they are called."""

_BOUNDS = {"clip": "clip_at", "bound": "bound_at", "max_norm": "max_norm_at"}

_COMMON: dict[str, tuple[float, ...]] = {
    "beta1": (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99),
    "beta2": (0.9, 0.95, 0.98, 0.99, 0.999, 0.9999),
    "eps": (0.0, 1e-16, 1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3),
    "clip_at": (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0),
    "bound_at": (0.1, 0.5, 1.0, 2.0, 5.0, 10.0),
    "max_norm_at": (0.5, 1.0, 2.0, 3.0, 4.0, 5.0),
    "beta2_power": (-0.5, -0.8, -1.0),
    "eps_inside": (0.0, 1e-30, 1e-16, 1e-15, 1e-12, 1e-10, 1e-8),
    "trust_coefficient": (0.001, 0.01, 0.02, 1.0),
    "trust_cap": (1.0, 5.0, 10.0, math.inf),
    "rms_floor": (0.0, 1e-3),
    "standing_decay": (0.0,),
    "turn_tolerance": (0.0, 1e-9, 1e-3),
    "average_power": (0.0, 1.0, 2.0),
    "average_lr_power": (0.0, 1.0, 2.0),
}
"""Numbers that are tried beside those that either optimizer has among its settings."""

Change = dict[str, Any]

Numbers = Mapping[str, set[float]]
"""Numbers to try, by field of `ReferenceRule`."""

STAGES = (
    (("no decay", "large gradients", "small gradients", "zero gradients"), (), 3),
    (("schedule",), ("lr_inside", "late", "ignores_schedule"), 2),
    (
        ("decay", "decay, schedule", "clipped gradients", "tied weights"),
        ("decay", "decays_vectors", "weight_decay", "trust_apart", "trust_of_decayed"),
        2,
    ),
    (("no gradients",), ("absent_is_zero", "shared_count", "lazy"), 2),
)
"""Cases, the switches that only they can tell, and how many of those may differ at once. The first
stage has all switches that no other has: what acts in its cases acts in all."""


def _trusts(rule: ReferenceRule) -> bool:
    return rule.trust != "none"


def _averages(rule: ReferenceRule) -> bool:
    return rule.average_beta > 0


_ONLY_IF: dict[str, Callable[[ReferenceRule], bool]] = {
    "trust_coefficient": _trusts, "trust_vectors": _trusts, "trust_eps": _trusts,
    "trust_cap": _trusts, "trust_apart": lambda rule: rule.trust == "gradient",
    "trust_of_decayed": lambda rule: rule.trust == "update",
    "trust_uncorrected": lambda rule: rule.trust == "update" and rule.correction != "none",
    "average_beta": _averages, "average_power": _averages, "average_lr_power": _averages,
    "rms_floor": lambda rule: rule.rms_scaled,
    "beta2_power": lambda rule: rule.growing, "factored": lambda rule: rule.square != "none",
    "growing": lambda rule: rule.square == "average", "eps_inside": lambda r: r.square != "none",
    "turn_tolerance": lambda rule: rule.turn_tolerance > 0,
    "bound_first": lambda rule: rule.bound != "none" and rule.normalised_first,
    "pace": lambda rule: rule.pace != "given",
}  # fmt: skip
"""Where a switch can act at all."""

_VALUE_ONLY_IF: dict[tuple[str, Any], Callable[[ReferenceRule], bool]] = {
    ("decay", "in_update"): lambda rule: rule.trust == "update" or _averages(rule),
    ("decay", "corrected"): lambda rule: rule.correction != "none",
    ("decay", "scaled"): lambda rule: rule.rms_scaled or rule.capped,
    ("pace", "given"): lambda rule: False,  # what has no rate to be given cannot be tried with one
}
"""Where a value is not the same as another one."""


def _acts(rule: ReferenceRule, name: str, value: Any) -> bool:
    at, by = _ONLY_IF.get(name), _VALUE_ONLY_IF.get((name, value))
    return (at is None or at(rule)) and (by is None or by(rule))


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
        yield from ({name: v} for v in values if v != present and _acts(rule, name, v))
    for name in NUMBERS:
        tried = sorted({*_COMMON.get(name, ()), *numbers.get(name, ())})
        present = getattr(rule, name)
        yield from ({name: v} for v in tried if v != present and _acts(rule, name, v))
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
            clauses.append(f"{_SHOWN[each.name]} is {number(left)} in {a}, {number(right)} in {b}")
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
