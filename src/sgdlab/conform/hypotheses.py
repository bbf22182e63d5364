"""What is changed of an optimizer, or of both, to see whether they then agree.

Settings come first, then the family of `sgdlab.conform.rule`, which is not here; the others are for
optimizers that are no members of it.
"""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch

from sgdlab.conform.lockstep import Lockstep, Wrap
from sgdlab.conform.sides import IMPLEMENTATION, Side
from sgdlab.conform.wraps import DECAYS, around
from sgdlab.terminal.numbers import setting

Hypothesis = tuple[str, Side, Wrap | None]
"""What is changed of the one optimizer, in words, and what is run instead."""


def settings_apart(trial: Lockstep) -> dict[str, tuple[Any, Any]]:
    """Return the settings that both have under one name with different values."""
    a, b = trial.a.settings, trial.b.settings
    return {
        name: (a[name], b[name])
        for name in a.keys() & b.keys()
        if name not in IMPLEMENTATION and a[name] != b[name]
    }


def by_settings(trial: Lockstep) -> Iterator[Hypothesis]:
    """Yield the first optimizer with one of the other's settings, then with all of them."""
    apart = settings_apart(trial)
    for name, (left, right) in sorted(apart.items()):
        words = f"{name} is {setting(left)} in {{a}}, {setting(right)} in {{b}}"
        yield words, _with(trial.a, {name: right}), None
    if len(apart) > 1:
        yield (
            _apart_in_words(apart),
            _with(trial.a, {n: right for n, (_, right) in apart.items()}),
            None,
        )


def aligned(trial: Lockstep) -> Iterator[tuple[str, Lockstep]]:
    """Yield the trial as it is, and with the second optimizer's settings in both, with words."""
    yield "", trial
    if apart := settings_apart(trial):
        words = _apart_in_words(apart)
        a = _with(trial.a, {name: right for name, (_, right) in apart.items()})
        yield f"{words}; and ", replace(trial, a=a)


def _apart_in_words(apart: dict[str, tuple[Any, Any]]) -> str:
    return "; ".join(
        f"{name} is {setting(left)} in {{a}}, {setting(right)} in {{b}}"
        for name, (left, right) in sorted(apart.items())
    )


def in_full_precision(trial: Lockstep) -> tuple[list[str], Lockstep]:
    """Return which settings make either keep numbers in less than float64, and a trial without.

    What such a buffer rounds hides all smaller differences, and is one itself.
    """
    words: list[str] = []
    sides: dict[str, Side] = {}
    for name, side in (("a", trial.a), ("b", trial.b)):
        short = {k: v for k, v in side.settings.items() if isinstance(v, torch.dtype)}
        short = {k: v for k, v in short.items() if v.is_floating_point and v != torch.float64}
        sides[name] = side.with_settings(dict.fromkeys(short, torch.float64)) if short else side
        words += [f"{{{name}}} keeps numbers in {str(v)[6:]} ({k})" for k, v in short.items()]
    return words, replace(trial, **sides)


def by_flags(side: Side, name: str) -> Iterator[Hypothesis]:
    """Yield an optimizer with each of its flags turned."""
    for key, value in _flags(side):
        words = f"{{{name}}} has {key}={setting(value)}, and agrees with {key}={setting(not value)}"
        yield words, _with(side, {key: not value}), None


def _with(side: Side, changes: dict[str, Any]) -> Side:
    lists = {k: list(v) if isinstance(v, tuple) else v for k, v in changes.items()}
    return side.with_settings(lists)


def by_wraps(trial: Lockstep, side: Side, name: str, ratio: float | None) -> Iterator[Hypothesis]:
    """Yield an optimizer with something done around each step.

    Args:
        trial: Says the weight decay.
        side: The optimizer.
        name: ``a`` or ``b``, which stands for it in the words.
        ratio: How many times as long the other's first step is, if that is one number.
    """
    other = "b" if name == "a" else "a"
    for words, wrap in around(ratio):
        yield f"{{{other}}} {words}, {{{name}}} does not", side, wrap
    if isinstance(side.settings.get("weight_decay"), int | float):
        for words, make in DECAYS.items():
            wrap = make(trial.decay_of(side))
            yield f"{{{other}}} {words}; {{{name}}} applies its decay otherwise", side, wrap


_IN_BOTH = {
    "eps": "{a} and {b} agree with eps=0 in both: they differ in what eps does",
    "weight_decay": "{a} and {b} agree without weight decay: they differ in how it acts",
}
"""Settings that are taken out of both, and what is said where that makes the two agree."""

Atom = tuple[str, dict[str, Any], dict[str, Any]]
"""Words, and what is changed of the first and of the second optimizer."""


def by_pairs(trial: Lockstep) -> Iterator[tuple[str, Side, Side]]:
    """Yield both optimizers without a setting that both have, and with up to two flags turned."""
    both: list[Atom] = [
        (words, {key: 0.0}, {key: 0.0})
        for key, words in _IN_BOTH.items()
        if trial.a.settings.get(key) or trial.b.settings.get(key)
        if key in trial.a.settings and key in trial.b.settings
    ]
    flags: list[Atom] = [
        (f"{{a}} with {_turned(k, v)}", {k: not v}, {}) for k, v in _flags(trial.a)
    ]
    flags += [(f"{{b}} with {_turned(k, v)}", {}, {k: not v}) for k, v in _flags(trial.b)]
    several = [(each,) for each in both]
    several += [(one, flag) for one in both for flag in flags]
    several += list(itertools.combinations(flags, 2))
    several += [(one, *two) for one in both for two in itertools.combinations(flags, 2)]
    for atoms in several:
        words = "; and ".join(text for text, _, _ in atoms)
        a = trial.a.with_settings({k: v for _, own, _ in atoms for k, v in own.items()})
        b = trial.b.with_settings({k: v for _, _, own in atoms for k, v in own.items()})
        yield words, a, b


def _flags(side: Side) -> list[tuple[str, bool]]:
    return [
        (key, value)
        for key, value in sorted(side.settings.items())
        if isinstance(value, bool) and key not in IMPLEMENTATION
    ]


def _turned(key: str, value: bool) -> str:
    return f"{key}={setting(not value)} instead of {setting(value)}"
