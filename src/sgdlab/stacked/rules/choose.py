"""Which rule an optimizer has."""

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
"""Rules by the exact class of the optimizer: a subclass may do anything else."""


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
    rules = {kind.of(group) for group in groups}
    return (
        rules.pop()
        if len(rules) == 1
        else f"parameter groups of {name} differ in more than numbers"
    )
