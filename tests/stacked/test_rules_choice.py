"""Which optimizers have a rule, and how they decay."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import optim

from sgdlab.config.catalogue import conf_dir
from sgdlab.optimizers.traits import shipped_as
from sgdlab.stacked.rules.adam import AdamRule
from sgdlab.stacked.rules.choose import RULES, rule_of
from sgdlab.stacked.rules.rmsprop import RMSpropRule
from sgdlab.stacked.rules.sgd import SGDRule


def parameters() -> list[torch.Tensor]:
    return [torch.zeros(2, 3, requires_grad=True), torch.zeros(3, requires_grad=True)]


@pytest.mark.parametrize(
    "flags", [{}, {"foreach": True}, {"fused": True}, {"differentiable": True}]
)
def test_implementations_share_a_rule(flags: dict[str, Any]):
    assert rule_of(optim.SGD(parameters(), lr=0.1, **flags)) == SGDRule()
    assert rule_of(optim.Adam(parameters(), **flags)) == AdamRule()


def test_optimizers_that_differ_in_numbers_share_a_rule():
    assert rule_of(optim.Adam(parameters())) == rule_of(optim.AdamW(parameters(), lr=3.0))
    nesterov = optim.SGD(parameters(), momentum=0.9, nesterov=True)
    assert rule_of(nesterov) == rule_of(optim.SGD(parameters()))


def test_flags_that_change_the_state_make_another_rule():
    assert rule_of(optim.AdamW(parameters(), amsgrad=True)) == AdamRule(amsgrad=True) != AdamRule()
    assert rule_of(optim.RMSprop(parameters(), centered=True)) == RMSpropRule(True) != RMSpropRule()
    assert AdamRule(amsgrad=True).slots == ("exp_avg", "exp_avg_sq", "max_exp_avg_sq")
    assert RMSpropRule(True).slots == ("square_avg", "momentum_buffer", "grad_avg")


def test_reasons_name_what_has_no_rule():
    class Mine(optim.SGD):
        pass

    assert rule_of(optim.LBFGS(parameters())) == "LBFGS has no stacked rule"
    assert rule_of(Mine(parameters())) == "Mine has no stacked rule"
    for kind in RULES:
        if kind.__module__.startswith("torch"):
            optimizer = kind([{"params": parameters()}], lr=0.1, maximize=True)
            reason = f"{kind.__name__} has no stacked rule with maximize=true"
            assert rule_of(optimizer) == reason


@pytest.mark.parametrize(
    ("of_second", "reason"),
    [
        ({"maximize": True}, "Adam has no stacked rule with maximize=true"),
        ({"amsgrad": True}, "parameter groups of Adam differ in more than numbers"),
        (
            {"decoupled_weight_decay": True},
            "parameter groups of Adam differ in decoupled_weight_decay",
        ),
    ],
)
def test_all_groups_are_asked(of_second: dict[str, Any], reason: str):
    first, second = parameters()
    groups = [{"params": [first]}, {"params": [second], **of_second}]
    assert rule_of(optim.Adam(groups)) == reason
    numbers = [{"params": [first]}, {"params": [second], "betas": (0.5, 0.5), "weight_decay": 1.0}]
    assert rule_of(optim.Adam(numbers)) == AdamRule()


def test_the_docs_list_what_has_no_rule():
    text = (Path(__file__).parents[2] / "docs" / "performance.md").read_text()
    rows = [line for line in text.splitlines() if line.startswith("| `optimizer=")]
    listed = [name for row in rows for name in re.findall(r"`(?:optimizer=)?(\w+)`", row)]
    sections = {path.stem: shipped_as(path.stem) for path in (conf_dir() / "optimizer").iterdir()}
    assert sorted(listed) == sorted(
        name for name, section in sections.items() if not section["_traits_"]["stacked"]
    )


def test_a_setting_that_a_rule_lacks_is_named():
    optimizers = pytest.importorskip("pytorch_optimizer", reason="extra more-optimizers")
    rectified = optimizers.AdaBelief(parameters(), rectify=True)
    assert rule_of(rectified) == "AdaBelief has no stacked rule with rectify=true"
    upwards = optimizers.Yogi(parameters(), maximize=True)
    assert rule_of(upwards) == "Yogi has no stacked rule with maximize=true"
