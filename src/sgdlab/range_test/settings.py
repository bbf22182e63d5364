"""Settings of a range test: the section ``range`` of ``conf/lr_find.yaml``."""

import math
from dataclasses import dataclass

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, DictConfig, OmegaConf

from sgdlab.checks import lies_in, require_number
from sgdlab.config.schema import WatchedConfig
from sgdlab.errors import InputError, suggest

FEWEST = 10
"""Steps below which a curve says nothing."""

START, STOP = 1e-7, 10.0
"""The rates that a test goes through first, where none are asked for."""

MODES = ("exponential", "linear")


@dataclass
class RangeConfig:
    """Section ``range``; its meaning stands in ``conf/lr_find.yaml``."""

    start: float | None = MISSING
    stop: float | None = MISSING
    steps: int = MISSING
    mode: str = MISSING
    smoothing: float = MISSING
    diverge: float | None = MISSING
    val: bool = MISSING


@dataclass(kw_only=True)
class LrFindConfig(WatchedConfig):
    """A range test: a run's config, and the rates to go through."""

    range: RangeConfig


# On import, as the schemas of the other commands.
ConfigStore.instance().store(name="lr_find_schema", node=LrFindConfig)


def check_range(section: RangeConfig) -> None:
    """Refuse impossible values of the section.

    Raises:
        InputError: Names the key, its value and what would be right.
    """
    for key in ("start", "stop"):
        if (value := getattr(section, key)) is not None:
            require_number(f"range.{key}", value, 0, open_low=True)
    start, stop = ends(section)
    if start >= stop:
        raise InputError(f"range.start={start:g} range.stop={stop:g}: start must be below stop")
    if section.steps < FEWEST:
        raise InputError(f"range.steps={section.steps}: must be a whole number from {FEWEST}")
    if section.mode not in MODES:
        raise InputError(f"range.mode={section.mode}: {suggest(section.mode, MODES)}")
    require_number("range.smoothing", section.smoothing, 0, 1, open_high=True)
    if section.diverge is not None and not lies_in(section.diverge, 1, open_low=True):
        raise InputError(
            f"range.diverge={section.diverge}: must be a number above 1, or null to go on until "
            "the loss is not finite"
        )


def section_of(composed: DictConfig) -> RangeConfig:
    """Return the checked section ``range`` of a composed config.

    Raises:
        InputError: There is none, a key is not known, or a value is impossible.
    """
    typed = OmegaConf.merge(OmegaConf.structured(RangeConfig), composed.range)
    section = OmegaConf.to_object(typed)
    assert isinstance(section, RangeConfig)
    check_range(section)
    return section


def ends(section: RangeConfig) -> tuple[float, float]:
    """Return the first and the last rate; those that are not set are ``START`` and ``STOP``."""
    start, stop = section.start, section.stop
    return START if start is None else start, STOP if stop is None else stop


def rates(section: RangeConfig) -> list[float]:
    """Return the rates ``η_i``, ``i`` from 0 to ``n - 1``, both ends included.

    ``exponential``: ``η_i = start · (stop / start)^(i / (n - 1))``; ``linear``:
    ``η_i = start + (stop - start) · i / (n - 1)``.
    """
    start, stop = ends(section)
    shares = [i / (section.steps - 1) for i in range(section.steps)]
    if section.mode == "linear":
        return [start + (stop - start) * share for share in shares]
    # In logarithms: stop / start may overflow.
    low, high = math.log(start), math.log(stop)
    inner = [math.exp(low + (high - low) * share) for share in shares[1:-1]]
    return [start, *inner, stop]
