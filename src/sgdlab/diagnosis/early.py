"""Warnings while a run is still running: they stop nothing."""

import math
from collections import deque
from statistics import median

from sgdlab.diagnosis.blow_up import DOUBLED, EARLY, EXAMPLES, WINDOW

STANDING = 0.02
"""Fall of the loss, as a share of its start, that counts as none."""

PATIENCE = 100
"""Steps before a loss that stands is spoken of, or a third of the run, or two epochs: whichever is
latest. A warm-up has to be over, too."""

SPIKE = 10.0
"""Times the median of the last gradient norms; higher than in the diagnosis, which sees the whole
run and can tell spikes from noise."""

REPEATED = 3
"""Spikes that are a habit."""


class EarlyWarnings:
    """Looks at each step as it is made, and says a symptom once.

    Args:
        total_steps: Updates of the whole run.
        steps_per_epoch: Updates of an epoch; None where that is not known.
        warmup_steps: Length of the schedule's warm-up.
        batch: Examples of an update.
        harmless: Half the loss of a constant prediction, where it is known: a run that starts below
            it was trained before, and its start is no measure.
    """

    def __init__(
        self, total_steps: int, steps_per_epoch: int | None = None, warmup_steps: int = 0,
        batch: int = EXAMPLES, harmless: float = 0.0,
    ) -> None:  # fmt: skip
        self._window = max(WINDOW, -(-EXAMPLES // batch))
        self._start = math.nan
        self._harmless = harmless
        self._first: list[float] = []
        self._losses: deque[float] = deque(maxlen=self._window)
        self._norms: deque[float] = deque(maxlen=25)
        self._said: set[str] = set()
        self._spikes = 0
        self._lowest = math.inf
        self._mean = 0.0
        self._count = 0
        epochs = 2 * (steps_per_epoch or 0)
        self._patience = max(PATIENCE, total_steps // 3, epochs, 2 * warmup_steps)

    def step(self, step: int, loss: float, lr: float, grad_norm: float) -> str | None:
        """Take a step; return a line to show, at most once for each symptom.

        Args:
            step: Number of updates made, this one included.
            loss: Loss of its batch.
            lr: Learning rate that it used.
            grad_norm: Norm of its gradient before clipping.
        """
        if not (math.isfinite(loss) and math.isfinite(grad_norm)):
            what = f"loss {loss}" if not math.isfinite(loss) else f"gradient norm {grad_norm}"
            return self._say("not_finite", f"{what} at step {step}, lr {lr:.3g}: clip_norm=1.0 may "
                             "hold it for now; look for what made it")  # fmt: skip
        # One tiny batch may be low by chance.
        if len(self._first) < (1 if self._window == WINDOW else self._window):
            self._first.append(loss)
            known = max(self._first[0], sum(self._first) / len(self._first))
            self._start = max(known, self._harmless)
            if known < self._harmless:
                self._said.add("plateau")
        self._losses.append(loss)
        line = self._explosion(step, loss, lr) or self._spike(step, grad_norm)
        line = line or self._standstill(step, loss, lr)
        self._norms.append(grad_norm)
        return line

    def _say(self, symptom: str, line: str) -> str | None:
        if symptom in self._said:
            return None
        self._said.add(symptom)
        return line

    def _explosion(self, step: int, loss: float, lr: float) -> str | None:
        if step > EARLY or self._start <= 0 or "explodes" in self._said:
            return None
        # A single loss so high needs no others beside it.
        middle = median(self._losses) if len(self._losses) == self._window else 0.0
        alone = loss > 10 * DOUBLED * self._start and self._window == WINDOW
        if middle <= DOUBLED * self._start and not alone:
            return None
        high = max(self._losses)
        return self._say(
            "explodes",
            f"the loss has risen from {self._start:.3g} to {high:.3g} by step {step}: "
            f"lr {lr:.3g} is too high, or the warm-up too short; try lr/10",
        )

    def _spike(self, step: int, norm: float) -> str | None:
        known = self._norms
        if "gradient_spikes" in self._said or len(known) < 25 or norm <= 4 * known[-1]:
            return None
        usual = median(known)
        if usual <= 0 or norm <= SPIKE * usual:
            return None
        self._spikes += 1
        if self._spikes < REPEATED:
            return None
        return self._say(
            "gradient_spikes",
            f"gradient norm {norm:.3g} at step {step}, {norm / usual:.0f} times the usual, and "
            f"not for the first time: try clip_norm={2 * usual:.2g}",
        )

    def _standstill(self, step: int, loss: float, lr: float) -> str | None:
        if "plateau" in self._said:
            return None
        self._count += 1
        # The mean over ever more steps: single batches may be low by chance.
        self._mean += (loss - self._mean) / min(self._count, 50)
        self._lowest = min(self._lowest, self._mean) if self._count >= 20 else math.inf
        if step < self._patience:
            return None
        self._said.add("plateau")
        if self._start <= 0 or self._lowest < (1 - STANDING) * self._start:
            return None
        if self._mean > DOUBLED * self._start:
            return None
        return (
            f"the loss stands at {self._mean:.3g} after {step} steps, {self._start:.3g} at the "
            f"start: lr {lr:.3g} too "
            "low, or labels that do not belong to their inputs?"
        )
