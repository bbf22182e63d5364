"""Which optimizer, with which settings, for this model and data, and how sure can I be?

From Python: `train`, `sweep`, `compare`, `load`; `sgdlab.optim` and `sgdlab.schedules` for loops of
your own (docs/python.md). What is named here is imported when it is asked for.
"""

from typing import Any

from sgdlab import startup

startup.help_torchvision()

_PLACES = {
    "train": "api.train", "sweep": "api.train", "compare": "api.train", "load": "api.load",
    "Run": "api.load", "Study": "api.study", "Comparison": "api.load",
    "RunFailedError": "api.load", "InputError": "errors", "optim": "", "schedules": "",
}  # fmt: skip
"""The public names, and the modules that have them; `__init__.pyi` is what type checkers read."""


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    place = _PLACES[name]
    if not place:
        return importlib.import_module(f"{__name__}.{name}")
    return getattr(importlib.import_module(f"{__name__}.{place}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
