"""What a run ran on: the content of ``environment.json``, and memory figures."""

import contextlib
import functools
import importlib.metadata
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sgdlab.visible import without_password

_PACKAGES = ("sgdlab", "torch", "torchvision", "numpy", "hydra-core", "omegaconf", "scikit-learn")


def environment(device: torch.device, data: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return versions, device, threads, git commit, command line and where it was typed.

    The hash of the data is not known yet.

    Args:
        device: The device of the run.
        data: What is said of the data; see `sgdlab.datasets.base.Dataset.recorded`.
    """
    cuda = device.type == "cuda"
    return {
        **_versions(),
        "device": torch.cuda.get_device_name(device) if cuda else "cpu",
        "cuda": torch.version.cuda if cuda else None,
        "threads": torch.get_num_threads(),
        "git_commit": _git_commit(Path.cwd()),
        "dataset_fingerprint": None,
        **(data or {}),
        "command": without_password(shlex.join([*sys.argv[0].split(), *sys.argv[1:]])),
        "folder": str(Path.cwd()),
    }


@functools.cache
def _versions() -> dict[str, Any]:
    packages: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            packages[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            packages[package] = None
    return {
        "packages": packages,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": platform.machine(),
    }


@functools.cache
def _git_commit(folder: Path) -> str | None:
    """Return the commit checked out in ``folder``; ``-dirty`` marks uncommitted changes."""
    command = ["git", "-C", str(folder), "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


class PeakMemory:
    """Peak memory of a run: allocated by torch on CUDA, resident in the process on CPU."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with contextlib.suppress(OSError):
                Path("/proc/self/clear_refs").write_text(
                    "5", encoding="utf-8"
                )  # Linux: forget the earlier peak

    def bytes(self) -> int | None:
        """Return the peak since construction; None where the system does not tell.

        On CPU this is the process, libraries included, so it compares runs of one model rather
        than measures the model.
        """
        if self._device.type == "cuda":
            return torch.cuda.max_memory_allocated(self._device)
        with contextlib.suppress(OSError):
            for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return None
