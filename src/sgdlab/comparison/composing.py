"""How the runs of a comparison are composed from what was typed for it."""

import copy
import functools
from pathlib import Path

from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, read_write

from sgdlab.comparison.protocol import candidates_of
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.schema import COMPARE_ONLY, WATCHING

_OWN_KEYS = (*COMPARE_ONLY, WATCHING, "study")


def put_runs_in(folder: Path, config: DictConfig) -> None:
    """Make a folder the one that the runs of a composed config go to."""
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(folder)


def loader_of(master: DictConfig, folder: Path) -> QuickLoader:
    """Return what composes the runs of a comparison: with its overrides, but for its own keys."""
    typed = list(master.hydra.overrides.task)
    common = [o for o in typed if o.lstrip("+~").split("=")[0].split(".")[0] not in _OWN_KEYS]
    if candidates_of(master):
        common.append("scaling.candidates=[]")  # each trial names its own
    places = copy.deepcopy(GlobalHydra.instance().config_loader().get_search_path())
    schema = places.get_path().pop()  # Hydra wants it to be the last
    for place in master.hydra.searchpath:
        places.append("hydra.searchpath in main", place)
    places.append(schema.provider, schema.path)
    return QuickLoader(places, common, functools.partial(put_runs_in, folder))
