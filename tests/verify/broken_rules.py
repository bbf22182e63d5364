"""Rules broken on purpose, and whether verify notices."""

from types import ModuleType
from typing import Any

import pytest
import torch

from sgdlab.verify.case import Experiment, VerifyCheck
from sgdlab.verify.catalogue import CATALOGUE


def change(patch: pytest.MonkeyPatch, name: str, **changes: Any) -> None:
    """Let ``torch.optim.NAME`` have other settings than it is given; a callable maps the value."""
    sound = getattr(torch.optim, name)

    class Broken(sound):
        def __init__(self, params: Any, **settings: Any) -> None:
            for key, new in changes.items():
                settings[key] = new(settings[key]) if callable(new) else new
            super().__init__(params, **settings)

    patch.setattr(torch.optim, name, Broken)


def scale_rate(patch: pytest.MonkeyPatch, factor: float) -> None:
    """Let ``torch.optim.SGD`` step at ``factor`` times its learning rate."""

    class Broken(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                group["lr"] *= factor
            super().step(closure)

    patch.setattr(torch.optim, "SGD", Broken)


def experiments_of(*modules: ModuleType) -> list[Experiment]:
    """Return the experiments of the catalogue that are written in some modules."""
    names = {module.__name__ for module in modules}
    return [entry.run for entry in CATALOGUE if entry.run.__module__ in names]


def failed(experiment: Experiment) -> set[str]:
    """Return the rows that an experiment finds off, with their letters."""
    return {check.row for check in experiment() if not check.passed}


def assert_sound(checks: list[VerifyCheck]) -> None:
    """Assert that all checks passed and that their curves can be drawn."""
    off = [(c.row, c.predicted, c.measured, c.tolerance) for c in checks if not c.passed]
    assert not off
    for check in checks:
        for curve in check.curves:
            assert curve.steps[0] >= 1
            assert list(curve.steps) == sorted(set(curve.steps))
            assert len(curve.steps) == len(curve.values) <= 201
            assert len(curve.predicted) in (0, len(curve.steps))
