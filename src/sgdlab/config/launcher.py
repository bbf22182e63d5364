"""Whether the launcher that was chosen is there, before anything is made."""

import importlib.util
import socket
from typing import Any

from omegaconf import DictConfig

from sgdlab.checks import pip_install
from sgdlab.errors import InputError

EXTRAS = {
    "hydra_plugins.hydra_joblib_launcher": ("joblib", "hydra_plugins.hydra_joblib_launcher"),
    "hydra_plugins.sgdlab_ray": ("ray", "ray"),
    "hydra_plugins.hydra_submitit_launcher": ("submitit", "hydra_plugins.hydra_submitit_launcher"),
}
"""By where a launcher lies, the extra that brings what it needs, and the module to look for."""


_PATIENCE = 5.0  # seconds that a cluster has to answer


def refuse_missing_launcher(config: DictConfig) -> None:
    """Refuse a launcher whose extra is not installed, or whose cluster does not answer.

    Raises:
        InputError: It is not; the line says which. Or nobody listens at the address.
    """
    launcher: Any = config.hydra.launcher
    through = str(launcher.get("through") if launcher else "")
    found = next((own for place, own in EXTRAS.items() if through.startswith(f"{place}.")), None)
    if found is None:
        return
    extra, module = found
    if not _is_there(module):
        name = config.hydra.runtime.choices.get("hydra/launcher", extra)
        raise InputError(f"hydra/launcher={name}: not installed here; {pip_install(extra)}")
    refuse_unreachable(launcher.get("address"))


def refuse_unreachable(address: str | None) -> None:
    """Refuse an address at which nobody listens, before Ray waits for a minute.

    Raises:
        InputError: Nobody does, or it is no address.
    """
    if address in (None, "auto", "local"):
        return
    host, _, port = str(address).removeprefix("ray://").rpartition(":")
    right = "HOST:PORT of a running cluster (ray start --head says it), auto, or null"
    if not host or not port.isdigit():
        raise InputError(f"hydra.launcher.address={address}: must be {right}")
    try:
        socket.create_connection((host, int(port)), _PATIENCE).close()
    except OSError as error:
        said = error.strerror or str(error)
        raise InputError(
            f"hydra.launcher.address={address}: nobody answers ({said}); must be {right}"
        ) from error


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
