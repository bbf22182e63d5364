"""Whether two optimizers are the same, where they part first, and which convention explains it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from sgdlab.conform.family import in_family
from sgdlab.conform.hypotheses import (
    Hypothesis,
    aligned,
    by_flags,
    by_pairs,
    by_settings,
    by_wraps,
    in_full_precision,
    settings_apart,
)
from sgdlab.conform.lockstep import Difference, Lockstep, Weights, first_difference, follow
from sgdlab.conform.sides import Side
from sgdlab.conform.tape import Array, flat
from sgdlab.errors import InputError

_APART = "no gradients"
"""The case whose conventions (whose steps count, what a missing gradient is) go with any other."""

SINGLE_PRECISION = 1e-5
"""Differences below this share are of the size that a float32 buffer leaves."""


@dataclass
class Verdict:
    """What was found.

    Attributes:
        trial: What was tried.
        differences: Of each case, where the two part; None where they do not.
        causes: Changes of which each makes the two agree in every case, in words.
        how: By which kind of hypothesis: ``settings``, ``precision``, ``family``, ``flags``,
            ``wraps`` or ``pairs``.
        partly: A change that makes the two agree in every case but ``no gradients``, where each
            change that was tried leaves a difference; empty where there is none.
        tried: How many hypotheses of each kind were tried.
    """

    trial: Lockstep
    differences: list[Difference | None]
    causes: list[str] = field(default_factory=list)
    how: str = ""
    partly: str = ""
    tried: dict[str, int] = field(default_factory=dict)

    @property
    def is_same(self) -> bool:
        """Whether they agree in every case."""
        return not any(self.differences)

    @property
    def first(self) -> Difference | None:
        """Where they part in the first case in which they do."""
        return next((each for each in self.differences if each), None)

    @property
    def is_rounding(self) -> bool:
        """Whether they differ by no more than a buffer in single precision explains."""
        found = [each.relative for each in self.differences if each]
        return bool(found) and max(found) < SINGLE_PRECISION


def conform(trial: Lockstep) -> Verdict:
    """Run two optimizers in lockstep, and look for the cause where they differ.

    Raises:
        InputError: Either cannot be built or fails in a step.
    """
    tracks = {name: _tracks(trial, side) for name, side in (("a", trial.a), ("b", trial.b))}
    verdict = Verdict(trial, _differences(trial, tracks["a"], tracks["b"]))
    if not verdict.is_same:
        with np.errstate(all="ignore"):  # weights may have overflown
            _explain(verdict, tracks["a"], tracks["b"])
    return verdict


def _tracks(trial: Lockstep, side: Side) -> list[list[Weights]]:
    return [list(follow(trial, side, case)) for case in trial.cases]


def _explain(verdict: Verdict, a: list[list[Weights]], b: list[list[Weights]]) -> None:
    """Try the kinds of hypotheses in turn, until one makes the two agree."""
    trial = verdict.trial
    ratio, back = _ratio(trial, a, b), _ratio(trial, b, a)
    _try(verdict, "settings", by_settings(trial), b)
    if not verdict.causes:
        _try_family(verdict, a, b)
    for words, alike in aligned(trial):
        # A track of A is one of its own settings: with B's, only A can be made to agree.
        sides = [("a", alike.a, b, ratio), ("b", alike.b, a, back)][: 1 if words else 2]
        for kind in ("flags", "wraps"):
            for name, side, other, times in sides:
                if verdict.causes:
                    return
                made = (
                    by_flags(side, name) if kind == "flags" else by_wraps(alike, side, name, times)
                )
                told = ((words + text, changed, wrap) for text, changed, wrap in made)
                _try(verdict, kind, told, other)
    if not verdict.causes:
        _try_pairs(verdict)


def _try_family(verdict: Verdict, a: list[list[Weights]], b: list[list[Weights]]) -> None:
    """Look for both among reference rules, in full precision if they take it."""
    if verdict.trial.by_closure:
        return
    words, trial = in_full_precision(verdict.trial)
    if words:
        a, b = _tracks(trial, trial.a), _tracks(trial, trial.b)
        _note(verdict, "precision", "; ".join(words), _differences(trial, a, b))
        if verdict.causes:
            return
    causes, verdict.tried["family"] = in_family(trial, a, b)
    verdict.causes = [
        "; and ".join([each.format(a="A", b="B") for each in words] + [cause]) for cause in causes
    ]
    verdict.how = "family" if causes else ""


def _differences(
    trial: Lockstep, a: list[list[Weights]], b: list[list[Weights]]
) -> list[Difference | None]:
    return [
        first_difference(trial, case, one, other)
        for case, one, other in zip(trial.cases, a, b, strict=True)
    ]


def _try_pairs(verdict: Verdict) -> None:
    """Change both optimizers; the first changes under which they agree are enough."""
    trial = verdict.trial
    for words, a, b in by_pairs(trial):
        other = replace(trial, a=a, b=b)
        made = (
            first_difference(other, case, follow(other, a, case), follow(other, b, case))
            for case in trial.cases
        )
        _note(verdict, "pairs", words, made)
        if verdict.causes:
            return


def _try(
    verdict: Verdict, kind: str, hypotheses: Iterable[Hypothesis], other: list[list[Weights]]
) -> None:
    """Add the hypotheses under which one optimizer does what the other did."""
    trial = verdict.trial
    for words, side, wrap in hypotheses:
        if verdict.causes and kind == "settings":
            return  # several settings, of which one is enough
        made = (
            first_difference(trial, case, follow(trial, side, case, wrap), track)
            for case, track in zip(trial.cases, other, strict=True)
        )
        _note(verdict, kind, words, made)


def _note(
    verdict: Verdict, kind: str, words: str, differences: Iterable[Difference | None]
) -> None:
    """Look at the differences that a hypothesis leaves, case by case, as long as it may hold."""
    verdict.tried[kind] = verdict.tried.get(kind, 0) + 1
    left: list[Difference] = []
    try:
        for each in differences:
            if each is not None:
                left.append(each)
                if each.case != _APART:
                    return
    except InputError:
        return  # an optimizer does not take this setting
    text = words.format(a="A", b="B")
    if not left:
        verdict.causes.append(text)
        verdict.how = kind
    elif any(each and each.case != _APART for each in verdict.differences):
        verdict.partly = verdict.partly or text


def _ratio(trial: Lockstep, one: list[list[Weights]], other: list[list[Weights]]) -> float | None:
    """Return how many times as long the other's first step is, if that is one number."""
    start = dict(trial.cases[0].model().named_parameters())
    before = flat({name: p.detach() for name, p in start.items()}, trial.only)
    left, right = (flat(t[0][0], trial.only) - before for t in (one, other))
    moved = np.abs(left) > 1e-9 * max(float(np.abs(left).max()), 1e-300)
    if not moved.any():
        return None
    ratios: Array = right[moved] / left[moved]
    # Each is a difference of weights, exact to some 1e-16 of them.
    longest = ratios[np.argmax(np.abs(left[moved]))]
    if not np.isfinite(longest):
        return None
    return float(longest) if np.allclose(ratios, longest, rtol=1e-6) else None


def tried_in_words(verdict: Verdict) -> Iterator[str]:
    """Yield what was tried, a line for each kind of hypothesis."""
    kinds = {
        "settings": "settings that both have, with the value of the other",
        "precision": "buffers in full precision",
        "family": "members of the family of SGD, Adam, Adagrad, LARS, LAMB and Adafactor",
        "flags": "flags of either, turned",
        "wraps": "decay, clipping, sign and rate, applied around either",
        "pairs": "flags and settings changed in both",
    }
    yield from (f"{verdict.tried[k]:,} {text}" for k, text in kinds.items() if verdict.tried.get(k))


def apart(verdict: Verdict) -> list[str]:
    """Return the names of settings that both have with different values."""
    return sorted(settings_apart(verdict.trial))
