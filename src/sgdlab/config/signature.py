"""Which keyword arguments a class or function takes under names of its own."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import Any

_VARIADIC = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def parameters_of(target: Callable[..., Any]) -> Mapping[str, Parameter]:
    """Return the parameters of ``target`` by name; a sweep asks about one target again and again.

    Raises:
        TypeError, ValueError: Nothing is known of them, as of some written in C.
    """
    try:
        return _parameters(target)
    except TypeError:  # it has no hash, or no signature
        return inspect.signature(target).parameters


@functools.lru_cache(maxsize=64)
def _parameters(target: Callable[..., Any]) -> Mapping[str, Parameter]:
    return inspect.signature(target).parameters


def names_taken(target: Callable[..., Any], positional: int = 0) -> frozenset[str]:
    """Return the names under which ``target`` takes keyword arguments, ``**kwargs`` left aside.

    What a builder collects in ``**kwargs`` it hands on to someone who may not know it. A name
    counts where each layer that a call goes through takes it or hands it on, and one of them has a
    parameter of that name: a wrapper made with `functools.wraps` and what it wraps; ``__new__`` and
    ``__init__``. What a `functools.partial` has bound is decided.

    Args:
        target: A class, a function, a method, a partial, an object with ``__call__``.
        positional: How many arguments are given by position.

    Returns:
        No name where nothing is known of the parameters, as for classes written in C.
    """
    bound: set[str] = set()
    while isinstance(target, functools.partial):
        bound |= target.keywords.keys()
        positional += len(target.args)
        target = target.func
    layers = list(_layers(target))
    named = [_named(layer, positional) for layer in layers]
    hands_on = [any(p.kind is p.VAR_KEYWORD for p in layer) for layer in layers]
    names = frozenset[str]().union(*named) - bound
    return frozenset(
        name
        for name in names
        if all(name in own or rest for own, rest in zip(named, hands_on, strict=True))
    )


def _layers(target: Callable[..., Any]) -> Iterator[list[Parameter]]:
    """Yield the parameters of all that one call goes through, without ``self``."""
    if hasattr(target, "__signature__"):
        yield list(inspect.signature(target).parameters.values())
    elif isinstance(target, type):
        for kind, method in ((object, "__new__"), (object, "__init__"), (type, "__call__")):
            own = getattr(type(target) if kind is type else target, method)
            if own is not getattr(kind, method):
                yield from (layer[1:] for layer in _layers_of_function(own))
    elif not inspect.isroutine(target) and callable(target):
        yield from (layer[1:] for layer in _layers_of_function(type(target).__call__))
    else:
        yield from _layers_of_function(target)


def _layers_of_function(function: Any) -> Iterator[list[Parameter]]:
    while function is not None:
        try:
            signature = inspect.signature(function, follow_wrapped=False)
        except (TypeError, ValueError):
            return
        layer = list(signature.parameters.values())
        yield layer
        if not any(p.kind is p.VAR_KEYWORD for p in layer):
            return
        function = getattr(function, "__wrapped__", None)


def _named(layer: Sequence[Parameter], positional: int) -> set[str]:
    """Return the names in one layer that are still open once arguments are given by position."""
    rest = [p for p in layer if p.kind not in _VARIADIC]
    by_place = [p for p in rest if p.kind is not p.KEYWORD_ONLY]
    taken = {p.name for p in by_place[:positional]}
    return {p.name for p in rest if p.kind is not p.POSITIONAL_ONLY} - taken
