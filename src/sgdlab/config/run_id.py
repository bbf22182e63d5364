"""What makes two runs the same: run ids, and the names of folders made from them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import PurePath
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.config.resolve import resolve
from sgdlab.config.schema import ASYNC, COMPARE_ONLY, LATER_OF_COMPARISONS, RunConfig
from sgdlab.optimizers import traits
from sgdlab.results import as_written, without_later, without_watched
from sgdlab.search.halving import counting

RULES_VERSION = 1
"""Part of every run id: raised when a change in the rules gives other numbers for a config."""

MUP_DECAY_VERSION = 2
"""Likewise, of runs under μP with weight decay: 2 divides it by the multiplier of lr."""

# What a run is called, where it goes and how it is watched do not determine its result.
_LABELS = (
    "names", "study", "phase", "trial", "replicate", "contender", "resume", "checkpoint", "hydra",
    "lr", "device", "import_from", "engine", "stacked", "diagnostics", "lesson",
    "save_final", "stale", "continue_from", "relative_paths", "lock", "isolate",
    "compile",
)  # fmt: skip
_ABSENT = object()
_PLACES = ("root", "download", "memory_map_above")
_ARRAYS = "sgdlab.datasets.saved_arrays.saved_arrays"


def run_id(config: RunConfig) -> str:
    """Return a short hash of all that determines the result of a run.

    Types are normalised (``lr=1`` and ``lr=1.0`` agree); labels, folders and resume settings do
    not count; the kind of device does. A path that was written relative counts as it was written.
    """
    labels = _LABELS if "lr" in config.optimizer else tuple(set(_LABELS) - {"lr"})
    content = {key: value for key, value in config.plain().items() if key not in labels}
    if written := config.relative_paths:
        content = {key: as_written(value, key, written) for key, value in content.items()}
    # Where a download lies, or tokens do, does not change what they are.
    if str(content["dataset"].get("_target_")).startswith("sgdlab."):
        content["dataset"] = {k: v for k, v in content["dataset"].items() if k not in _PLACES}
    # The name of a file of arrays counts, not its folder: a study of its own has a copy.
    if content["dataset"].get("_target_") == _ARRAYS:
        name = PurePath(str(content["dataset"].get("path"))).name
        content["dataset"] = content["dataset"] | {"path": name}
    # Which factors a sweep tries does not change what one of them gives.
    content["scaling"] = {k: v for k, v in content["scaling"].items() if k != "candidates"}
    content["optimizer"] = {k: v for k, v in content["optimizer"].items() if k != traits.KEY}
    if not str(content["loss"].get("_target_")).startswith("sgdlab."):
        content["loss_rules"] = 2  # targets were standardised whatever the loss
    content = without_later(without_watched(content))
    content["device"] = device_kind(config.device)
    content["rules"] = RULES_VERSION
    decays = config.optimizer.get("weight_decay") and config.decay.mode != "independent"
    if decays and config.parametrization == "mup":
        content["mup_decay"] = MUP_DECAY_VERSION
    canonical = json.dumps(_normalise(content), sort_keys=True)
    # A letter in front: ten digits would be read as a number, by us and by spreadsheets.
    return "r" + hashlib.sha256(canonical.encode()).hexdigest()[:9]


def same_batches_id(config: RunConfig) -> str:
    """Return what runs have in common that make the same updates by other numbers of processes.

    It is the id of the one process whose batch is that of all, and how gradients are rounded.
    """
    plain, own = config.plain(), config.distributed
    count = own.world_size or 1
    if isinstance(size := config.batch_size, int) and own.algorithm != ASYNC:
        size *= count
    as_one = {"batch_size": size, "distributed": {**vars(own), "world_size": None}}
    compression = own.compression if count > 1 else "none"
    return f"{run_id(RunConfig.of(plain | as_one))} {compression}"


def _normalise(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _normalise(v) for k, v in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list):
        return [_normalise(item) for item in cast("list[Any]", value)]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def device_kind(device: str) -> str:
    """Return ``cpu`` or ``cuda`` for the ``device`` key."""
    if device == "auto":
        import torch  # only here: the rest of this module serves commands without torch

        return "cuda" if torch.cuda.is_available() else "cpu"
    return device.split(":")[0]


def study_name(comparison: DictConfig) -> str:
    """Return ``study`` of a comparison, or a name made from what is compared.

    The same command gives the same name, so that typing it again resumes; any change of the
    settings gives another.
    """
    if comparison.study:
        return str(comparison.study)
    config = resolve(comparison)
    own = OmegaConf.to_container(OmegaConf.masked_copy(comparison, list(COMPARE_ONLY)))
    own = cast("dict[str, Any]", own)
    if own["replicates"] != "auto":
        own.pop("max_replicates")
    if own.get("ablation") is None:
        own.pop("ablation", None)  # studies had no such key once, and keep their names
    own = {k: v for k, v in own.items() if LATER_OF_COMPARISONS.get(k, _ABSENT) != v}
    own["search"] = counting(own["search"])
    if own["search"].get("method") != "tpe":
        own["search"].pop("batch", None)
    candidates = _normalise(config.scaling.get("candidates") or [])
    content = json.dumps([run_id(config), _normalise(own), candidates], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:6]
    names = [config.names.get("dataset", "data"), config.names.get("model", "model")]
    if isinstance(workloads := own["workloads"], str):
        names = [workloads.replace("/", "-")]
    elif isinstance(workloads, list):
        entries = cast("list[str | dict[str, Any]]", workloads)
        few = [name.replace("/", "-") for entry in entries for name in _names_in(entry)]
        names = few if len(few) <= 2 else [f"{len(few)}-workloads"]
    optimizers = list(comparison.optimizers)
    shown = optimizers if len(optimizers) <= 4 else [f"{len(optimizers)}-optimizers"]
    return "-".join([*names, *shown, digest])


def _names_in(entry: str | dict[str, Any]) -> list[str]:
    return [str(name) for name in entry] if isinstance(entry, dict) else [str(entry)]


def run_name(config: RunConfig, identity: str) -> str:
    """Return what ``${run_name:}`` stands for: the optimizer and the run id."""
    return f"{config.names.get('optimizer', 'run')}-{identity}"


def run_folder(config: RunConfig, identity: str) -> str:
    """Return what ``${run_folder:}`` stands for: the phase, if any, and the run id."""
    return f"{config.phase}/{identity}" if config.phase else identity


RUN_NAMES: dict[str, Callable[[RunConfig, str], str]] = {
    "run_id": lambda _, identity: identity,
    "run_name": run_name,
    "run_folder": run_folder,
}
"""The names of a run that configs may use, as in ``${run_id:}``, from its config and run id."""
