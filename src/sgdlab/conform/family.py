"""The cause of a difference among the switches of `ReferenceRule`."""

from collections.abc import Sequence

import numpy as np

from sgdlab.conform.cases import ConformCase
from sgdlab.conform.fit import Tracks, nearest, numbers_in, templates
from sgdlab.conform.lockstep import Lockstep, Weights
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.sides import Side
from sgdlab.conform.switches import said
from sgdlab.conform.tape import Tape, flat, tape_of

MOST_CHANGES = 3
"""Conventions that may differ at once where there is neither decay nor schedule."""

Run = list[list[Weights]]
"""The weights after each step, in each case."""


def in_family(trial: Lockstep, a: Run, b: Run) -> tuple[list[str], int]:
    """Return in what two members of the family differ, and how many rules were tried.

    One of the two is recognised as a rule; the fewest changes that make it the other are the cause.

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
    causes: list[str] = []
    for side, own, other in ((trial.a, "a", "b"), (trial.b, "b", "a")):
        rule = _member(side, of[own], trial.decay_of(side))
        if rule is not None and not causes:
            found = nearest(rule, of[other], numbers, MOST_CHANGES)
            pairs = [(rule, each) if own == "a" else (each, rule) for each in found]
            told = ("; and ".join(said(one, two, "A", "B")) for one, two in pairs)
            causes = list(dict.fromkeys(told))
        if causes:
            break
    return causes, sum(each.tried for each in of.values())


def _target(trial: Lockstep, tapes: Sequence[tuple[ConformCase, Tape]], tracks: Run) -> Tracks:
    flats = [np.stack([flat(w, trial.only) for w in track]) for track in tracks]
    return Tracks(tapes, flats, trial.tolerance)


def _member(side: Side, target: Tracks, decay: float) -> ReferenceRule | None:
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
