"""Which optimizers get torch's fused kernels."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from sgdlab.training.build_optimizer import _fastest
from trainer_runs import config_of


def chosen(device: str, *own: str, floating: bool = True) -> dict[str, bool]:
    parameter = SimpleNamespace(device=torch.device(device), is_floating_point=lambda: floating)
    return _fastest(config_of(*own), cast(Any, [{"params": [parameter]}]))


@pytest.mark.parametrize("name", ["sgd", "momentum", "nesterov", "adam", "adamw"])
def test_torchs_own_are_fused_on_cpu_and_cuda(name: str) -> None:
    for device in ("cpu", "cuda:1"):
        assert chosen(device, f"optimizer={name}") == {"fused": True}
    assert chosen("meta", f"optimizer={name}") == {}


def test_others_and_those_that_were_decided_are_left_alone() -> None:
    assert chosen("cuda", "optimizer=lion") == {}
    assert chosen("cuda", "optimizer=adagrad") == {}
    assert chosen("cpu", "optimizer=adagrad") == {"fused": True}
    assert chosen("cuda", "optimizer=adamw", "optimizer.foreach=true") == {}
    assert chosen("cuda", "optimizer=adamw", "optimizer.fused=false") == {}
    assert chosen("cuda", "optimizer=adamw", "optimizer.differentiable=true") == {}
    assert chosen("cuda", "optimizer=adamw", floating=False) == {}
