"""First-order quantities beside every optimizer that there is."""

import math

import pytest
import torch
from harness import Steps, named

from sgdlab.config.catalogue import members
from sgdlab.diagnostics.alpha import Alpha
from sgdlab.diagnostics.angles import Angles
from sgdlab.diagnostics.dead_units import DeadUnits
from sgdlab.diagnostics.noise import Noise
from sgdlab.diagnostics.norms import Norms

# Left to the slow suite, as nothing in them is special here.
SPECIAL = (
    "nesterov", "adamw", "muon", "lbfgs", "nesterov_lookahead", "schedule_free_adamw",
    "kiefer_wolfowitz",
)  # fmt: skip
OPTIMIZERS = [
    pytest.param(name, marks=() if name in SPECIAL else pytest.mark.slow)
    for name in members("optimizer")
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_quantities_are_defined_and_change_nothing(optimizer: str) -> None:
    model = ("dataset=wine", "model.hidden=[6]", "model.activation=tanh", "batch_size=16")
    clip = () if optimizer == "kiefer_wolfowitz" else ("clip_norm=0.5",)
    steps = Steps(f"optimizer={optimizer}", *model, *clip, "accumulate=3", "epochs=2")
    quantities = [Norms(), Angles(), DeadUnits(), Alpha(), Noise()]
    columns = [quantity.begin(steps.subject) for quantity in quantities]
    steps.take()
    moment = steps.uneven(*quantities)
    found: dict[str, float] = {}
    for names, quantity in zip(columns, quantities, strict=True):
        found |= named(names, steps.measure(quantity, moment))
    scale = found.pop("noise_scale")
    assert scale > 0 or math.isnan(scale), "too much noise to tell"
    assert all(map(math.isfinite, found.values())), found
    change = [a - b for a, b in zip(moment.after, moment.before, strict=True)]
    moved = torch.cat([t.flatten() for t in change]).double()
    downhill = -torch.cat([g.flatten() for g in moment.gradients]).double()
    assert found["update_norm"] == pytest.approx(moved.norm().item(), rel=1e-5)
    cosine = torch.cosine_similarity(downhill, moved, dim=0, eps=0.0).item()
    assert found["update_cosine"] == pytest.approx(cosine, abs=1e-5)
