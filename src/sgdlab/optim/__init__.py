"""The optimizers that sgdlab has beyond `torch.optim`, for a loop of your own.

Each is a `torch.optim.Optimizer`; torch is imported with the first that is asked for. What one
needs beyond ``optimizer.zero_grad(); loss.backward(); optimizer.step()`` is in its docstring: a
closure for `KieferWolfowitz`, ``train()`` and ``eval()`` for the schedule-free ones.
`sgdlab.schedules` has the factors on the learning rate.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgdlab.optimizers.keras_sgd import KerasSGD as KerasSGD
    from sgdlab.optimizers.kiefer_wolfowitz import KieferWolfowitz as KieferWolfowitz
    from sgdlab.optimizers.lamb import LAMB as LAMB
    from sgdlab.optimizers.lars import LARS as LARS
    from sgdlab.optimizers.lion import Lion as Lion
    from sgdlab.optimizers.muon import Muon as Muon
    from sgdlab.optimizers.nesterov_lookahead import NesterovLookahead as NesterovLookahead
    from sgdlab.optimizers.schedule_free_adamw import ScheduleFreeAdamW as ScheduleFreeAdamW
    from sgdlab.optimizers.schedule_free_sgd import ScheduleFreeSGD as ScheduleFreeSGD
    from sgdlab.optimizers.signsgd import SignSGD as SignSGD
    from sgdlab.optimizers.swats import SWATS as SWATS

_PLACES = {
    "KerasSGD": "keras_sgd", "KieferWolfowitz": "kiefer_wolfowitz", "LAMB": "lamb", "LARS": "lars",
    "Lion": "lion", "Muon": "muon", "NesterovLookahead": "nesterov_lookahead",
    "ScheduleFreeAdamW": "schedule_free_adamw", "ScheduleFreeSGD": "schedule_free_sgd",
    "SignSGD": "signsgd", "SWATS": "swats",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(f"sgdlab.optimizers.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
