"""Which rule an optimizer has."""

import sys

from torch import optim
from torch.optim import Optimizer

from sgdlab.optimizers import keras_sgd, lamb, lars, lion, signsgd
from sgdlab.optimizers.muon import Muon
from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW
from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD
from sgdlab.optimizers.swats import SWATS
from sgdlab.stacked.rules.adabelief import AdaBeliefRule
from sgdlab.stacked.rules.adadelta import AdadeltaRule
from sgdlab.stacked.rules.adafactor import AdafactorRule
from sgdlab.stacked.rules.adagrad import AdagradRule
from sgdlab.stacked.rules.adam import AdamRule
from sgdlab.stacked.rules.adamax import AdamaxRule
from sgdlab.stacked.rules.adan import AdanRule
from sgdlab.stacked.rules.ademamix import AdEMAMixRule
from sgdlab.stacked.rules.asgd import ASGDRule
from sgdlab.stacked.rules.base import Rule
from sgdlab.stacked.rules.diffgrad import DiffGradRule
from sgdlab.stacked.rules.keras_sgd import KerasSGDRule
from sgdlab.stacked.rules.lamb import LAMBRule
from sgdlab.stacked.rules.laprop import LaPropRule
from sgdlab.stacked.rules.lars import LARSRule
from sgdlab.stacked.rules.lion import LionRule
from sgdlab.stacked.rules.muon import MuonRule
from sgdlab.stacked.rules.nadam import NAdamRule
from sgdlab.stacked.rules.novograd import NovoGradRule
from sgdlab.stacked.rules.qhadam import QHAdamRule
from sgdlab.stacked.rules.radam import RAdamRule
from sgdlab.stacked.rules.rmsprop import RMSpropRule
from sgdlab.stacked.rules.rprop import RpropRule
from sgdlab.stacked.rules.schedule_free import ScheduleFreeAdamWRule, ScheduleFreeSGDRule
from sgdlab.stacked.rules.sgd import SGDRule
from sgdlab.stacked.rules.signsgd import SignSGDRule
from sgdlab.stacked.rules.swats import SWATSRule
from sgdlab.stacked.rules.tiger import TigerRule
from sgdlab.stacked.rules.yogi import YogiRule

RULES: dict[type[Optimizer], type[Rule]] = {
    optim.SGD: SGDRule,
    optim.Adam: AdamRule,
    optim.AdamW: AdamRule,
    optim.NAdam: NAdamRule,
    optim.RMSprop: RMSpropRule,
    optim.Adagrad: AdagradRule,
    optim.Adadelta: AdadeltaRule,
    optim.Adamax: AdamaxRule,
    optim.RAdam: RAdamRule,
    optim.Rprop: RpropRule,
    optim.ASGD: ASGDRule,
    optim.Adafactor: AdafactorRule,
    Muon: MuonRule,
    SWATS: SWATSRule,
    keras_sgd.KerasSGD: KerasSGDRule,
    lars.LARS: LARSRule,
    lamb.LAMB: LAMBRule,
    lion.Lion: LionRule,
    signsgd.SignSGD: SignSGDRule,
    ScheduleFreeSGD: ScheduleFreeSGDRule,
    ScheduleFreeAdamW: ScheduleFreeAdamWRule,
}
"""Rules by the exact class of the optimizer: a subclass may do anything else."""

EXTRA: dict[str, type[Rule]] = {
    "pytorch_optimizer.optimizer.adabelief.AdaBelief": AdaBeliefRule,
    "pytorch_optimizer.optimizer.adan.Adan": AdanRule,
    "pytorch_optimizer.optimizer.ademamix.AdEMAMix": AdEMAMixRule,
    "pytorch_optimizer.optimizer.diffgrad.DiffGrad": DiffGradRule,
    "pytorch_optimizer.optimizer.laprop.LaProp": LaPropRule,
    "pytorch_optimizer.optimizer.novograd.NovoGrad": NovoGradRule,
    "pytorch_optimizer.optimizer.qhadam.QHAdam": QHAdamRule,
    "pytorch_optimizer.optimizer.tiger.Tiger": TigerRule,
    "pytorch_optimizer.optimizer.yogi.Yogi": YogiRule,
}
"""Rules of optimizers in packages that may be missing, by module and name."""


def kind_of(optimizer: type[Optimizer]) -> type[Rule] | None:
    """Return the class of the rule of a class of optimizers; None where there is none."""
    module, name = optimizer.__module__, optimizer.__name__
    if getattr(sys.modules.get(module), name, None) is not optimizer:
        return RULES.get(optimizer)
    return RULES.get(optimizer) or EXTRA.get(f"{module}.{name}")


def rule_of(optimizer: Optimizer) -> Rule | str:
    """Return the rule that makes the steps of an optimizer, or why there is none.

    Its groups share the rule and differ in numbers. Flags that only choose an implementation
    (``foreach``, ``fused``, ``capturable``, ``differentiable``) do not matter.

    Returns:
        The rule, or a few words: ``LBFGS has no stacked rule``.
    """
    name, groups = type(optimizer).__name__, optimizer.param_groups
    kind = kind_of(type(optimizer))
    if kind is None:
        return f"{name} has no stacked rule"
    if getattr(optimizer, "maximize", False) or any(group.get("maximize") for group in groups):
        return f"{name} has no stacked rule with maximize=true"
    on = [(key, group[key]) for key in kind.off for group in groups if group.get(key)]
    for key, value in on:
        return f"{name} has no stacked rule with {key}={str(value).lower()}"
    if len({bool(group.get("decoupled_weight_decay")) for group in groups}) > 1:
        return f"parameter groups of {name} differ in decoupled_weight_decay"
    return kind.of(groups) or f"parameter groups of {name} differ in more than numbers"
