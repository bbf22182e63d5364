"""One run of many, before it runs."""

from dataclasses import dataclass
from pathlib import Path

from sgdlab.config.schema import RunConfig


@dataclass(frozen=True, eq=False)
class Job:
    """One run before it runs.

    Attributes:
        config: The resolved config.
        run_id: The id of the config.
        directory: The run directory.
        overrides: The overrides that were typed for it, the study included.
    """

    config: RunConfig
    run_id: str
    directory: Path
    overrides: tuple[str, ...] = ()
