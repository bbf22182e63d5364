"""The folder of a job, without resolving all of Hydra's section for it."""

import re

from omegaconf import DictConfig, OmegaConf

from sgdlab.config.run_id import run_folder, run_name
from sgdlab.config.schema import RunConfig

_KEY = re.compile(r"\$\{(\w+)\}")
_NAMES = {
    "${run_folder:}": run_folder,
    "${run_name:}": run_name,
    "${run_id:}": lambda _, identity: identity,
}


def places_in(composed: DictConfig) -> tuple[str, str]:
    """Return ``hydra.sweep.dir`` and ``hydra.sweep.subdir`` of a config, unresolved."""
    sweep = OmegaConf.masked_copy(composed.hydra.sweep, ["dir", "subdir"])
    plain = OmegaConf.to_container(sweep, resolve=False)
    assert isinstance(plain, dict)
    return str(plain["dir"]), str(plain["subdir"])


def folder_of(places: tuple[str, str], config: RunConfig, identity: str) -> tuple[str, str] | None:
    """Return the folder of the sweep of a job, and that of the job in it.

    None where they are made of more than root keys of the run and its names.

    Args:
        places: What `places_in` returns for the job.
        config: The config of the job.
        identity: Its run id.
    """
    folder, name = places[0], _NAMES.get(places[1])
    values = {key: getattr(config, key, None) for key in _KEY.findall(folder)}
    known = all(isinstance(v, str | int | float | None) for v in values.values())
    if name is None or not known or re.search(r"[$\\]|\?\?\?", _KEY.sub("", folder)):
        return None
    return _KEY.sub(lambda match: str(values[match[1]]), folder), name(config, identity)
