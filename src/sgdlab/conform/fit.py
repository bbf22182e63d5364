"""Which `ReferenceRule` an optimizer is, and which change makes it another one."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields

import numpy as np

from sgdlab.conform.cases import ConformCase
from sgdlab.conform.rule import ReferenceRule
from sgdlab.conform.switches import NUMBERS, STAGES, Change, Numbers, alternatives, changed
from sgdlab.conform.tape import Array, Tape
from sgdlab.conform.trajectory import weights_after

_ROUNDING = 1e-13


@dataclass
class Tracks:
    """What an optimizer did in every case, to be reproduced.

    Attributes:
        cases: The cases with their tapes.
        tracks: The weights after each step, ``[steps, P]``, in each case.
        tolerance: Largest difference that is none, as a share of how far a tensor has moved.
        tried: How many rules were compared with it.
    """

    cases: Sequence[tuple[ConformCase, Tape]]
    tracks: Sequence[Array]
    tolerance: float
    tried: int = field(default=0)

    def is_met_by(self, rule: ReferenceRule, stage: int) -> bool:
        """Say whether a rule makes the same steps in the cases of a stage."""
        self.tried += 1
        with np.errstate(all="ignore"):
            return all(
                self._meets(rule, case, tape, track)
                for (case, tape), track in zip(self.cases, self.tracks, strict=True)
                if case.name in STAGES[stage][0]
            )

    def tells(self, one: ReferenceRule, other: ReferenceRule, stage: int) -> bool:
        """Say whether two rules part in any case of a stage."""
        with np.errstate(all="ignore"):
            return any(
                not np.array_equal(w, v)
                for case, tape in self.cases
                if case.name in STAGES[stage][0]
                for w, v in zip(
                    weights_after(one, case, tape), weights_after(other, case, tape), strict=True
                )
            )

    def rates_of(self, rule: ReferenceRule) -> list[float]:
        """Return the rates of the first case that a rule with a pace of its own finds."""
        (case, tape), rates = self.cases[0], list[float]()
        for _ in weights_after(rule, case, tape, self.tracks[0], rates):
            pass
        return rates

    def _meets(self, rule: ReferenceRule, case: ConformCase, tape: Tape, track: Array) -> bool:
        size = max(1.0, float(np.abs(tape.start).max()))
        for w, seen in zip(weights_after(rule, case, tape, track), track, strict=True):
            apart = np.maximum.reduceat(np.abs(w - seen), tape.tensors)
            moved = np.maximum.reduceat(np.abs(seen - tape.start), tape.tensors)
            if not (apart <= self.tolerance * moved + _ROUNDING * size).all():  # NaN is no match
                return False
        return True


def nearest(
    rule: ReferenceRule, target: Tracks, numbers: Numbers, most: int
) -> list[ReferenceRule]:
    """Return the rules that meet a target with the fewest changes of another one.

    The search goes stage by stage (`STAGES`), since what only decay shows need not be tried where
    there is none: in each, all rules of the smallest number of changes go on. Where no change of
    its own switches helps, all switches are tried, which earlier stages may not have shown.

    Args:
        rule: Where the search starts.
        target: What is to be reproduced.
        numbers: By field of `ReferenceRule`, values to try.
        most: Changes in one stage, at most; a stage may allow less.
    """
    found = [rule]
    for stage, (_, _, allowed) in enumerate(STAGES):
        ahead = [_nearest(each, target, numbers, [stage], min(most, allowed)) for each in found]
        if found and not any(rules for _, rules in ahead):  # what an earlier one could not show
            seen = list(range(stage + 1))
            ahead = [_nearest(each, target, numbers, seen, min(most, 2)) for each in found]
        fewest = min((count for count, _ in ahead), default=most)
        found = list(dict.fromkeys(r for count, rules in ahead if count == fewest for r in rules))
    return found


def brought_together(
    one: ReferenceRule, other: ReferenceRule, of_one: Tracks, of_other: Tracks
) -> tuple[ReferenceRule, ReferenceRule]:
    """Return two rules that differ in less, each of which does what it did.

    Field by field, one takes the value of the other where that changes none of its steps, as what
    says how a momentum is taken in does where there is none.
    """
    for each in fields(ReferenceRule):
        left, right = getattr(one, each.name), getattr(other, each.name)
        if left == right or (each.name == "pace" and "given" in (left, right)):
            continue  # any rate that is given can be found, too, which would explain nothing
        for rule, of, value in ((one, of_one, right), (other, of_other, left)):
            tried = changed(rule, {each.name: value})
            if all(of.is_met_by(tried, stage) for stage in range(len(STAGES))):
                one, other = (tried, other) if rule is one else (one, tried)
                break
    return one, other


def _nearest(
    rule: ReferenceRule,
    target: Tracks,
    numbers: Numbers,
    stages: Sequence[int],
    most: int,
) -> tuple[int, list[ReferenceRule]]:
    """Return how many changes the cases of some stages need, and all rules with so many.

    Of three changes, those are left out that do nothing alone, and numbers that neither optimizer
    has among its settings.
    """

    def is_met(each: ReferenceRule) -> bool:
        return all(target.is_met_by(each, stage) for stage in stages)

    if is_met(rule):
        return 0, [rule]
    changes = [c for stage in stages for c in alternatives(rule, numbers, stage)]
    for count in range(1, most + 1):
        if count == 3:
            own = [change for change in changes if _is_own(change, numbers)]
            changes = [c for c in own if target.tells(rule, changed(rule, c), stages[0])]
        if found := [each for each in _combined(rule, changes, count) if is_met(each)]:
            return count, found
    return most + 1, []


def _is_own(change: Change, numbers: Numbers) -> bool:
    def is_told(name: str, value: float) -> bool:
        if name.endswith("_at"):
            return value == 1.0
        return name not in NUMBERS or value in numbers.get(name, ())

    return all(not isinstance(v, float) or is_told(name, v) for name, v in change.items())


def _combined(
    rule: ReferenceRule, changes: Iterable[Change], count: int
) -> Iterator[ReferenceRule]:
    for several in itertools.combinations(changes, count):
        names = [name for each in several for name in each]
        if len(set(names)) == len(names):
            yield changed(rule, {k: v for each in several for k, v in each.items()})
