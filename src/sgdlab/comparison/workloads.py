"""Where a comparison compares: datasets and models, each with settings of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omegaconf import DictConfig, OmegaConf

from sgdlab.config.catalogue import suggest_member
from sgdlab.errors import InputError, suggest
from sgdlab.search import Value
from sgdlab.sweeps.jobs import QuickLoader

SUITE = "suite"
"""The folder of a config directory whose files are lists of workloads, by name."""

_RIGHT = "write dataset/model, such as digits/mlp, or {digits/mlp: {epochs: 5}}"


@dataclass(frozen=True, eq=False)
class Workload:
    """A dataset and a model.

    Attributes:
        name: ``dataset/model``.
        overrides: What a run of it is given; empty for dataset and model of the command line.
        search: What of the search space of an optimizer is other on it, by the optimizer's name.
        moved: What is set on an axis of the comparison; empty at the base point.
        base: The values of all axes at the base point.
        of: The workload that it is a point of; None: it is no point of an axis.
    """

    name: str
    overrides: Mapping[str, Value]
    search: Mapping[str, Any] = field(default_factory=dict)
    moved: Mapping[str, Value] = field(default_factory=dict)
    base: Mapping[str, Value] = field(default_factory=dict)
    of: "Workload | None" = None

    @property
    def title(self) -> str:
        """The name, and where on the axes it is."""
        moved = " ".join(f"{key}={value}" for key, value in self.moved.items())
        return f"{self.name} with {moved}" if moved else self.name

    def recorded(self) -> str | dict[str, dict[str, Value]]:
        """Return the entry of ``study.yaml``: the name, with the settings where it has its own."""
        own = {k: v for k, v in self.overrides.items() if k not in ("dataset", "model")}
        return {self.name: own} if own else self.name


def chosen(master: DictConfig, group: str) -> str | None:
    """Return the member of a group; the ``config.yaml`` of a comparison has it in ``names``."""
    name = master.names.get(group) or master.hydra.runtime.choices.get(group)
    return None if name is None else str(name)


def workloads_of(master: DictConfig, loader: QuickLoader) -> list[Workload]:
    """Return the workloads of a comparison.

    ``workloads`` is a list, or the name of a file in `SUITE` that has one. Each entry is
    ``dataset/model``, or has settings of its own: ``{dataset/model: {key: value}}``. What is typed
    for all workloads counts before those. Under ``search`` it may have bounds of its own:
    ``{dataset/model: {search: {adamw: {lr: {high: 0.01}}}}}``.

    Raises:
        InputError: One is no ``dataset/model``, or ``dataset`` or ``model`` is set, too, or its
            ``search`` names no optimizer.
    """
    typed = {o.partition("=")[0].lstrip("+~"): o for o in master.hydra.overrides.task}
    if master.workloads is None:
        return [Workload(f"{chosen(master, 'dataset')}/{chosen(master, 'model')}", {})]
    entries = [_entry(entry) for entry in _listed(master.workloads, loader)]
    names = [name for name, _, _ in entries]
    if not names or len(set(names)) < len(names):
        raise InputError(f"workloads={names}: name each dataset/model once, at least one")
    if both := [typed[key] for key in ("dataset", "model") if key in typed]:
        raise InputError(f"{both[0]}: workloads={names} says which; leave one of the two out")
    known = loader.get_group_options("optimizer")
    found: list[Workload] = []
    for name, own, search in entries:
        for optimizer in search:
            if optimizer not in known:
                raise InputError(
                    f"workloads.{name}.search.{optimizer}: no such optimizer; "
                    f"{suggest(optimizer, known)}"
                )
        kept = {key: value for key, value in own.items() if key not in typed}
        found.append(Workload(name, _groups(name, loader) | kept, search))
    return found


def _listed(given: Any, loader: QuickLoader) -> Sequence[Any]:
    if not isinstance(given, str):
        found = OmegaConf.to_container(given) if OmegaConf.is_config(given) else given
    elif (suite := loader.load_config(f"{SUITE}/{given}")) is not None:
        found = OmegaConf.to_container(suite).get("workloads")  # type: ignore[union-attr]
    else:
        known = loader.get_group_options(SUITE)
        raise InputError(
            f"workloads={given}: no such list of workloads; {suggest(given, known)}; "
            "or list them: [digits/mlp]"
        )
    if not isinstance(found, list):
        raise InputError(f"workloads={given}: no list; write [digits/mlp]")
    return found


def _entry(entry: Any) -> tuple[str, dict[str, Value], dict[str, Any]]:
    """Return the name of a workload, its own settings, and its own parts of search spaces."""
    if isinstance(entry, str):
        return entry, {}, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, own),) = entry.items()
        kinds = float | int | str | list | None
        search = own.get("search", {}) if isinstance(own, dict) else None
        if search is not None and not isinstance(search, dict):
            raise InputError(
                f"workloads.{name}.search={search}: write {{adamw: {{lr: {{high: 0.01}}}}}}"
            )
        rest = {str(k): v for k, v in own.items() if k != "search"} if search is not None else None
        if rest is not None and all(isinstance(value, kinds) for value in rest.values()):
            return str(name), rest, {str(key): value for key, value in (search or {}).items()}
    raise InputError(f"workloads: {entry} is no workload; {_RIGHT}")


def _groups(name: str, loader: QuickLoader) -> dict[str, Value]:
    dataset, slash, model = name.partition("/")
    if not slash:
        raise InputError(f"workloads=[{name}]: {_RIGHT}")
    groups: dict[str, Value] = {"dataset": dataset, "model": model}
    for group, member in groups.items():
        known = loader.get_group_options(group)
        if member not in known:
            offered = suggest_member(group, str(member), known=known)
            raise InputError(f"workloads=[{name}]: no such {group}; {offered}")
    return groups
