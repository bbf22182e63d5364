"""Range tests in this process, without the command line."""

from sgdlab.range_test.curve import RangeCurve
from sgdlab.range_test.explore import explore
from sgdlab.range_test.settings import RangeConfig
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run

EMBEDDED = ("digits", "wine", "breast_cancer", "diabetes", "moons", "classification")


def section(**changes: object) -> RangeConfig:
    """Return the default settings, some of them changed."""
    default = {
        "start": 1e-7, "stop": 10.0, "steps": 100, "mode": "exponential", "smoothing": 0.9,
        "diverge": 5.0, "val": False,
    }  # fmt: skip
    return RangeConfig(**{**default, **changes})  # type: ignore[arg-type]


def curve_of(run: Run, **changes: object) -> RangeCurve:
    """Return the curve of a run, its rates not scaled."""
    return explore(run, section(**changes), lambda lr: lr, NoDisplay())
