"""The device that a run trains on."""

import torch

from sgdlab.config.run_id import device_kind
from sgdlab.config.schema import RunConfig
from sgdlab.config.torchrun import launch
from sgdlab.errors import InputError

_AMPERE = (8, 0)
"""The compute capability from which NVIDIA's GPUs have TF32."""


def device_of(config: RunConfig) -> torch.device:
    """Return the device of a config.

    Raises:
        InputError: CUDA is asked for and this machine or this torch has none; or TF32, likewise.
    """
    if device_kind(config.device) == "cpu":
        if config.precision == "tf32":
            raise InputError(
                "precision=tf32: only CUDA devices have it, and this run is on the CPU, which "
                "computes in float32; use precision=fp32"
            )
        return torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    device = torch.device("cuda" if config.device == "auto" else config.device)
    if (config.distributed.world_size or 1) > 1 and count:
        device = _of_this_process(config, count)
    if (device.index or 0) >= count:
        has = f"torch {torch.__version__} sees {count} CUDA devices here"
        raise InputError(f"device={config.device}: {has}; use device=cpu or device=auto")
    if config.precision == "tf32" and torch.cuda.get_device_capability(device) < _AMPERE:
        name = torch.cuda.get_device_name(device)
        raise InputError(f"precision=tf32: {name} has no TF32; use precision=fp32")
    return device


def _of_this_process(config: RunConfig, count: int) -> torch.device:
    """Return the GPU of one of several processes on a machine.

    Raises:
        InputError: There is none for it alone, as NCCL wants.
    """
    own = launch()
    number = 0 if own is None else own.local_rank
    if ":" in config.device:
        raise InputError(f"device={config.device}: each process has its own; use device=cuda")
    if number >= count and config.distributed.backend != "gloo":
        raise InputError(
            f"device={config.device}: process {number + 1} of this machine has no GPU of its own, "
            f"there are {count}; use torchrun --nproc-per-node={count}, or device=cpu"
        )
    return torch.device("cuda", number % count)
