"""What makes two runs the same: run ids, and the names of folders made from them."""

import hashlib
import json
from collections.abc import Callable
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from sgdlab.config.resolve import resolve
from sgdlab.config.schema import COMPARE_ONLY, RunConfig
from sgdlab.optimizers import traits
from sgdlab.results import without_later
from sgdlab.search.halving import counting

RULES_VERSION = 1
"""Part of every run id: raised when a change in the rules gives other numbers for a config."""

# What a run is called, where it goes and how it is watched do not determine its result.
_LABELS = (
    "names", "study", "phase", "trial", "replicate", "contender", "resume", "checkpoint", "hydra",
    "lr", "device", "import_from", "engine", "stacked", "diagnostics", "lesson",
)  # fmt: skip
_PLACES = ("root", "download")


def run_id(config: RunConfig) -> str:
    """Return a short hash of all that determines the result of a run.

    Types are normalised (``lr=1`` and ``lr=1.0`` agree); labels, folders and resume settings do
    not count; the kind of device does.
    """
    labels = _LABELS if "lr" in config.optimizer else tuple(set(_LABELS) - {"lr"})
    content = {key: value for key, value in config.plain().items() if key not in labels}
    # Where a download lies does not change what is in it.
    if str(content["dataset"].get("_target_")).startswith("sgdlab."):
        content["dataset"] = {k: v for k, v in content["dataset"].items() if k not in _PLACES}
    # Which factors a sweep tries does not change what one of them gives.
    content["scaling"] = {k: v for k, v in content["scaling"].items() if k != "candidates"}
    content["optimizer"] = {k: v for k, v in content["optimizer"].items() if k != traits.KEY}
    content = without_later(content)
    content["device"] = device_kind(config.device)
    content["rules"] = RULES_VERSION
    canonical = json.dumps(_normalise(content), sort_keys=True)
    # A letter in front: ten digits would be read as a number, by us and by spreadsheets.
    return "r" + hashlib.sha256(canonical.encode()).hexdigest()[:9]


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
    own["search"] = counting(own["search"])
    if own["search"].get("method") != "tpe":
        own["search"].pop("batch", None)
    candidates = _normalise(config.scaling.get("candidates") or [])
    content = json.dumps([run_id(config), _normalise(own), candidates], sort_keys=True)
    digest = hashlib.sha256(content.encode()).hexdigest()[:6]
    names = [config.names.get("dataset", "data"), config.names.get("model", "model")]
    if (workloads := own["workloads"]) is not None:
        few = [str(name).replace("/", "-") for name in workloads]
        names = few if len(few) <= 2 else [f"{len(few)}-workloads"]
    optimizers = list(comparison.optimizers)
    shown = optimizers if len(optimizers) <= 4 else [f"{len(optimizers)}-optimizers"]
    return "-".join([*names, *shown, digest])


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
