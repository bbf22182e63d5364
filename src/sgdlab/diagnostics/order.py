"""The order in which quantities are measured, from what each of them declares."""

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from sgdlab.diagnostics.base import Quantity
from sgdlab.errors import InputError

_PLACE = "diagnostics.quantities"


def measuring_order(quantities: Mapping[str, Quantity]) -> list[str]:
    """Return the names of quantities, each after those whose results it needs or uses.

    Raises:
        InputError: No quantity provides what one of them needs, or some wait for each other.
    """
    providers: dict[str, list[str]] = {}
    for name, quantity in quantities.items():
        for result in quantity.provides:
            providers.setdefault(result, []).append(name)
    before: dict[str, list[str]] = {}
    for name, quantity in quantities.items():
        for result in quantity.needs:
            if result not in providers:
                raise InputError(f"{_PLACE}.{name}: needs {result}, which no quantity provides")
        wanted = (*quantity.needs, *quantity.uses)
        before[name] = [other for result in wanted for other in providers.get(result, ())]
    try:
        return list(TopologicalSorter(before).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise InputError(f"{_PLACE}: {circle}: each needs a result of the next") from error
