"""Every optimizer's YAML is complete, and its parameter groups are what the config says."""

import inspect
from pathlib import Path

import pytest
import torch
import yaml
from hydra.utils import get_class
from torch import nn

from sgdlab.groups import conf_dir, members
from sgdlab.optimizers.groups import decay_groups

PATHS = sorted((conf_dir() / "optimizer").glob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_the_keys_are_the_parameters_of_the_constructor(path: Path) -> None:
    section = yaml.safe_load(path.read_text())
    parameters = inspect.signature(get_class(section.pop("_target_"))).parameters
    assert set(section) == set(parameters) - {"params"}


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_numbers_are_floats_and_flags_are_flags(path: Path) -> None:
    section = yaml.safe_load(path.read_text())
    parameters = inspect.signature(get_class(section.pop("_target_"))).parameters
    for key, value in section.items():
        default = parameters[key].default
        assert isinstance(value, bool) == isinstance(default, bool), key
        assert not isinstance(value, int) or isinstance(value, bool), f"{key}: write 0.0, not 0"


def test_every_member_of_every_group_is_described() -> None:
    for group in ("dataset", "model", "loss", "optimizer", "schedule", "scaling", "search"):
        found = members(group)
        assert found
        assert all(found.values()), group


def a_model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 10))


def test_biases_and_normalisation_are_left_out_of_the_decay() -> None:
    decayed, rest = decay_groups(a_model(), bias_and_norm=False)
    assert sum(p.numel() for p in decayed["params"]) == 4 * 9 + 1440
    assert sum(p.numel() for p in rest["params"]) == 4 + 4 + 4 + 10
    assert "weight_decay" not in decayed
    assert rest["weight_decay"] == 0.0


def test_all_parameters_decay_on_request() -> None:
    (group,) = decay_groups(a_model(), bias_and_norm=True)
    assert sum(p.numel() for p in group["params"]) == 36 + 4 + 8 + 1450


def test_frozen_parameters_are_in_no_group() -> None:
    model = a_model()
    model[3].weight.requires_grad_(False)
    groups = decay_groups(model, bias_and_norm=False)
    assert all(p is not model[3].weight for group in groups for p in group["params"])


def test_decay_shrinks_weights_and_not_biases() -> None:
    model = nn.Linear(3, 2)
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(decay_groups(model, False), lr=0.1, weight_decay=0.5)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    torch.testing.assert_close(model.weight, before[0] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(model.bias, before[1])


@pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)
def test_the_fused_kernels_that_runs_use_agree_with_the_plain_ones(path: Path) -> None:
    """Fifty float64 steps on the same gradients."""
    section = yaml.safe_load(path.read_text())
    if "fused" not in section:
        pytest.skip("torch has no fused kernel for it")
    cls = get_class(section.pop("_target_"))
    runs = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(7, 5).double()
        optimizer = cls(decay_groups(model, False), **{**section, "fused": fused})
        for _ in range(50):
            for p in model.parameters():
                p.grad = torch.randn_like(p)
            optimizer.step()
        runs.append([p.detach() for p in model.parameters()])
    for p, q in zip(*runs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)
