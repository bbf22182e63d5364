"""Every optimizer's YAML is complete, of the right types, and described."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from hydra.utils import get_class
from torch import nn

from sgdlab.config.catalogue import conf_dir, members
from sgdlab.optimizers.groups import parameter_groups

PATHS = sorted((conf_dir() / "optimizer").glob("*.yaml"))
EACH = pytest.mark.parametrize("path", PATHS, ids=lambda p: p.stem)


def section_and_class(path: Path) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Return a YAML's settings and what it builds; skip if a package of an extra is missing.

    Keys that begin with an underscore say what it is and are no settings.
    """
    content = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    target, section = content["_target_"], {k: v for k, v in content.items() if k[0] != "_"}
    package = target.split(".")[0]
    if package not in ("sgdlab", "torch"):
        pytest.importorskip(package, reason=f"{path.stem} needs {package}, of an extra")
    return section, get_class(target)


def keywords(cls: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a constructor but ``params`` and ``**kwargs``."""
    every = inspect.signature(cls).parameters
    return {n: p for n, p in every.items() if n != "params" and p.kind is not p.VAR_KEYWORD}


@EACH
def test_the_keys_are_the_parameters_of_the_constructor(path: Path) -> None:
    section, cls = section_and_class(path)
    assert set(section) == set(keywords(cls))


@EACH
def test_numbers_are_floats_and_counts_and_flags_are_what_they_are(path: Path) -> None:
    """An int where a float belongs would be refused on the command line as another run."""
    section, cls = section_and_class(path)
    parameters = keywords(cls)
    assert isinstance(section["lr"], float)
    for key, value in section.items():
        default = parameters[key].default
        assert isinstance(value, bool) == isinstance(default, bool), key
        if type(value) is int:
            # Not by the default: torch's say 0 where they mean 0.0.
            kind = str(parameters[key].annotation)
            assert "int" in kind, f"{key}: write {value}.0, not {value}"
            assert "float" not in kind, f"{key}: write {value}.0, not {value}"
        elif isinstance(value, list):
            assert all(not isinstance(v, int) for v in value), f"{key}: write 0.0, not 0"


def test_every_member_of_every_group_is_described() -> None:
    for group in ("dataset", "model", "loss", "optimizer", "schedule", "scaling", "search"):
        found = members(group)
        assert found
        assert all(found.values()), group


@EACH
def test_what_needs_an_extra_says_so(path: Path) -> None:
    foreign = "_target_: pytorch_optimizer." in path.read_text()
    assert members("optimizer")[path.stem].endswith("(extra more-optimizers)") == foreign


@pytest.mark.parametrize(
    "path", [p for p in PATHS if "fused:" in p.read_text()], ids=lambda p: p.stem
)
def test_the_fused_kernels_that_runs_use_agree_with_the_plain_ones(path: Path) -> None:
    """Fifty float64 steps on the same gradients."""
    section, cls = section_and_class(path)
    runs = []
    for fused in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(7, 5).double()
        groups = parameter_groups(model, weight_decay=section["weight_decay"])
        optimizer = cls(groups, **{**section, "fused": fused})
        for _ in range(50):
            for p in model.parameters():
                p.grad = torch.randn_like(p)
            optimizer.step()
        runs.append([p.detach() for p in model.parameters()])
    for p, q in zip(*runs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)
