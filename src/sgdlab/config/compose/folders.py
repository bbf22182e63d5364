"""The folder of a run, without resolving its config once more for each of Hydra's looks at it."""

import re
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sgdlab.config.run_id import RUN_NAMES, run_name
from sgdlab.config.schema import RunConfig
from sgdlab.config.torchrun import restarts

_KEY = re.compile(r"\$\{(\w+)\}")
_DATED = re.compile(r"/\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d-[^/]+$")
"""How the default place of a run ends."""
_NAMES = {f"${{{name}:}}": name_of for name, name_of in RUN_NAMES.items()}


def name_run_dir(composed: DictConfig, config: RunConfig, identity: str) -> Path:
    """Put the names of a single run into its ``hydra.run.dir``; return the folder.

    Args:
        composed: The composed config of the run, changed in place.
        config: The resolved config.
        identity: The id of the config.
    """
    text = _unresolved(composed.hydra.run, "dir")
    for pattern, name in _NAMES.items():
        text = text.replace(pattern, name(config, identity))
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.run.dir = text
    return Path(composed.hydra.run.dir)


def folders_in(composed: DictConfig) -> tuple[str, str]:
    """Return ``hydra.sweep.dir`` and ``hydra.sweep.subdir`` of a config, unresolved."""
    return _unresolved(composed.hydra.sweep, "dir"), _unresolved(composed.hydra.sweep, "subdir")


def _unresolved(section: DictConfig, key: str) -> str:
    plain = OmegaConf.to_container(OmegaConf.masked_copy(section, [key]), resolve=False)
    assert isinstance(plain, dict)
    return str(plain[key])


def folder_of(folders: tuple[str, str], config: RunConfig, identity: str) -> tuple[str, str] | None:
    """Return the folder of the sweep of a job, and that of the job in it.

    None where they are made of more than root keys of the run and its names.

    Args:
        folders: What `folders_in` returns for the job.
        config: The config of the job.
        identity: The run id of the job.
    """
    folder, name = folders[0], _NAMES.get(folders[1])
    values = {key: getattr(config, key, None) for key in _KEY.findall(folder)}
    known = all(isinstance(v, str | int | float | None) for v in values.values())
    if name is None or not known or re.search(r"[$\\]|\?\?\?", _KEY.sub("", folder)):
        return None
    return _KEY.sub(lambda match: str(values[match[1]]), folder), name(config, identity)


def run_dir_of(composed: DictConfig, config: RunConfig, identity: str) -> Path:
    """Return the folder of a run; that of the start before, where torchrun starts it again."""
    folder = name_run_dir(composed, config, identity)
    if not restarts() or not _DATED.search(str(folder)):
        return folder
    before = folder.parent.parent.glob(f"*/??-??-??-{run_name(config, identity)}")
    unfinished = [other for other in before if not (other / "summary.csv").exists()]
    if not unfinished:
        return folder
    newest = max(unfinished, key=lambda other: (other.parent.name, other.name))
    with read_write(composed.hydra), open_dict(composed.hydra):
        composed.hydra.run.dir = str(newest)
    return newest
