"""Settings given in Python, as the overrides that a person would type."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from sgdlab.config.typed import as_typed
from sgdlab.errors import InputError


class Whole(dict[str, Any]):
    """A mapping that is one value of its key, not the keys of a section."""


def overrides_of(settings: Mapping[str, Any], swept: bool = False) -> list[str]:
    """Return settings as overrides, in their order.

    ``model__hidden=(64, 64)`` is ``model.hidden=[64,64]``; a mapping sets the keys of a section.

    Args:
        settings: Values by key; two underscores stand for a point.
        swept: Whether a list, a range or an array has the values of a sweep. A tuple is one value.

    Raises:
        InputError: A value is of a kind that no config holds.
    """
    return [f"{key}={text}" for key, text in _flat(settings, swept)]


def _flat(settings: Mapping[str, Any], swept: bool, above: str = "") -> Iterator[tuple[str, str]]:
    for name, value in settings.items():
        key = above + name.replace("__", ".")
        if isinstance(value, Mapping) and value and not isinstance(value, Whole):
            yield from _flat(cast("Mapping[str, Any]", value), swept, f"{key}.")
        elif swept and (values := several(value)) is not None:
            if not values:
                raise InputError(f"{key}=[]: no value, so there is no run to make")
            yield key, ",".join(text_of(key, each) for each in values)
        else:  # Hydra takes keys that its config lacks with ++ alone
            yield f"++{key}" if isinstance(value, Whole) else key, text_of(key, value)


def several(value: Any) -> list[Any] | None:
    """Return the values that a sweep goes through; None where it is a single one."""
    if isinstance(value, list | range):
        return list(cast("Iterable[Any]", value))
    if getattr(value, "ndim", 0) == 1 and hasattr(value, "tolist"):
        return list(value.tolist())
    return None


def text_of(key: str, value: Any) -> str:
    """Return a value as Hydra's command line reads it back.

    Raises:
        InputError: It is of a kind that no config holds; names the key.
    """
    plain = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    text = _text(key, plain)
    if text is None:
        raise InputError(
            f"{key}={type(value).__name__}: no value that a config holds; must be a number, a "
            "text, true or false, a list or a mapping of these, or None"
        )
    return text


def _text(key: str, value: Any) -> str | None:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case int():
            return repr(int(value))
        case float():
            return repr(float(value)) if math.isfinite(value) else str(float(value))
        case str():
            return as_typed(value)
        case os.PathLike():
            return as_typed(str(cast("os.PathLike[str]", value)))
        case list() | tuple():
            values = cast("Iterable[Any]", value)
            return f"[{','.join(text_of(key, each) for each in values)}]"
        case Mapping():
            own = cast("Mapping[Any, Any]", value).items()
            items = (f"{as_typed(str(k))}:{text_of(f'{key}.{k}', v)}" for k, v in own)
            return f"{{{','.join(items)}}}"
        case _:
            return None
