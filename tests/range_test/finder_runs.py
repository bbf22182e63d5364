"""Range tests in this process, without the command line."""

import functools

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from sgdlab.config.compose.one import compose_run
from sgdlab.range_test.curve import RangeCurve
from sgdlab.range_test.explore import explore
from sgdlab.range_test.settings import RangeConfig
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run, build_run

EMBEDDED = ("digits", "wine", "breast_cancer", "diabetes", "moons", "classification")


@functools.cache
def config_of(*overrides: str) -> DictConfig:
    """Return the resolved config of a training run."""
    GlobalHydra.instance().clear()
    return compose_run(*overrides)


def section(**changes: object) -> RangeConfig:
    """Return the default settings, some of them changed."""
    default = {
        "start": 1e-7, "stop": 10.0, "steps": 100, "mode": "exponential", "smoothing": 0.9,
        "diverge": 5.0, "val": False,
    }  # fmt: skip
    return RangeConfig(**{**default, **changes})  # type: ignore[arg-type]


def built(*overrides: str) -> Run:
    """Return a run that is not trained."""
    return build_run(config_of(*overrides))


def curve_of(run: Run, **changes: object) -> RangeCurve:
    """Return the curve of a run, its rates not scaled."""
    return explore(run, section(**changes), lambda lr: lr, NoDisplay())
