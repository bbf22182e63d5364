"""Learning-rate schedules, one per file.

Any callable ``(step, total_steps, steps_per_epoch) -> factor`` on the learning rate will do:
`sgdlab.schedules.base.as_schedule` makes it a `sgdlab.schedules.base.Schedule`. Optional are a
method ``momentum`` with the same arguments and, for one that follows the validation loss,
``observe``, ``state_dict`` and ``load_state_dict`` (`sgdlab.schedules.plateau.Plateau`).

In a loop of your own, with no torch of this package's: ``lr = base_lr * Cosine()(step, total_steps,
steps_per_epoch)``.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdlab.schedules.base import Schedule as Schedule
    from sgdlab.schedules.constant import Constant as Constant
    from sgdlab.schedules.cosine import Cosine as Cosine
    from sgdlab.schedules.cosine_restarts import CosineRestarts as CosineRestarts
    from sgdlab.schedules.exponential import Exponential as Exponential
    from sgdlab.schedules.inverse_sqrt import InverseSqrt as InverseSqrt
    from sgdlab.schedules.inverse_time import InverseTime as InverseTime
    from sgdlab.schedules.linear import Linear as Linear
    from sgdlab.schedules.one_cycle import OneCycle as OneCycle
    from sgdlab.schedules.plateau import Plateau as Plateau
    from sgdlab.schedules.polynomial import Polynomial as Polynomial
    from sgdlab.schedules.step import Step as Step
    from sgdlab.schedules.wsd import Wsd as Wsd

_PLACES = {
    "Schedule": "base", "Constant": "constant", "Cosine": "cosine",
    "CosineRestarts": "cosine_restarts", "Exponential": "exponential",
    "InverseSqrt": "inverse_sqrt", "InverseTime": "inverse_time", "Linear": "linear",
    "OneCycle": "one_cycle", "Plateau": "plateau", "Polynomial": "polynomial", "Step": "step",
    "Wsd": "wsd",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
