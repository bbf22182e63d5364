"""The config of one run from overrides, without a command line."""

import functools

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.schema import RunConfig


def compose_run(*overrides: str) -> RunConfig:
    """Return the resolved config that ``sgdlab train`` makes of some overrides.

    Raises:
        InputError: The overrides cannot be composed, or a value is impossible.
    """
    loader, master = _loader()
    return loader.job(master, overrides).config


@functools.cache
def _loader() -> tuple[QuickLoader, DictConfig]:
    """Return what composes once per combination of groups, which takes a tenth of a second."""
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        master = compose("train", return_hydra_config=True)
        search_path = GlobalHydra.instance().config_loader().get_search_path()
    return QuickLoader(search_path), master
