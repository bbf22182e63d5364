"""The parameter groups of a snippet on the run's own model: the run's, parameter by parameter."""

import sys
import types
from typing import Any

import pytest
import torch

from sgdlab.snippet import snippet
from trainer_runs import built

RUNS = [
    "dataset=text model=gpt optimizer=muon",
    "dataset=text model=gpt model.tied=false optimizer=muon optimizer.adamw_weight_decay=0.2",
    "dataset=text model=lstm optimizer=lamb decay.embeddings=false",
    "dataset=text model=gpt optimizer=adamw decay.embeddings=false",
    "dataset=images_synthetic model=vit optimizer=muon",
]


def settings(optimizer: torch.optim.Optimizer, names: dict[Any, str]) -> dict[str, Any]:
    kept = ("use_muon", "weight_decay", "lr_multiplier")
    return {
        names[p]: [group.get(key) for key in kept]
        for group in optimizer.param_groups
        for p in group["params"]
    }


@pytest.mark.parametrize("overrides", RUNS)
def test_each_parameter_is_treated_as_in_the_run(
    overrides: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = built(*overrides.split(), "device=cpu")
    made = types.ModuleType("made")
    monkeypatch.setitem(sys.modules, "made", made)
    exec(snippet(run.config.plain()), made.__dict__)
    names = {p: name for name, p in run.model.named_parameters()}
    expected = settings(run.optimizer, names)
    assert settings(made.make_optimizer(run.model), names) == expected
    assert len({tuple(map(str, one)) for one in expected.values()}) > 1
