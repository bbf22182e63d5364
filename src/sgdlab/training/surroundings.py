"""What a user's part may change in the process of a run, and what is put back after it.

So a run of a sweep has the numbers that it has alone, whatever ran before. What cannot be put back,
such as a function of torch that was replaced by another, needs ``isolate=true``.
"""

import contextlib
import decimal
import gc
import locale
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.optim
from torch.nn.modules import module as modules

from sgdlab import signals
from sgdlab.steps.streams import forked
from sgdlab.training.exits import Exits

_Setting = tuple[Callable[[], Any], Callable[[Any], object]]
"""What reads a setting, and what sets it to a value that was read."""


def _attribute(owner: Any, name: str) -> _Setting:
    return lambda: getattr(owner, name), lambda value: setattr(owner, name, value)


def _set_warnings(filters: list[Any]) -> None:
    held: Any = warnings.filters
    held[:] = filters
    with warnings.catch_warnings():
        pass  # has the interpreter look at the list again


_encoded: Any = vars(os.environ).get("_data", os.environ)  # decoding takes a hundred times as long


def _set_environment(before: dict[Any, Any]) -> None:
    for name, value in before.items():
        os.environ[os.fsdecode(name)] = os.fsdecode(value)
    for name in _encoded.keys() - before.keys():
        del os.environ[os.fsdecode(name)]


def _umask() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it is gone
        return None


def _set_working_directory(path: str | None) -> None:
    if path is not None:
        with contextlib.suppress(OSError):
            os.chdir(path)


def _device() -> torch.device | None:
    """Return the default device where one was set: setting one costs every new tensor time."""
    held = getattr(torch, "_GLOBAL_DEVICE_CONTEXT", None)  # torch's own reader makes a tensor
    return torch.get_default_device() if getattr(held, "device_context", None) else None


def _denormals_are_zero() -> bool:
    return sys.float_info.min / 2 == 0.0


_EXACT, _TF32 = ("highest", False, False), ("high", True, True)
"""Products and convolutions of float32 in float32; on CUDA in TF32, which keeps 10 of 23 bits."""


def _tf32() -> tuple[str, bool, bool] | None:
    """Return where TF32 is let in: products in torch's words, on CUDA, convolutions."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    try:
        precision = torch.get_float32_matmul_precision()
        return precision, bool(matmul.allow_tf32), bool(cudnn.allow_tf32)
    except RuntimeError:  # a part has set it by names old and new, which torch then cannot read
        return None


def _set_tf32(value: tuple[str, bool, bool] | None) -> None:
    precision, matmul, cudnn = value or _EXACT
    torch.set_float32_matmul_precision(precision)
    torch.backends.cuda.matmul.allow_tf32 = matmul
    torch.backends.cudnn.allow_tf32 = cudnn


_SETTINGS: dict[str, _Setting] = {
    "torch.set_default_dtype": (torch.get_default_dtype, torch.set_default_dtype),
    "torch.set_default_device": (_device, torch.set_default_device),
    "torch.set_num_threads": (torch.get_num_threads, torch.set_num_threads),
    "torch.set_grad_enabled": (torch.is_grad_enabled, torch.set_grad_enabled),
    "torch.autograd.set_detect_anomaly": (
        lambda: (torch.is_anomaly_enabled(), torch.is_anomaly_check_nan_enabled()),
        lambda value: torch.set_anomaly_enabled(*value),
    ),
    "torch.set_autocast_enabled": (
        lambda: torch.is_autocast_enabled("cpu"),
        lambda value: torch.set_autocast_enabled("cpu", value),
    ),
    "torch.use_deterministic_algorithms": (
        lambda: (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
        ),
        lambda value: torch.use_deterministic_algorithms(value[0], warn_only=value[1]),
    ),
    "torch.set_float32_matmul_precision": (_tf32, _set_tf32),
    "torch.set_flush_denormal": (_denormals_are_zero, torch.set_flush_denormal),
    **{
        f"torch.backends.{name}": _attribute(owner, name.rpartition(".")[2])
        for name, owner in {
            "cudnn.benchmark": torch.backends.cudnn,
            "cudnn.deterministic": torch.backends.cudnn,
            "cudnn.enabled": torch.backends.cudnn,
            "mkldnn.enabled": torch.backends.mkldnn,
        }.items()
    },
    "numpy.seterr": (np.geterr, lambda value: np.seterr(**value)),
    "numpy.set_printoptions": (np.get_printoptions, lambda value: np.set_printoptions(**value)),
    "decimal.setcontext": (lambda: decimal.getcontext().copy(), decimal.setcontext),
    "locale.setlocale": (
        lambda: locale.setlocale(locale.LC_ALL),
        lambda value: locale.setlocale(locale.LC_ALL, value),
    ),
    "warnings.filters": (lambda: list(warnings.filters), _set_warnings),
    "warnings.showwarning": _attribute(warnings, "showwarning"),
    "os.environ": (lambda: dict(_encoded), _set_environment),
    "os.chdir": (_working_directory, _set_working_directory),
    "os.umask": (_umask, os.umask),
    "sys.path": (lambda: list(sys.path), lambda value: sys.path.__setitem__(slice(None), value)),
    "sys.setrecursionlimit": (sys.getrecursionlimit, sys.setrecursionlimit),
    **{
        f"sys.{name}": _attribute(sys, name)
        for name in ("stdout", "stderr", "stdin", "excepthook", "displayhook")
    },
    "gc": (gc.isenabled, lambda value: gc.enable() if value else gc.disable()),
}
"""What is put back where it is another than before, by what changes it."""

_HOOKS = [
    value
    for owner in (modules, sys.modules["torch.optim.optimizer"])
    for name, value in vars(owner).items()
    if name.startswith("_global_") and name.endswith("_hooks") and isinstance(value, dict)
]
"""Hooks of torch that run in every module and every optimizer."""

_SIGNALS = [
    getattr(signal, name)
    for name in (*signals.STOPPING, "SIGALRM", "SIGPIPE", "SIGUSR2", "SIGCHLD")
    if hasattr(signal, name)
]


@contextlib.contextmanager
def restored(tf32: bool = False) -> Iterator[None]:
    """Put back after the block what was changed in it of torch, NumPy and the interpreter.

    In the block `sys.exit` and its kin raise, and end no process; see `sgdlab.training.exits`.
    It begins with float32 as it is called: on CUDA neither products nor convolutions (cuDNN's
    default) are rounded to TF32, and convolutions take algorithms that repeat bit for bit.

    Args:
        tf32: Whether they are rounded to TF32 in the block, after all.
    """
    settings = {name: read() for name, (read, _) in _SETTINGS.items()}
    hooks = [dict(held) for held in _HOOKS]
    main = threading.current_thread() is threading.main_thread()
    handlers = [signal.getsignal(number) for number in _SIGNALS] if main else []
    try:
        with forked(), Exits():
            _set_tf32(_TF32 if tf32 else _EXACT)
            torch.backends.cudnn.benchmark, torch.backends.cudnn.deterministic = False, True
            yield
    finally:
        for name, (read, put) in _SETTINGS.items():
            if read() != settings[name]:
                with contextlib.suppress(OSError, RuntimeError, ValueError, locale.Error):
                    put(settings[name])
        for held, before in zip(_HOOKS, hooks, strict=True):
            if held != before:
                held.clear()
                held.update(before)
        for number, handler in zip(_SIGNALS, handlers, strict=False):
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)
