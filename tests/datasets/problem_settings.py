"""The six test problems with the settings of their YAMLs, and changes to them."""

from collections.abc import Callable
from typing import Any

from hydra.utils import get_object
from omegaconf import OmegaConf

from sgdlab.config.catalogue import conf_dir
from sgdlab.datasets.base import Examples

PROBLEMS = ("quadratic", "noisy_quadratic", "rosenbrock", "beale", "logistic", "least_squares")
CONVEX = ("quadratic", "noisy_quadratic", "logistic", "least_squares")


def problem(name: str, **changes: Any) -> Examples:
    """Call a problem's function with the settings of its YAML and ``changes``."""
    settings = OmegaConf.to_container(OmegaConf.load(conf_dir() / "dataset" / f"{name}.yaml"))
    assert isinstance(settings, dict)
    function: Callable[..., Examples] = get_object(settings.pop("_target_"))
    del settings["defaults"]
    unknown = set(changes) - set(settings)
    assert not unknown, unknown
    return function(**{**settings, **changes})


def built(examples: Examples) -> Any:
    """The problem's module at its start, in float64."""
    assert examples.problem is not None
    return examples.problem.build().double()
