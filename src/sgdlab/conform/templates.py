"""Well-known members of the family of `ReferenceRule`, with an optimizer's numbers."""

import functools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sgdlab.checks import is_number
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.switches import changed

_NAMES = {
    "lr": ("lr", "learning_rate"), "beta1": ("momentum", "beta1", "beta", "mu"),
    "beta2": ("alpha", "rho", "beta2", "decay_rate"), "eps": ("eps", "epsilon"),
    "weight_decay": ("weight_decay", "wd"), "beta2_power": ("beta2_decay", "decay_rate"),
    "trust_coefficient": ("trust_coefficient", "trust_coef"),
    "trust_cap": ("phi_upper", "clamp_value"), "rms_floor": ("eps2",),
    "average_beta": ("momentum", "beta1"), "average_power": ("r",),
    "average_lr_power": ("weight_lr_power",), "turn_tolerance": ("switch_tolerance",),
}  # fmt: skip
"""What implementations call the numbers of a `ReferenceRule`."""


def numbers_in(*settings: Mapping[str, Any]) -> dict[str, set[float]]:
    """Return the numbers among settings, by the field of a rule that they may belong to."""
    found: dict[str, set[float]] = {}
    for each in settings:
        flat = _flat(each)
        for name, aliases in _NAMES.items():
            found.setdefault(name, set()).update(flat[a] for a in aliases if a in flat)
        # A bound may be called anything.
        other = {v for k, v in flat.items() if v > 0 and k not in sum(_NAMES.values(), ())}
        for name in ("clip_at", "bound_at", "max_norm_at", "square_start", "standing_decay"):
            found.setdefault(name, set()).update(other)
    return found


def _flat(settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers among settings, those of ``betas`` by the names of their own."""
    found = {k: float(v) for k, v in settings.items() if is_number(v)}
    betas = settings.get("betas")
    if isinstance(betas, Sequence):
        pairs = zip(("beta1", "beta2"), betas, strict=False)
        found |= {name: float(v) for name, v in pairs if is_number(v)}
    eps = settings.get("eps")
    if isinstance(eps, Sequence):  # Adafactor's two
        pairs = zip(("eps1", "eps2"), eps, strict=False)
        found |= {name: float(v) for name, v in pairs if is_number(v)}
    return found


def templates(settings: Mapping[str, Any], decay: float) -> Iterator[ReferenceRule]:
    """Yield well-known rules with the numbers of an optimizer's settings.

    Those that the rule of an optimizer is likely to be come first.

    Args:
        settings: The settings.
        decay: The weight decay of cases that have it.
    """
    flat = _flat(settings)
    own = functools.partial(_own, flat)
    lr = own("lr", 1e-3)
    common: dict[str, Any] = {"lr": lr, "weight_decay": decay}
    flags: dict[str, Any] = {"nesterov": bool(settings.get("nesterov"))}
    beta1 = own("beta1", 0.0)
    beta2 = flat.get("beta2", own("beta2", 0.999))
    eps = own("eps", 1e-8)
    sgd = ReferenceRule(**common, **flags, beta1=beta1, dampening=flat.get("dampening", 0.0))
    square = "max" if settings.get("amsgrad") else "average"
    adam = ReferenceRule(
        **common, beta1=flat.get("beta1", beta1 or 0.9), beta2=beta2, eps=eps, square=square,
        dampening=None, first_whole=False, correction="both",
    )  # fmt: skip
    start = flat.get("initial_accumulator_value", 0.0)
    squares: dict[str, Any] = {"beta2": own("beta2", 0.99), "eps": eps, "normalised_first": True}
    centred = "centred" if settings.get("centered") else "average"
    yield from (sgd, adam, changed(adam, {"decay": "decoupled"}))
    yield changed(sgd, {"lr_inside": True})
    yield ReferenceRule(**common, **squares, beta1=beta1, square=centred, first_whole=False)
    yield ReferenceRule(**common, eps=eps, square="sum", square_start=start)
    yield changed(adam, {"square": "infinity", "correction": "first"})
    yield changed(adam, {"square": "belief"})
    if tolerance := own("turn_tolerance", 0.0):
        swats = {"epsilon": "uncorrected", "shared_count": True, "turn_tolerance": tolerance}
        yield changed(adam, swats)
    yield from _by_layer(settings, sgd, adam)
    yield from _schedule_free(settings, sgd, adam)


def paced(settings: Mapping[str, Any], decay: float) -> Iterator[ReferenceRule]:
    """Yield well-known rules whose rate is their own, see `ReferenceRule.pace`."""
    sgd, adam, adamw, *_ = templates(settings, decay)
    for pace in ("common", "tensor"):
        yield from (changed(rule, {"pace": pace}) for rule in (sgd, adam, adamw))


def _by_layer(
    settings: Mapping[str, Any], sgd: ReferenceRule, adam: ReferenceRule
) -> Iterator[ReferenceRule]:
    """Yield LARS, two forms of LAMB, and Adafactor without and with momentum."""
    flat = _flat(settings)
    ratio = {"trust_cap": _own(flat, "trust_cap", math.inf)}
    yield changed(sgd, {
        **ratio, "trust": "gradient", "trust_coefficient": _own(flat, "trust_coefficient", 1e-3),
        "trust_vectors": False, "trust_eps": True, "trust_apart": True,
        "eps": _own(flat, "eps", 0.0), "dampening": 0.0,
    })  # fmt: skip
    lamb = changed(adam, {**ratio, "trust": "update", "trust_vectors": False, "decay": "in_update"})
    yield lamb
    everywhere = {"trust_vectors": True, "trust_eps": True}
    yield changed(lamb, {**everywhere, "trust_uncorrected": True, "correction": "first"})
    eps = flat.get("eps1", flat.get("eps", sys.float_info.epsilon))
    adafactor = ReferenceRule(
        lr=sgd.lr, weight_decay=sgd.weight_decay, eps=eps, epsilon="floor", square="average",
        factored=True, growing=True, beta2_power=_own(flat, "beta2_power", -0.8), capped=True,
        rms_scaled=True, rms_floor=_own(flat, "rms_floor", 1e-3), bound="rms",
        bound_at=flat.get("d", flat.get("clip_threshold", 1.0)), decay="decoupled",
    )  # fmt: skip
    yield adafactor
    alone = {"lr": 0.01, "ignores_schedule": True} if settings.get("relative_step") else {}
    yield changed(adafactor, {
        **alone, "beta1": flat.get("beta1", 0.0), "dampening": None, "first_whole": False,
        "lr_inside": True, "normalised_first": True, "bound_first": True, "decay": "scaled",
        "capped": bool(alone), "shared_count": True,
    })  # fmt: skip


def _schedule_free(
    settings: Mapping[str, Any], sgd: ReferenceRule, adam: ReferenceRule
) -> Iterator[ReferenceRule]:
    """Yield schedule-free SGD and AdamW."""
    flat = _flat(settings)
    averaged = {
        "beta1": 0.0, "shared_count": True, "average_beta": _own(flat, "average_beta", 0.9),
        "average_power": _own(flat, "average_power", 0.0),
        "average_lr_power": _own(flat, "average_lr_power", 2.0),
    }  # fmt: skip
    yield changed(sgd, averaged)
    yield changed(adam, {**averaged, "correction": "second", "decay": "in_update"})


def _own(flat: Mapping[str, float], name: str, default: float) -> float:
    return next((flat[alias] for alias in _NAMES[name] if alias in flat), default)
