"""Which rule an optimizer has, and how it applies its weight decay."""

from typing import Literal

from torch import optim
from torch.optim import Optimizer

from sgdlab.optimizers import lamb, lars, lion, signsgd
from sgdlab.stacked.rules.adagrad import AdagradRule
from sgdlab.stacked.rules.adam import AdamRule
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.lamb import LAMBRule
from sgdlab.stacked.rules.lars import LARSRule
from sgdlab.stacked.rules.lion import LionRule
from sgdlab.stacked.rules.nadam import NAdamRule
from sgdlab.stacked.rules.rmsprop import RMSpropRule
from sgdlab.stacked.rules.sgd import SGDRule
from sgdlab.stacked.rules.signsgd import SignSGDRule

RULES: dict[type[Optimizer], type[Rule]] = {
    optim.SGD: SGDRule,
    optim.Adam: AdamRule,
    optim.AdamW: AdamRule,
    optim.NAdam: NAdamRule,
    optim.RMSprop: RMSpropRule,
    optim.Adagrad: AdagradRule,
    lars.LARS: LARSRule,
    lamb.LAMB: LAMBRule,
    lion.Lion: LionRule,
    signsgd.SignSGD: SignSGDRule,
}
"""By exact class: a subclass may do anything else."""


def rule_of(optimizer: Optimizer) -> Rule | str:
    """Return the rule that makes the steps of an optimizer, or why there is none.

    Its groups share the rule and differ in numbers. Flags that only choose an implementation
    (``foreach``, ``fused``, ``capturable``, ``differentiable``) do not matter.

    Returns:
        The rule, or a few words: ``Muon has no stacked rule``.
    """
    name, groups = type(optimizer).__name__, optimizer.param_groups
    kind = RULES.get(type(optimizer))
    if kind is None:
        return f"{name} has no stacked rule"
    if any(group.get("maximize") for group in groups):
        return f"{name} has no stacked rule with maximize=true"
    if len({bool(group.get("decoupled_weight_decay")) for group in groups}) > 1:
        return f"parameter groups of {name} differ in decoupled_weight_decay"
    rules = [kind.of(group) for group in groups]
    reason = next((rule for rule in rules if isinstance(rule, str)), None)
    if reason is None and len(set(rules)) > 1:
        return f"parameter groups of {name} differ in more than numbers"
    return reason or rules[0]


def decay_kind(optimizer: Optimizer) -> Literal["coupled", "decoupled", "own"]:
    """Say how an optimizer that has a rule applies ``weight_decay``; see `Rule.decay`.

    A property of the run, not of the rule, so that Adam and AdamW share a stack. Where
    ``decay.mode`` took the decay out of its hands, the groups' ``weight_decay`` is 0.
    """
    if optimizer.param_groups[0].get("decoupled_weight_decay"):
        return "decoupled"
    return RULES[type(optimizer)].decay
