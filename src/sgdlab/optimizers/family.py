"""Which optimizers take part in the maximal update parametrization (μP)."""

from collections.abc import Mapping
from typing import Any, Literal

from sgdlab.errors import InputError
from sgdlab.optimizers.traits import class_name, shipped, traits_of


def family_of(section: Mapping[str, Any]) -> Literal["sgd", "adam"]:
    """Return the column of an optimizer in the table of `sgdlab.parametrization`.

    Args:
        section: The section ``optimizer`` of a config, which tells its traits.

    Raises:
        InputError: μP has no rule for this optimizer here, or its family is not known.
    """
    family = traits_of(section).family
    if family in ("sgd", "adam"):
        return family
    name = f"parametrization=mup: no rule for {class_name(section)}"
    if family is None:
        raise InputError(
            f"{name}, whose family is not known; write _traits_: {{family: sgd}} into its YAML if "
            "its steps are in proportion to the gradient, {family: adam} if each coordinate's step "
            "does not depend on the gradient's scale"
        )
    supported = (class_name(s) for s in shipped() if traits_of(s).family in ("sgd", "adam"))
    raise InputError(f"{name}; supported: {', '.join(dict.fromkeys(supported))}")
