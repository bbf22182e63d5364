"""Source of an average that is kept beside the run."""

from collections.abc import Mapping
from typing import Any

from sgdlab.checks import require_number
from sgdlab.errors import InputError
from sgdlab.snippet.source import Part
from sgdlab.snippet.values import literal, section, settings, target, whole

_MEAN = "AveragedModel(model)"
_KINDS = {
    "Polyak": _MEAN,
    "Exponential": "AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn({decay}))",
    "Stochastic": _MEAN,
}
_MAKE = '''\
def make_average(model: torch.nn.Module) -> AveragedModel:
    """Return what averages the weights of ``model``."""
    return {kind}
'''
_MAKE_CORRECTED = '''\
def make_average(model: torch.nn.Module, total_steps: int) -> AveragedModel:
    """Return the exponential average of the weights of ``model``, corrected for its start."""
    decay = 1 - 1 / max(1.0, {horizon} * (1 - {start}) * total_steps)

    def update(averages, weights, count):
        weight = (1 - decay) / (1 - decay ** (int(count) + 1))
        torch._foreach_lerp_(averages, weights, weight)

    return AveragedModel(model, multi_avg_fn=update)
'''
_TEXT = '''\
{make}

def enters_average(step: int, total_steps: int, steps_per_epoch: int) -> bool:
    """Say whether the weights after ``step`` optimizer steps enter the average.

    {words}.
    """
    return {due}'''


def average_part(config: Mapping[str, Any]) -> Part | None:
    """Return the definitions of the average; None when the run had none.

    Raises:
        InputError: It is not one of sgdlab's.
    """
    if not section(config, "average"):
        return None
    module, name = target(config, "average")
    if (module, name) == ("sgdlab.averaging", "none"):
        return None
    if module != "sgdlab.averaging" or name not in _KINDS:
        raise InputError(f"average={module}.{name}: a snippet can hold polyak, ema and swa only")
    given = settings(config, "average")
    start = require_number("average.start", given.get("start", 0.0), 0, 1, open_high=True)
    due = f"step > {literal(start)} * total_steps" if start else "step > 0"
    words = f"All do after a fraction of {start:g} of the steps" if start else "All do"
    if name == "Stochastic":
        every = whole(given, "every", 1)
        period = f"({every} * steps_per_epoch)" if every > 1 else "steps_per_epoch"
        due = f"step % {period} == 0 and {due}"
        words = words.replace("All", "Those at the end of epochs")
    imports = {("torch", None), ("torch.optim.swa_utils", "AveragedModel")}
    if follows_length(config):
        horizon = require_number("average.horizon", given.get("horizon", 0.1), 0, 1, open_low=True)
        make = _MAKE_CORRECTED.format(horizon=literal(horizon), start=literal(start))
    else:
        kind = _KINDS[name].format(**{key: literal(value) for key, value in given.items()})
        make = _MAKE.format(kind=kind)
        if name == "Exponential":
            imports.add(("torch.optim.swa_utils", "get_ema_multi_avg_fn"))
    return Part(_TEXT.format(make=make, due=due, words=words), imports)


def follows_length(config: Mapping[str, Any]) -> bool:
    """Say whether the average of a run is made for its length."""
    given = section(config, "average")
    is_exponential = str(given.get("_target_")).endswith(".Exponential")
    return is_exponential and given.get("decay") is None
