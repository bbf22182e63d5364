"""What the YAML of every optimizer says of it, against what it does on given gradients."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from test_optimizer_yaml import EACH, PATHS, section_and_class
from torch import Tensor
from torch.optim import Optimizer

from sgdlab.diagnostics.divisors import RULES as DIVISORS
from sgdlab.optimizers.traits import KEY, Traits, traits_of
from sgdlab.stacked.rules.choose import kind_of

Gradient = Callable[[Tensor], Tensor]

SHAPE = (4, 3)
STEPS = 8
DECAY = 0.1
FIXED = {"prodigy": {"lr": 0.001, "d0": 1.0, "growth_rate": 1.0}}
"""Settings at which a rate that an optimizer learns from the gradients stays what it is."""


def section_of(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(), Loader=yaml.CSafeLoader)


def traits_in(path: Path) -> Traits:
    return traits_of(section_of(path))


def numbers(seed: int) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def given(seed: int, scale: float = 1.0, decay: float = 0.0) -> list[Gradient]:
    """Return the gradients of some steps; those of a penalty ``decay / 2 · |w|²`` are added."""
    drawn = [scale * numbers(100 * seed + step) for step in range(STEPS)]
    return [lambda w, g=g: g + decay * w for g in drawn]


def iterates(
    path: Path, gradients: Sequence[Gradient], rates: Sequence[float] = (), **changed: Any
) -> tuple[list[Tensor], Optimizer]:
    """Return the weights after each step, and the optimizer after the last."""
    section, cls = section_and_class(path)
    settings = {k: tuple(v) if isinstance(v, list) else v for k, v in section.items()} | changed
    w, last = torch.nn.Parameter(numbers(0)), torch.nn.Parameter(torch.ones(1, 1))
    # Muon leaves the last matrix, the output's, to AdamW; it has no gradient here.
    optimizer = cls([w] if traits_in(path).takes_closure else [w, last], **settings)
    found = []
    for step, gradient in enumerate(gradients):
        if rates:
            optimizer.param_groups[0]["lr"] = rates[step]

        def closure(gradient: bool = True, of: Gradient = gradient) -> Tensor:
            w.grad = of(w.detach()).clone()
            return (w.detach() * w.grad).sum()

        closure()
        optimizer.step(*([closure] if traits_in(path).takes_closure else []))
        found.append(w.detach().clone())
    return found, optimizer


def length_of_last(path: Path, scale: float) -> float:
    found, _ = iterates(path, given(1, scale))
    return float((found[-1] - found[-2]).norm())


# Each row is whole


def test_a_row_for_every_yaml() -> None:
    assert len(PATHS) >= 40


@EACH
def test_every_trait_is_said(path: Path) -> None:
    said = section_of(path)[KEY]
    assert list(said) == list(Traits.__dataclass_fields__)
    assert None not in asdict(traits_in(path)).values()


def test_yamls_of_one_class_say_the_same() -> None:
    by_target: dict[str, Any] = {}
    for section in map(section_of, PATHS):
        assert by_target.setdefault(section["_target_"], section[KEY]) == section[KEY]


@EACH
def test_flags_that_decide_have_the_constructors_defaults(path: Path) -> None:
    """So that they hold for a user's YAML that leaves them out, too."""
    decay = section_of(path)[KEY]["decay"]
    if not isinstance(decay, dict):
        return
    section, cls = section_and_class(path)
    for flag in decay.keys() - {"else"}:
        assert section[flag] is inspect.signature(cls).parameters[flag].default
        left_out = {k: v for k, v in section_of(path).items() if k not in (KEY, flag)}
        assert traits_of(left_out) == traits_in(path)


# Each value is true


@EACH
def test_closures_and_averages_are_what_the_methods_show(path: Path) -> None:
    _, cls = section_and_class(path)
    traits = traits_in(path)
    seen = Traits().seen_in(cls)
    assert (traits.takes_closure, traits.averages_itself) == (
        seen.takes_closure,
        seen.averages_itself,
    )
    assert traits.averages_itself == callable(getattr(cls, "train", None))


@EACH
def test_adaptive_steps_keep_their_length_when_gradients_grow(path: Path) -> None:
    if traits_in(path).takes_closure:
        assert not traits_in(path).adaptive
        return
    # Of lengths at which AdaBound's bounds, which close in from the first step on, do not act yet.
    growth = length_of_last(path, 1.0) / length_of_last(path, 0.1)
    assert (growth < math.sqrt(10)) == traits_in(path).adaptive


@EACH
def test_the_families_of_mup_are_what_they_say(path: Path) -> None:
    """``sgd`` is in proportion to the gradient; ``adam`` is without scale, each number by itself.

    After the first steps, in which Adam's rectified form is not yet adaptive.
    """
    traits = traits_in(path)
    if traits.family == "none":
        return
    growth = length_of_last(path, 1000.0) / length_of_last(path, 1.0)
    assert growth == pytest.approx(1000.0 if traits.family == "sgd" else 1.0, rel=1e-3)
    assert traits.adaptive == (traits.family == "adam")
    assert not traits.layerwise


@EACH
def test_what_is_not_layerwise_is_not_told_by_other_numbers_of_the_layer(path: Path) -> None:
    """Or by all that the optimizer sees, as in Prodigy; only the layerwise let one layer's do."""
    traits = traits_in(path)
    spike = torch.zeros(SHAPE, dtype=torch.float64)
    spike[0, 0] = 5.0
    (*_, a), _ = iterates(path, given(1))
    (*_, b), _ = iterates(path, [lambda w, of=of: of(w) + spike for of in given(1)])
    if traits.layerwise:
        assert not torch.allclose(a[1:], b[1:], rtol=1e-9, atol=0)
    elif traits.family != "none":
        torch.testing.assert_close(a[1:], b[1:], rtol=1e-9, atol=1e-12)


def _decays(path: Path) -> bool:
    return "weight_decay" in section_of(path)


def kinds_of(path: Path) -> list[tuple[dict[str, Any], str]]:
    """Return the settings of the flags that decide, and the kind of decay of each."""
    said = section_of(path)[KEY]["decay"]
    if not isinstance(said, dict):
        return [({}, said)]
    (flag,) = said.keys() - {"else"}
    return [({flag: True}, said[flag]), ({flag: False}, said["else"])]


@EACH
def test_decay_acts_as_it_is_said_to(path: Path) -> None:
    """Over some steps, and without the numbers that a projection or a clip might touch."""
    for settings, kind in kinds_of(path):
        assert traits_of({**section_of(path), **settings}).decay == kind
        if not _decays(path):
            assert kind == "none"
            continue
        found = shown_kinds(path, settings)
        assert kind in found, (settings, found)


def shown_kinds(path: Path, settings: dict[str, Any]) -> set[str]:
    """Return the kinds that fit what an optimizer does; for plain SGD two are the same."""

    def moved(seed: int, decay: float, penalty: float = 0.0, scale: float = 1.0) -> Tensor:
        changed = {**settings, **FIXED.get(path.stem, {}), "weight_decay": decay}
        return iterates(path, given(seed, scale, penalty), **changed)[0][-1]

    base, whole = moved(1, 0.0), moved(1, DECAY)
    by_decay, of_others = whole - base, moved(2, DECAY, scale=3.0) - moved(2, 0.0, scale=3.0)
    if float(by_decay.norm()) == 0:
        return {"none"}
    fits = set()
    if torch.allclose(whole, moved(1, 0.0, penalty=DECAY), rtol=1e-6, atol=1e-12):
        fits.add("coupled")
    # The weights that shrink are those that the steps have moved, differently, but a little only.
    factor = -float((by_decay * base).sum() / base.square().sum())
    lr = {**section_of(path), **FIXED.get(path.stem, {})}["lr"]
    is_shrinking = 0 < factor < 1.1 * STEPS * lr * DECAY
    if is_shrinking and float((by_decay - of_others).norm()) < 0.1 * float(by_decay.norm()):
        fits.add("decoupled")
    return fits or {"own"}


@EACH
def test_what_reads_lr_once_does_not_see_it_change(path: Path) -> None:
    lr = section_of(path)["lr"]
    kept, _ = iterates(path, given(1), [lr] * STEPS)
    changed, _ = iterates(path, given(1), [lr, *[3 * lr] * (STEPS - 1)])
    assert torch.equal(kept[-1], changed[-1]) == traits_in(path).reads_lr_once


@EACH
def test_tensor_state_is_all_that_is_remembered(path: Path) -> None:
    _, early = iterates(path, given(1)[:2])
    _, late = iterates(path, given(1))
    values = [value for state in late.state.values() for value in state.values()]
    groups = [dict(o.param_groups[0], params=None) for o in (early, late)]
    by_parameter = all(isinstance(v, Tensor) for v in values) and groups[0] == groups[1]
    if traits_in(path).takes_closure:  # local SGD refuses these first
        assert by_parameter or not traits_in(path).tensor_state
    else:
        assert by_parameter == traits_in(path).tensor_state


@EACH
def test_only_values_are_asked_for_by_what_is_gradient_free(path: Path) -> None:
    if not traits_in(path).takes_closure:
        assert not traits_in(path).gradient_free
        return
    section, cls = section_and_class(path)
    w = torch.nn.Parameter(numbers(0))
    asked = []

    def closure(gradient: bool = True) -> Tensor:
        asked.append(gradient)
        w.grad = w.detach().clone() if gradient else None
        return w.detach().square().sum() / 2

    cls([w], **section).step(closure)
    assert (True not in asked) == traits_in(path).gradient_free


@EACH
def test_formulas_exist_where_a_row_says_so(path: Path) -> None:
    _, cls = section_and_class(path)
    traits = traits_in(path)
    assert traits.preconditioner == (cls in DIVISORS)
    assert traits.stacked == (kind_of(cls) is not None)
