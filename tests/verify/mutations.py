"""Changes to a line of the product's own code, for as long as a test runs."""

import importlib
import inspect

import pytest

from sgdlab.verify.case import Experiment


def mutate(
    patch: pytest.MonkeyPatch, target: str, old: str, new: str, used_in: str | None = None
) -> None:
    """Let a class or function be what its module would define with ``old`` replaced by ``new``.

    Args:
        patch: Undoes it.
        target: Dotted path of the class or function.
        old: Text that occurs in its module exactly once.
        new: What it becomes.
        used_in: Module that has imported it by name; by default its own.
    """
    place, _, name = target.rpartition(".")
    module = importlib.import_module(place)
    source = inspect.getsource(module)
    assert source.count(old) == 1, f"{target}: {old!r} occurs {source.count(old)} times"
    namespace = {"__name__": place}
    exec(compile(source.replace(old, new), place, "exec"), namespace)
    patch.setattr(importlib.import_module(used_in or place), name, namespace[name])


def first_failed(experiment: Experiment) -> str | None:
    """Return the label of the first check that is off, and run no further; None: all hold."""
    return next((check.row for check in experiment() if not check.passed), None)
