"""What an optimizer is, said once: under ``_traits_`` in its YAML, and asked for by all others.

A shipped YAML says all of it. A user's YAML may say what is known of a class of its own::

    _target_: mine.Sign
    lr: 0.01
    weight_decay: 0.0
    _traits_: {family: adam, adaptive: true, decay: decoupled, tensor_state: true}

What nobody said is unknown, ``None``, which is a value of its own: whoever asks says that it cannot
tell, refuses and says what to write, or looks at the methods of the optimizer (`Traits.seen_in`).
Traits are no settings: they are not passed to the class and are no part of a run id.
"""

import functools
import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, cast, get_args, get_type_hints

import yaml

from sgdlab.errors import InputError, suggest
from sgdlab.startup import conf_dir

KEY = "_traits_"
"""The key of an optimizer's YAML under which its traits stand."""

Family = Literal["sgd", "adam", "none"]
DecayKind = Literal["coupled", "decoupled", "own", "none"]
Beta2 = Literal["betas.1", "betas.2", "adamw_betas.1", "alpha", "rho", "none"]


@dataclass(frozen=True)
class Traits:
    """What an optimizer is; ``None`` where that is unknown.

    Attributes:
        family: The column of μP's table: ``sgd`` moves in proportion to the gradient, ``adam``
            moves each coordinate by an amount that does not depend on the gradient's scale; for
            ``none`` there is no column.
        adaptive: Whether ``lr`` alone sets the length of a step: gradients that are ten times as
            long make no longer steps.
        decay: How ``weight_decay`` acts: ``coupled`` is added to the gradient and treated like it;
            ``decoupled`` shrinks the weights beside the step, whatever the gradient is; ``own`` is
            neither; ``none`` means that there is none. In YAML also a mapping from flags among the
            settings to kinds, ``{weight_decouple: decoupled, else: coupled}``: the first flag that
            is true decides.
        averages_itself: Whether it evaluates an average of its own, by ``eval()`` and ``train()``.
        takes_closure: Whether it evaluates the function itself, as often as it likes.
        gradient_free: Whether it estimates the gradient from values of the function.
        layerwise: Whether it sets the length of a whole layer's update by norms of that layer.
        reads_lr_once: Whether ``lr`` counts in the first step only.
        tensor_state: Whether all that it remembers are tensors by parameter, which can be averaged.
        preconditioner: Whether `sgdlab.diagnostics` knows what its update divides the gradient by,
            and up to which curvature it is stable.
        stacked: Whether `sgdlab.stacked` has its rule.
        roles: Whether its groups say the role of each parameter (`sgdlab.optimizers.roles`).
        beta2: The setting that is the memory of its average of squares, with its place, from 0,
            where that is a list; ``none``: it has no such average, or none with a fixed memory.
    """

    family: Family | None = None
    adaptive: bool | None = None
    decay: DecayKind | None = None
    averages_itself: bool | None = None
    takes_closure: bool | None = None
    gradient_free: bool | None = None
    layerwise: bool | None = None
    reads_lr_once: bool | None = None
    tensor_state: bool | None = None
    preconditioner: bool | None = None
    stacked: bool | None = None
    roles: bool | None = None
    beta2: Beta2 | None = None

    def seen_in(self, optimizer: Any) -> "Traits":
        """Return the traits with what an optimizer's methods show, where that was unknown.

        A ``step`` that requires its argument ``closure`` takes closures; a method ``eval`` puts
        an average into the weights.
        """
        takes, averages = self.takes_closure, self.averages_itself
        if takes is None:
            closure = inspect.signature(optimizer.step).parameters.get("closure")
            takes = closure is not None and closure.default is inspect.Parameter.empty
        if averages is None:
            averages = callable(getattr(optimizer, "eval", None))
        return replace(self, takes_closure=takes, averages_itself=averages)


def traits_of(section: Mapping[str, Any]) -> Traits:
    """Return the traits of an optimizer.

    Args:
        section: The section ``optimizer`` of a config. What its own ``_traits_`` says counts, else
            what the shipped YAML of the same ``_target_`` says; a resolved config has one of them.

    Raises:
        InputError: Its own ``_traits_`` has an unknown key or value.
    """
    shipped = _shipped(str(section.get("_target_")))
    told = section.get(KEY) or (shipped or {}).get(KEY) or {}
    if not isinstance(told, Mapping):
        raise InputError(f"optimizer.{KEY}={told}: must map traits to values, {{adaptive: true}}")
    # A flag that a user's YAML leaves out has the constructor's default, which ours repeats.
    settings = {**(shipped or {}), **section}
    values = {str(key): _value(str(key), value, settings) for key, value in told.items()}
    return Traits(**cast("dict[str, Any]", values))


def class_name(section: Mapping[str, Any]) -> str:
    """Return the name of the class or function that an optimizer's section names."""
    return re.split(r"[.:]", str(section.get("_target_")))[-1]


def shipped() -> list[dict[str, Any]]:
    """Return the content of the shipped YAML of every optimizer, in the order of their names."""
    return [shipped_as(name) for name in _texts()]


@functools.cache
def shipped_as(name: str) -> dict[str, Any]:
    """Return the content of a shipped YAML; nothing where sgdlab ships none of this name."""
    text = _texts().get(name)
    return {} if text is None else yaml.load(text, yaml.CSafeLoader)


def without_known(section: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """Return an optimizer's section without traits that sgdlab knows by itself.

    Args:
        section: The section ``optimizer`` of a config.
        name: The chosen member of the group; a ``_target_`` typed over that of a shipped member
            is another class, which has not its traits.

    Raises:
        InputError: It says traits of its own for a class that sgdlab ships.
    """
    told, target = section.get(KEY), str(section.get("_target_"))
    ours = _shipped(target)
    if told in (None, shipped_as(f"{name}").get(KEY), (ours or {}).get(KEY)):
        return {key: value for key, value in section.items() if key != KEY}
    if ours:
        raise InputError(f"optimizer.{KEY}: sgdlab knows what {target} is; leave it out")
    return dict(section)


def _value(key: str, value: Any, settings: Mapping[str, Any]) -> Any:
    if key not in _VALID:
        raise InputError(f"optimizer.{KEY}.{key}: no such trait; {suggest(key, _VALID)}")
    if key == "decay" and isinstance(value, Mapping):
        value = _by_flags(cast("Mapping[str, Any]", value), settings)
    if value is not None and not (isinstance(value, bool | str) and value in _VALID[key]):
        shown = [str(v).lower() if isinstance(v, bool) else v for v in _VALID[key]]
        raise InputError(f"optimizer.{KEY}.{key}={value}: {suggest(str(value), shown)}")
    return value


def _by_flags(kinds: Mapping[str, Any], settings: Mapping[str, Any]) -> Any:
    """Return the kind that the first true flag chooses; None where a flag is not known."""
    for kind in kinds.values():
        _value("decay", str(kind), settings)
    if "else" not in kinds:
        raise InputError(f"optimizer.{KEY}.decay: add what holds if no flag is true, else: coupled")
    for flag, kind in kinds.items():
        if flag == "else" or settings.get(flag) is True:
            return kind
        if not isinstance(settings.get(flag), bool):
            return None
    return kinds["else"]


def _valid(hint: Any) -> tuple[Any, ...]:
    """Return the values that a trait's type hint, ``KINDS | None`` or ``bool | None``, allows."""
    first = get_args(hint)[0]
    return (True, False) if first is bool else get_args(first)


_VALID = {name: _valid(hint) for name, hint in get_type_hints(Traits).items()}
"""The values of each trait but None."""


@functools.cache
def _shipped(target: str) -> dict[str, Any] | None:
    """Return the shipped YAML of a target; of several, which have the same traits, the first."""
    line = f"\n_target_: {target}\n"
    found = (text for text in _texts().values() if line in f"\n{text}")
    return next((yaml.load(text, yaml.CSafeLoader) for text in found), None)


@functools.cache
def _texts() -> dict[str, str]:
    """Return the shipped YAML of every optimizer by its name, unread: most runs need one."""
    paths = sorted((conf_dir() / "optimizer").glob("*.yaml"))
    return {path.stem: path.read_text(encoding="utf-8") for path in paths}
