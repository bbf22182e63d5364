"""What every search of a comparison tunes, what is fixed, and what is compared besides."""

from collections.abc import Mapping
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.comparison.workloads import Workload
from sgdlab.errors import InputError
from sgdlab.search import Space, Value, space_of
from sgdlab.sweeps.jobs import QuickLoader

_SAME_COST = ("lr", "optimizer.", "schedule", "decay", "clip_", "limits", "half_life_tokens")
"""How keys begin that change a run and not what a step or its length costs."""

_WHOLE = ("dataset", "loss", "split", "eval", "stacked", "names", "checkpoint")
_RESERVED = (
    "optimizer", "model", "seed", "study", "phase", "trial", "replicate", "contender",
    "evaluate_test", "resume", "engine", "device", "threads", "import_from",
    "scaling.candidates", "scaling.candidate",
)  # fmt: skip


def scientific_of(master: DictConfig) -> dict[str, list[Value]]:
    """Return the scientific parameters of a comparison, and the values of each that are compared.

    Raises:
        InputError: They are no lists of different values, or what a comparison decides.
    """
    section = OmegaConf.select(master, "search.scientific") or {}
    if isinstance(section, DictConfig):
        section = cast("dict[str, Any]", OmegaConf.to_container(section))
    right = "write search.scientific={schedule: [cosine, constant]}"
    if not isinstance(section, dict):
        raise InputError(f"search.scientific={section}: {right}")
    typed = {o.partition("=")[0].lstrip("+~") for o in master.hydra.overrides.task}
    found: dict[str, list[Value]] = {}
    for key, values in _flat(section):
        if not isinstance(values, list) or not values or len(set(map(str, values))) < len(values):
            raise InputError(
                f"search.scientific.{key}={values}: must list different values; {right}"
            )
        _refuse_reserved(key, "search.scientific")
        if key in typed:
            raise InputError(f"{key} is set, and search.scientific.{key}={values}: leave one out")
        found[key] = values
    return found


def _flat(section: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in section.items():
        if isinstance(value, dict):
            found += _flat(cast("dict[str, Any]", value), f"{prefix}{name}.")
        else:
            found.append((f"{prefix}{name}", value))
    return found


def space_of_optimizer(
    master: DictConfig, loader: QuickLoader, name: str, workload: Workload | None = None
) -> Space:
    """Return the search space of an optimizer: that of ``search/NAME.yaml``, changed as typed.

    What is typed (``search.NAME.lr.low=…``) counts before what the workload has of its own, and
    that before the file.

    Args:
        master: The config of the comparison.
        loader: Reads the file.
        name: The optimizer.
        workload: Where it is tuned; None: anywhere.

    Raises:
        InputError: There is none, or it searches what a comparison cannot.
    """
    shipped = loader.load_config(f"search/{name}")
    typed = master.search.get(name)
    if shipped is None and typed is None:
        if "tuned" not in master.tracks:
            return Space([])
        raise InputError(
            f"optimizers={name}: no search space; add search/{name}.yaml beside "
            f"optimizer/{name}.yaml, for example lr: {{low: 1.0e-4, high: 0.1, scale: log}}"
        )
    if typed is not None and not isinstance(typed, DictConfig):
        right = f"write search.{name}.lr.low=… and .high=…, or search.{name}.lr=… to fix it"
        raise InputError(f"search.{name}={typed}: {right}")
    own, where = workload.search.get(name) if workload else None, f"search.{name}"
    if workload and own is not None:
        where = f"workloads.{workload.name}.{where}"
        if not isinstance(own, Mapping):
            raise InputError(f"{where}={own}: write {{lr: {{low: 1.0e-4, high: 0.1, scale: log}}}}")
    section = OmegaConf.to_container(OmegaConf.merge(shipped or {}, own or {}, typed or {}))
    space = space_of(cast("dict[str, Any]", section), where)
    for key in (*(dimension.key for dimension in space.dimensions), *space.fixed):
        _refuse_reserved(key, where)
    if master.seconds is not None:
        for dimension in space.dimensions:
            if not dimension.key.startswith(_SAME_COST):
                raise InputError(
                    f"seconds={master.seconds:g} with {where}.{dimension.key}: what a trial "
                    "costs would depend on it; set trials, or fix it"
                )
    return space


def _refuse_reserved(key: str, where: str) -> None:
    """Refuse what a comparison decides for all of its runs, as a thing to be searched."""
    root = key.partition(".")[0]
    if root in _WHOLE or key in _RESERVED:
        raise InputError(
            f"{where}.{key}: a comparison has the same {root} for all of its runs, or decides it; "
            "search settings of optimizer, schedule and training, such as lr or optimizer.momentum"
        )
