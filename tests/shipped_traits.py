"""The traits of optimizers that tests build by hand, without a config."""

import functools
import pkgutil
from importlib.util import find_spec
from typing import Any

from sgdlab.optimizers.traits import Traits, shipped, traits_of


@functools.cache
def _targets() -> dict[object, str]:
    """Return the targets of shipped YAML by the class that they name."""
    targets = {str(section["_target_"]) for section in shipped()}
    known = (t for t in targets if find_spec(t.partition(".")[0]))
    return {pkgutil.resolve_name(target): target for target in known}


def traits_of_class(kind: object, **settings: Any) -> Traits:
    """Return what the shipped YAML of a class says; all unknown for other classes."""
    target = _targets().get(kind)
    return traits_of({"_target_": target, **settings})


def traits_of_optimizer(optimizer: object) -> Traits:
    """Return the traits of an optimizer at the settings of its first group."""
    first = optimizer.param_groups[0]  # type: ignore[attr-defined]
    settings = {key: value for key, value in first.items() if key != "params"}
    return traits_of_class(type(optimizer), **settings)
