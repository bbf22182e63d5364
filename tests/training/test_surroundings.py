"""What a run changes in its process is put back; what would end the process raises."""

import decimal
import locale
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.modules.module import register_module_forward_hook

from sgdlab.training.exits import EndedProcessError
from sgdlab.training.surroundings import restored

MISDEEDS: dict[str, tuple[Callable[[], object], Callable[[], object]]] = {
    "dtype": (lambda: torch.set_default_dtype(torch.float64), torch.get_default_dtype),
    "device": (lambda: torch.set_default_device("meta"), lambda: torch.zeros(1).device.type),
    "grad": (lambda: torch.set_grad_enabled(False), torch.is_grad_enabled),
    "threads": (lambda: torch.set_num_threads(3), torch.get_num_threads),
    "deterministic": (
        lambda: torch.use_deterministic_algorithms(True),
        torch.are_deterministic_algorithms_enabled,
    ),
    "denormals": (lambda: torch.set_flush_denormal(True), lambda: sys.float_info.min / 2),
    "anomaly": (lambda: torch.autograd.set_detect_anomaly(True), torch.is_anomaly_enabled),
    "matmul": (
        lambda: torch.set_float32_matmul_precision("medium"),
        torch.get_float32_matmul_precision,
    ),
    "cudnn": (
        lambda: setattr(torch.backends.cudnn, "benchmark", True),
        lambda: torch.backends.cudnn.benchmark,
    ),
    "hook": (
        lambda: register_module_forward_hook(lambda *_: torch.zeros(1)),
        lambda: torch.nn.Identity()(torch.ones(1)).item(),
    ),
    "torch": (lambda: torch.manual_seed(3), lambda: torch.get_rng_state().tolist()),
    "python": (lambda: random.seed(3), random.getstate),
    "numpy": (lambda: np.random.seed(3), lambda: np.random.get_state()[1].tolist()),  # noqa: NPY002
    "seterr": (lambda: np.seterr(all="raise"), np.geterr),
    "print": (lambda: np.set_printoptions(precision=1), np.get_printoptions),
    "decimal": (
        lambda: setattr(decimal.getcontext(), "prec", 3),
        lambda: decimal.getcontext().prec,
    ),
    "locale": (
        lambda: locale.setlocale(locale.LC_ALL, "C"),
        lambda: locale.setlocale(locale.LC_ALL),
    ),
    "warnings": (lambda: warnings.simplefilter("once"), lambda: list(warnings.filters)),
    "environ": (lambda: os.environ.update(NEW="1", PATH="x"), lambda: dict(os.environ)),
    "removed": (lambda: os.environ.pop("PATH"), lambda: dict(os.environ)),
    "cwd": (lambda: os.chdir("/"), os.getcwd),
    "path": (lambda: sys.path.insert(0, "elsewhere"), lambda: list(sys.path)),
    "stdout": (lambda: setattr(sys, "stdout", None), lambda: sys.stdout),
    "recursion": (lambda: sys.setrecursionlimit(5000), sys.getrecursionlimit),
    "signal": (
        lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN),
        lambda: signal.getsignal(signal.SIGTERM),
    ),
}


@pytest.mark.parametrize("name", MISDEEDS)
def test_what_a_part_changes_is_put_back(name: str, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    do, look = MISDEEDS[name]
    own = locale.setlocale(locale.LC_ALL)
    if name == "locale":
        locale.setlocale(locale.LC_ALL, "C.UTF-8")
    before = look()
    with restored():
        do()
        changed = look()
    after = look()
    locale.setlocale(locale.LC_ALL, own)
    assert changed != before, "the misdeed does nothing"
    assert after == before


def test_float32_is_float32_and_repeats_on_cuda_too(monkeypatch):
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    monkeypatch.setattr(cudnn, "benchmark", True)
    was = cudnn.allow_tf32
    with restored():
        torch.set_float32_matmul_precision("high")
        cudnn.allow_tf32 = True
        with restored():
            assert torch.get_float32_matmul_precision() == "highest"
            assert not matmul.allow_tf32
            assert not cudnn.allow_tf32
            assert not cudnn.benchmark
            assert cudnn.deterministic
        assert torch.get_float32_matmul_precision() == "high"
        assert cudnn.allow_tf32
    assert (torch.get_float32_matmul_precision(), cudnn.allow_tf32) == ("highest", was)


@pytest.mark.skipif(
    not hasattr(torch.backends.cuda.matmul, "fp32_precision"), reason="a torch with one name for it"
)
def test_a_part_may_let_tf32_in_by_a_newer_name():
    """After which torch refuses to say by the older one what it is."""
    with restored():
        torch.backends.cuda.matmul.fp32_precision = "tf32"
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.get_float32_matmul_precision() == "highest"


def test_it_is_put_back_after_a_failure_and_within_another():
    def fail() -> None:
        with restored():
            torch.set_default_dtype(torch.float64)
            raise ValueError("mine")

    with restored():
        with pytest.raises(ValueError, match="mine"):
            fail()
        assert torch.get_default_dtype() is torch.float32


@pytest.mark.parametrize("end", [lambda: os._exit(0), lambda: os.abort()], ids=["_exit", "abort"])
def test_what_ends_the_process_raises(end: Callable[[], None]):
    exit_before = os._exit
    with pytest.raises(EndedProcessError, match="would end the process"), restored():
        end()
    assert os._exit is exit_before


def test_a_process_that_a_part_has_forked_ends_as_it_is_used_to():
    with restored():
        child = os.fork()
        if child == 0:
            os._exit(7)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
