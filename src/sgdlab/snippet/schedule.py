"""Source of ``make_schedule``."""

from collections.abc import Mapping
from typing import Any

from sgdlab.snippet.source import Part, inlined, methods
from sgdlab.snippet.values import call, literal, section, settings, target

_HEAD = '''\
def make_schedule(
    optimizer: torch.optim.Optimizer, total_steps: int, steps_per_epoch: int
) -> LambdaLR:
    """Return what sets the learning rates, {0}.

    Args:
        optimizer: What `make_optimizer` returned, before its first step.
        total_steps: Optimizer steps of the whole training.
        steps_per_epoch: Optimizer steps of an epoch.
    """'''
_STATE = {"observe", "state_dict", "load_state_dict"}
_FLAT = "    return LambdaLR(optimizer, lambda step: 1.0)"
_LAMBDA = "lambda step: schedule(step, total_steps, steps_per_epoch)"
_MOMENTUM = """\
    scheduler = LambdaLR(optimizer, lambda step: schedule(step, total_steps, steps_per_epoch))

    def set_momentum(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        where = scheduler.last_epoch, total_steps, steps_per_epoch
        set_rates(optimizer, LR * schedule(*where), schedule.momentum(*where))

    optimizer.register_step_pre_hook(set_momentum)
    return scheduler"""
_OWN_MOMENTUM = """\
    scheduler = Observing(optimizer, schedule, total_steps, steps_per_epoch)
    momentum = getattr(schedule, "momentum", lambda *_: None)

    def set_momentum(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        where = scheduler.last_epoch, total_steps, steps_per_epoch
        set_rates(optimizer, LR * schedule(*where), momentum(*where))

    optimizer.register_step_pre_hook(set_momentum)
    return scheduler"""
_OBSERVING = '''\
class Observing(LambdaLR):
    """A `LambdaLR` that is told the validation loss after each evaluation."""

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        schedule: Any,
        total_steps: int,
        steps_per_epoch: int,
    ) -> None:
        self.schedule = schedule
        super().__init__(optimizer, lambda step: schedule(step, total_steps, steps_per_epoch))

    def observe(self, value: float) -> None:
        """Take note of a validation loss; the next step has the rate that follows."""
        self.schedule.observe(value)
        for group, lr, factor in zip(self.optimizer.param_groups, self.base_lrs, self.lr_lambdas):
            group["lr"] = lr * factor(self.last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return plain values, those of the schedule included."""
        return {**super().state_dict(), "schedule": getattr(self.schedule, "state_dict", dict)()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        state = dict(state_dict)
        seen = state.pop("schedule")
        if seen:
            self.schedule.load_state_dict(seen)
        super().load_state_dict(state)'''


def schedule_part(config: Mapping[str, Any]) -> Part:
    """Return the definitions of the schedule.

    Raises:
        InputError: The schedule cannot be written as source.
    """
    module, name = target(config, "schedule")
    given = settings(config, "schedule")
    part = Part("", {("torch", None), ("torch.optim.lr_scheduler", "LambdaLR")})
    if module.split(".")[0] != "sgdlab":
        part.imports |= {(module, None), ("typing", "Any")}
        rates = inlined([("sgdlab.steps.base", "set_rates")])
        part.imports |= rates.imports
        make = [_HEAD.format("with the run's own schedule"), _built(f"{module}.{name}", given)]
        part.text = "\n\n\n".join([rates.text, _OBSERVING, "\n".join([*make, _OWN_MOMENTUM])])
        return part
    if _is_flat(module, given):
        part.text = "\n".join([_HEAD.format("which stay as they are"), _FLAT])
        return part
    momentum = moves_momentum(config)
    wanted = [(module, name)]
    if momentum:
        wanted.append(("sgdlab.steps.base", "set_rates"))
    unused = {"observes"} | (set() if momentum else {"momentum"})
    unused |= set() if observes(config) else _STATE
    rule = inlined(wanted, without=unused)
    part.imports |= rule.imports
    texts, make = [rule.text], [_built(name, given)]
    if observes(config):
        part.imports.add(("typing", "Any"))
        texts.append(_OBSERVING)
        make.append("    return Observing(optimizer, schedule, total_steps, steps_per_epoch)")
    elif momentum:
        part.imports.add(("typing", "Any"))
        make.append(_MOMENTUM)
    else:
        make.append(f"    return LambdaLR(optimizer, {_LAMBDA})")
    head = _HEAD.format("and momentum, step by step" if momentum else "step by step")
    part.text = "\n\n\n".join([*texts, "\n".join([head, *make])])
    return part


def _built(name: str, given: Mapping[str, Any]) -> str:
    return call(name, [f"{key}={literal(v)}" for key, v in given.items()], 4, "schedule = ")


def _is_flat(module: str, given: Mapping[str, Any]) -> bool:
    steps = given.get("warmup_steps")
    warmup = given.get("warmup_epochs") if steps is None else steps
    return module == "sgdlab.schedules.constant" and not warmup


def moves_momentum(config: Mapping[str, Any]) -> bool:
    """Say whether one of sgdlab's schedules sets momentum, too."""
    moves = section(config, "schedule").get("cycle_momentum", True)
    return bool(moves) and _defines(config, "momentum")


def observes(config: Mapping[str, Any]) -> bool:
    """Say whether one of sgdlab's schedules follows the validation loss."""
    return _defines(config, "observe")


def _defines(config: Mapping[str, Any], method: str) -> bool:
    module, name = target(config, "schedule")
    return module.split(".")[0] == "sgdlab" and method in methods(module, name)
