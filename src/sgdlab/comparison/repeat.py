"""The ``config.yaml`` of a comparison, which repeats it from its folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.comparison.axes import originals
from sgdlab.comparison.contenders import Contender
from sgdlab.comparison.workloads import Workload, chosen
from sgdlab.config.compose.loader import QuickLoader
from sgdlab.config.paths import own_folders
from sgdlab.config.resolve import resolve
from sgdlab.config.schema import GROUPS, NAMED, WATCHING
from sgdlab.results import study_config_text

_MISSING = object()


def config_text_of(
    master: DictConfig,
    loader: QuickLoader,
    contenders: Sequence[Contender],
    workloads: Sequence[Workload],
) -> str:
    """Return ``config.yaml`` of a comparison.

    What all runs share stands in it in full. Of a group whose member the runs choose for themselves
    (the optimizer, and what searches and workloads name) it has what was set besides.

    Args:
        master: The composed config, with the name of the study and Hydra's section.
        loader: Composes its runs.
        contenders: What is compared.
        workloads: What on.
    """
    workloads = originals(workloads)
    varied = _varied(contenders, workloads)
    keys = [str(key) for key in master if key not in ("hydra", WATCHING)]
    whole = OmegaConf.to_container(OmegaConf.masked_copy(master, keys))
    content = cast("dict[str, Any]", whole)
    for group in varied:
        content[group] = _set_besides(content[group], loader, f"{group}/{chosen(master, group)}")
    if master.workloads is not None:
        content["workloads"] = [workload.recorded() for workload in workloads]
    names = {group: chosen(master, group) for group in NAMED if group not in varied}
    content["names"] = {group: name for group, name in names.items() if name is not None}
    content["resume"] = True
    _settle_paths(content, master)
    members = {group: str(chosen(master, group)) for group in varied}
    if protocol := master.hydra.runtime.choices.get("protocol"):
        members["protocol"] = str(protocol)
    return study_config_text({k: v for k, v in content.items() if v != {} or k not in varied}
                             | _hydra(master), members)  # fmt: skip


def _varied(contenders: Sequence[Contender], workloads: Sequence[Workload]) -> list[str]:
    """Return the groups of which the runs choose a member, in the order of ``train.yaml``."""
    keys = {"optimizer", *(key for workload in workloads for key in workload.overrides)}
    for contender in contenders:
        keys |= {dimension.key for dimension in contender.space.dimensions}
        keys |= {*contender.space.fixed, *contender.scientific}
    # The dataset last: a test problem brings its model.
    return [group for group in (*GROUPS[1:], GROUPS[0]) if group in keys]


def _set_besides(section: Any, loader: QuickLoader, member: str) -> Any:
    """Return what of the section of a group is not as the YAML of its member has it."""
    found = loader.load_config(member)
    return _beyond(section, {} if found is None else OmegaConf.to_container(found))


def _beyond(value: Any, shipped: Any) -> Any:
    if not (isinstance(value, dict) and isinstance(shipped, dict)):
        return value
    return {
        key: _beyond(own, shipped.get(key, _MISSING))
        for key, own in value.items()
        if own != shipped.get(key, _MISSING)
    }


def _settle_paths(content: dict[str, Any], master: DictConfig) -> None:
    """Write relative paths as absolute ones, and how they were written, as a run's config does."""
    plain = resolve(master).plain()
    content["import_from"] = plain["import_from"]
    written: dict[str, str] = {}
    for key, text in plain["relative_paths"].items():
        *above, last = key.split(".")
        holder, source = content, plain
        for name in above:
            holder, source = _in(holder, name), _in(source, name)
        if _in(holder, last) is not None:
            holder[_index(holder, last)] = _in(source, last)
            written[key] = text
    content["relative_paths"] = written


def _in(holder: Any, name: str) -> Any:
    try:
        return None if holder is None else holder[_index(holder, name)]
    except (KeyError, IndexError):
        return None


def _index(holder: Any, name: str) -> Any:
    return int(name) if isinstance(holder, list) else name


def _hydra(master: DictConfig) -> dict[str, Any]:
    """Return what of Hydra's section it needs: where the user's own members lie, and the study."""
    if master.names:  # repeated from such a file
        folders = list(master.hydra.searchpath)
    else:
        folders = [f"file://{folder}" for folder in own_folders(master.hydra.runtime)]
    own: dict[str, Any] = {"searchpath": folders} if folders else {}
    place = str(cast("dict[str, Any]", OmegaConf.to_container(master.hydra.run))["dir"])
    if "${study_name:}" not in place and not Path(place).is_absolute():
        own["run"] = {"dir": place}
    return {"hydra": own} if own else {}
