"""How far a run is, and how it ended."""

import math
from dataclasses import dataclass, field

from sgdlab.evaluation import Evaluation


@dataclass
class Progress:
    """How far a run is: plain values, so that a checkpoint can hold them."""

    step: int = 0
    epoch: int = 0
    examples: int = 0
    train_seconds: float = 0.0
    initial_loss: float = math.nan
    train_loss: float | None = None
    val_loss: float | None = None
    val_metric: float | None = None
    best_val_loss: float | None = None
    best_val_metric: float | None = None
    best_val_step: int | None = None
    average_train_loss: float | None = None
    average_val_loss: float | None = None
    average_val_metric: float | None = None
    function_evaluations: int = 0
    gradient_evaluations: int = 0


@dataclass
class Outcome:
    """How a run ended. Divergence is a result, not an exception."""

    status: str
    reason: str | None = None
    progress: Progress = field(default_factory=Progress)
    test: Evaluation | None = None
    average_test: Evaluation | None = None
