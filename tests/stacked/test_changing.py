"""Which losses may change from call to call."""

import functools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sgdlab.losses.hinge import Hinge
from sgdlab.stacked.changing import changing, kept


def _counting_inside() -> Callable[..., Tensor]:
    calls = 0

    def loss(output: Tensor, target: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return F.mse_loss(output, target) / calls

    return loss


def _remembering() -> Callable[..., Tensor]:
    seen: list[float] = []

    def loss(output: Tensor, target: Tensor) -> Tensor:
        seen.append(0.0)
        return F.mse_loss(output, target) / len(seen)

    return loss


def _hooked() -> nn.Module:
    loss = nn.MSELoss()
    loss.register_forward_hook(lambda *_: None)
    return loss


class _Locked(nn.MSELoss):
    def __init__(self) -> None:
        super().__init__()
        self.reader = (number for number in range(3))  # cannot be written


class _Trained(nn.MSELoss):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))


@pytest.mark.parametrize(
    "loss",
    [F.mse_loss, nn.MSELoss(), nn.CrossEntropyLoss(torch.ones(3)), Hinge(2.0),
     functools.partial(F.huber_loss, delta=2.0)],
    ids=["function", "module", "weights", "ours", "partial"],
)  # fmt: skip
def test_what_holds_settings_only_does_not_change(loss: Any):
    before = kept(loss)
    assert changing(loss) is None
    if not isinstance(loss, nn.CrossEntropyLoss | Hinge):
        loss(torch.ones(4, 3), torch.zeros(4, 3))
    assert kept(loss) == before is not None


@pytest.mark.parametrize(
    ("loss", "reason"),
    [
        (_counting_inside(), "loss loss writes to variables outside it"),
        (functools.partial(_counting_inside()), "loss loss writes to variables outside it"),
        (_hooked(), "loss MSELoss has hooks"),
        (_Locked(), "what loss _Locked holds cannot be compared"),
        (_Trained(), "loss _Trained is trained itself"),
    ],
)
def test_what_may_change_is_seen_without_a_call(loss: Any, reason: str):
    assert changing(loss) == reason


def test_what_a_function_remembers_is_seen_after_a_call():
    loss = _remembering()
    before = kept(loss)
    assert changing(loss) is None
    loss(torch.ones(2), torch.zeros(2))
    assert kept(loss) != before
