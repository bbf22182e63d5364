"""The cause of a difference among the switches of `ReferenceRule`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sgdlab.conform.cases import ConformCase
from sgdlab.conform.fit import Tracks, brought_together, nearest
from sgdlab.conform.lockstep import Lockstep, Weights
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.sides import Side
from sgdlab.conform.switches import Numbers, said
from sgdlab.conform.tape import Tape, flat, tape_of
from sgdlab.conform.templates import numbers_in, paced, templates

MOST_CHANGES = 3
"""Conventions that may differ at once where there is neither decay nor schedule."""

_RATES_SHOWN = 4

Templates = Callable[[Mapping[str, Any], float], Iterable[ReferenceRule]]
"""Well-known rules with the numbers of settings and a weight decay."""

Run = list[list[Weights]]
"""The weights after each step, in each case."""


def in_family(trial: Lockstep, a: Run, b: Run) -> tuple[list[str], int]:
    """Return in what two members of the family differ, and how many rules were tried.

    One of the two is recognised as a rule; the fewest changes that make it the other are the cause.
    Where both are, they may differ in any number of conventions.

    Args:
        trial: The optimizers and cases.
        a: What the first did.
        b: What the second did.

    Returns:
        A sentence for each smallest set of changes; none where neither optimizer is a member, or
        the other is too far away.
    """
    tapes = [(case, tape_of(case, trial.only)) for case in trial.cases]
    of = {"a": _target(trial, tapes, a), "b": _target(trial, tapes, b)}
    numbers = numbers_in(*(s.defaults | s.settings for s in (trial.a, trial.b)))
    for side, run in ((trial.a, a), (trial.b, b)):
        numbers["max_norm_at"] |= _largest_norms(trial, tapes, run)
        numbers["weight_decay"] |= {f * trial.decay_of(side) for f in (0.5, 1.0, 2.0)}
    causes = _explained(trial, of, numbers, templates)
    if not causes:  # a rate that is the optimizer's own explains much: it is the last that is tried
        causes = _explained(trial, of, numbers, _with_paced, is_last=True)
    return causes, sum(each.tried for each in of.values())


def _with_paced(settings: Mapping[str, Any], decay: float) -> Iterator[ReferenceRule]:
    yield from templates(settings, decay)
    yield from paced(settings, decay)


def _explained(
    trial: Lockstep,
    of: Mapping[str, Tracks],
    numbers: Numbers,
    known: Templates,
    *,
    is_last: bool = False,
) -> list[str]:
    """Return in what two optimizers differ, of which one or both are recognised."""
    sides = {"a": trial.a, "b": trial.b}
    rules = {n: _member(side, of[n], trial.decay_of(side), known) for n, side in sides.items()}
    a, b = rules["a"], rules["b"]
    if is_last and not any(rule and rule.pace != "given" for rule in (a, b)):
        return []
    pairs: list[tuple[ReferenceRule, ReferenceRule]] = []
    most = MOST_CHANGES if a is None or b is None else 1  # more are found without a search
    if a is not None and (b is None or a.pace == b.pace):
        pairs = [(a, each) for each in nearest(a, of["b"], numbers, most)]
    if b is not None and (a is None or a.pace == b.pace) and not pairs:
        pairs = [(each, b) for each in nearest(b, of["a"], numbers, most)]
    if a is not None and b is not None and not pairs:
        pairs = [brought_together(a, b, of["a"], of["b"])]
    told = ("; and ".join([*said(x, y, "A", "B"), *_rates(of, a=x, b=y)]) for x, y in pairs)
    return list(dict.fromkeys(told))


def _rates(of: Mapping[str, Tracks], **rules: ReferenceRule) -> Iterator[str]:
    """Yield the first rates that rules with a pace of their own have found."""
    for name, rule in rules.items():
        if rule.pace != "given":
            rates = of[name].rates_of(rule)[:_RATES_SHOWN]
            yield f"{name.upper()}'s first rates are {', '.join(f'{rate:.6g}' for rate in rates)}"


def _target(trial: Lockstep, tapes: Sequence[tuple[ConformCase, Tape]], tracks: Run) -> Tracks:
    flats = [np.stack([flat(w, trial.only) for w in track]) for track in tracks]
    return Tracks(tapes, flats, trial.tolerance)


def _member(side: Side, target: Tracks, decay: float, templates: Templates) -> ReferenceRule | None:
    """Return the rule that an optimizer is, with at most one change of a well-known one."""
    known = list(templates(side.defaults | side.settings, decay))
    for most in (0, 1):
        for rule in known:
            if found := nearest(rule, target, numbers_in(side.defaults | side.settings), most):
                return found[0]
    return None


def _largest_norms(
    trial: Lockstep, tapes: Sequence[tuple[ConformCase, Tape]], run: Run
) -> set[float]:
    """Return the largest norm of a tensor, and of a slice, at the end of each case."""
    return {
        float(tape.norms(flat(track[-1], trial.only), of).max())
        for (_, tape), track in zip(tapes, run, strict=True)
        for of in ("tensor", "slices")
    }
