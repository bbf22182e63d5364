"""What one range test is made from: a resolved config, its rates, and what was typed."""

import dataclasses
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sgdlab import startup
from sgdlab.config.gate import refuse_lesson
from sgdlab.config.instantiate import where
from sgdlab.config.resolve import resolve
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError
from sgdlab.optimizers.traits import traits_of
from sgdlab.range_test.settings import RangeConfig, section_of
from sgdlab.range_test.table import refuse_others
from sgdlab.sweeps.preflight import check
from sgdlab.terminal.display import shown

SECTION = "range"
CONFIG = "lr_find"
RATES = ("lr", "optimizer.lr")


@dataclass(frozen=True)
class RangeJob:
    """One range test that can be made.

    Attributes:
        config: The resolved config of the run that would be trained, without the section.
        section: What to go through.
        overrides: The overrides as they were typed.
        flags: The flags of the command line that training needs, too.
    """

    config: RunConfig
    section: RangeConfig
    overrides: tuple[str, ...]
    flags: tuple[str, ...]

    def typed(self, key: str) -> str | None:
        """Return the override of a key, if there is one."""
        return next((o for o in self.overrides if o.lstrip("+").startswith(f"{key}=")), None)

    def command(self, lr: float) -> str:
        """Return the command that trains with a rate, the user's overrides kept."""
        kept = [
            o for o in self.overrides
            if not re.match(r"hydra[./]", o.lstrip("+~"))
            and o.lstrip("+~").partition("=")[0].partition(".")[0] != SECTION
            and o.lstrip("+").partition("=")[0] not in RATES
        ]  # fmt: skip
        return shlex.join(["sgdlab", "train", *self.flags, *kept, f"lr={lr:.2g}"])


def job_of(composed: DictConfig, hydra: Any = None) -> RangeJob:
    """Return the range test of a composed config.

    Args:
        composed: The config as Hydra composed it.
        hydra: The section ``hydra``, where ``composed`` is without.

    Raises:
        InputError: A value is impossible.
    """
    refuse_lesson(composed, "lr-find")
    hydra = composed.hydra if hydra is None else hydra
    section = section_of(composed)
    # No run has the section; `resolve` would refuse it.
    own = OmegaConf.masked_copy(composed, [str(key) for key in composed if key != SECTION])
    config = resolve(own, hydra.runtime)
    # They would measure what nobody reads.
    unmeasured = {**config.diagnostics, "quantities": {}, "at_end": {}}
    config = dataclasses.replace(config, diagnostics=unmeasured)
    overrides = tuple(str(override) for override in hydra.overrides.task)
    return RangeJob(config, section, overrides, _flags(hydra))


def _flags(hydra: Any) -> tuple[str, ...]:
    flags: list[str] = []
    for source in hydra.runtime.config_sources:
        if source.provider == "command-line":
            flags += ["--config-dir", shown(Path(source.path))]
    if hydra.job.config_name != CONFIG:
        flags += ["--config-name", str(hydra.job.config_name)]
    return tuple(flags)


def check_job(job: RangeJob, folder: Path) -> None:
    """Refuse what cannot be built, before there is any file.

    Raises:
        InputError: Says why; or the folder holds a run, or files that are not of a range test.
    """
    if traits_of(job.config.optimizer).reads_lr_once:
        place = where(job.config, "optimizer")
        raise InputError(f"{place}: reads lr before its first step only; a range test says nothing")
    with startup.kept():
        check(job.config)
    if any((folder / name).exists() for name in ("steps.csv", "summary.csv")):
        raise InputError(f"{folder} holds a run: choose another hydra.run.dir")
    refuse_others(folder)
