"""The config of one run from overrides, without a command line."""

from hydra import compose, initialize_config_dir

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.resolve import resolve
from sgdlab.config.schema import RunConfig


def compose_run(*overrides: str) -> RunConfig:
    """Return the resolved config that ``sgdlab train`` makes of some overrides.

    Raises:
        InputError: A value is impossible.
        HydraException: The overrides cannot be composed.
    """
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        return resolve(compose("train", list(overrides), return_hydra_config=True))
