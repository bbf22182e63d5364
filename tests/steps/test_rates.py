"""What is set in an optimizer before each step."""

import torch

from sgdlab.steps.base import has_momentum, set_rates


def parameter() -> list[torch.nn.Parameter]:
    return [torch.nn.Parameter(torch.zeros(2))]


def test_lr_is_multiplied_by_the_groups_own_factor() -> None:
    groups = [{"params": parameter()}, {"params": parameter(), "lr_multiplier": 0.5}]
    optimizer = torch.optim.SGD(groups, lr=1.0)
    set_rates(optimizer, 0.2, None)
    assert [group["lr"] for group in optimizer.param_groups] == [0.2, 0.1]


def test_a_scheduled_momentum_may_pass_through_zero() -> None:
    optimizer = torch.optim.SGD(parameter(), lr=1.0, momentum=0.9)
    for momentum in (0.0, 0.5):
        set_rates(optimizer, 0.1, momentum)
        assert optimizer.param_groups[0]["momentum"] == momentum


def test_plain_sgd_stays_plain_and_adam_has_its_first_beta_set() -> None:
    plain, adam = torch.optim.SGD(parameter(), lr=1.0), torch.optim.Adam(parameter())
    for optimizer in (plain, adam):
        set_rates(optimizer, 0.1, 0.85)
    assert plain.param_groups[0]["momentum"] == 0
    assert adam.param_groups[0]["betas"] == (0.85, 0.999)
    assert has_momentum(adam)
    assert not has_momentum(plain)
