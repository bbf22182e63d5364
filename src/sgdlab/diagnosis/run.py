"""A run as its files tell it, in plain arrays."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np

from sgdlab.diagnosis.chance import harmless
from sgdlab.diagnosis.series import Series, block_means, noise_of
from sgdlab.diagnosis.table import Columns
from sgdlab.optimizers.traits import Traits, traits_of
from sgdlab.results import COMPLETED, DIVERGED, UNFINISHED, Cell, determining


@dataclass(frozen=True)
class SplitCurve:
    """Evaluations of one split in order, that of the initial weights (step 0) included."""

    step: Series
    loss: Series
    metric: Series


@dataclass(frozen=True)
class RunRecord:
    """A run; see docs/files.md for its files.

    Attributes:
        directory: The folder of the run.
        config: The content of ``config.yaml``.
        steps: The columns of ``steps.csv``; empty cells are NaN.
        evaluations: The columns of ``evals.csv``.
        metric: The name of the metric.
        summary: ``summary.csv``; None for a run that has not ended.
    """

    directory: Path
    config: Mapping[str, Any]
    steps: Columns
    evaluations: Columns = field(repr=False)
    metric: str
    summary: Mapping[str, Cell] | None = None

    @property
    def status(self) -> str:
        """How it ended; ``unfinished`` without a summary."""
        return str(self.summary["status"]) if self.summary else UNFINISHED

    @property
    def is_complete(self) -> bool:
        """Whether it made all its steps."""
        return self.status == COMPLETED

    @property
    def reason(self) -> str:
        """Why it diverged or failed; empty where it did not."""
        return str((self.summary or {}).get("reason") or "")

    @property
    def step(self) -> Series:
        """Numbers of the updates, from 1."""
        return self.steps["step"]

    @property
    def loss(self) -> Series:
        """Loss of each update's batch, before the update."""
        return self.steps["loss"]

    @property
    def lr(self) -> Series:
        """Learning rate of each update."""
        return self.steps["lr"]

    @property
    def grad_norm(self) -> Series:
        """Norm of each update's gradient before clipping."""
        return self.steps["grad_norm"]

    @cached_property
    def left_out(self) -> Series:
        """Which updates were left out: the gradient overflowed in float16, and the run went on."""
        found = (self.steps["clip_coef"] == 0) & ~np.isfinite(self.grad_norm)
        if len(found) and self.status == DIVERGED:
            found[-1] = False
        return found & (self.config.get("precision") == "fp16")

    @cached_property
    def train(self) -> SplitCurve:
        """Evaluations of the training split."""
        return self._split("train")

    @cached_property
    def val(self) -> SplitCurve:
        """Evaluations of the validation split."""
        return self._split("val")

    def _split(self, name: str) -> SplitCurve:
        table = self.evaluations
        own = (table["split"] == name) & (table["weights"] == "raw")
        return SplitCurve(*(table[key][own].astype(float) for key in ("step", "loss", self.metric)))

    @cached_property
    def start(self) -> float:
        """The training loss at the initial weights."""
        finite = self.loss[np.isfinite(self.loss)]
        if len(self.train.loss) and self.train.step[0] == 0 and np.isfinite(self.train.loss[0]):
            return float(self.train.loss[0])
        return float(finite[0]) if len(finite) else float("nan")

    @cached_property
    def harmless(self) -> float:
        """Half the loss of a constant prediction, where it is known; else 0."""
        return harmless(self.config, self.metric)

    @property
    def starts_trained(self) -> bool:
        """Whether it starts better than what knows nothing, so that there is little to learn."""
        return self.start < self.harmless

    @cached_property
    def scale(self) -> float:
        """What a change of the loss is compared with: how far it could have fallen.

        The loss at the start, since most losses end near zero, or what is harmless beside it
        (`sgdlab.diagnosis.chance`). Where it starts at or below zero, or falls below, the distance
        from the start to the lowest loss.
        """
        finite = self.loss[np.isfinite(self.loss)]
        low = float(finite.min()) if len(finite) else self.start
        if self.start > 0 and low >= 0:
            return max(self.start, self.harmless)
        fall = self.start - low
        return fall if fall > 0 else max(abs(self.start), 1e-12)

    @cached_property
    def progress(self) -> tuple[Series, Series]:
        """Steps and training losses as the run proceeds, with as little noise as there is.

        The evaluations of the training split, the initial one included, where there are five or
        more; else means of blocks of steps.
        """
        if self._is_evaluated:
            return self.train.step, self.train.loss
        return block_means(self.step, self._blocks), block_means(self.loss, self._blocks)

    @property
    def _is_evaluated(self) -> bool:
        return len(self.train.loss) >= 5

    @property
    def _blocks(self) -> int:
        return max(5, min(20, len(self.loss) // 5))

    @cached_property
    def progress_noise(self) -> float:
        """The standard error of a difference of neighbours in `progress`; 0 of evaluations."""
        if self._is_evaluated or len(self.loss) < 3:
            return 0.0
        length = len(self.loss) / self._blocks
        return noise_of(self.loss) * float(np.sqrt(2 / length))

    @cached_property
    def steps_per_epoch(self) -> int | None:
        """Updates of an epoch; None where no epoch was finished."""
        epoch = self.steps["epoch"]
        first = int((epoch == 1).sum())
        if len(epoch) and epoch[-1] > 1:
            return first
        if self.is_complete and not self.config.get("max_steps"):
            return first or None
        return None

    @cached_property
    def planned_steps(self) -> int | None:
        """Updates that the config asks for."""
        if most := self.config.get("max_steps"):
            return int(most)
        if self.is_complete:
            return len(self.step)
        per_epoch = self.steps_per_epoch
        return per_epoch * int(self.config["epochs"]) if per_epoch else None

    @cached_property
    def effective_batch(self) -> int | None:
        """Examples of one update."""
        examples = self.steps["examples"]
        return int(examples[0]) if len(examples) else None

    @property
    def is_problem(self) -> bool:
        """Whether it minimises a function that is known, not data."""
        return self.metric == "gap"

    @property
    def is_deterministic(self) -> bool:
        """Whether every step sees the same function: its loss has no noise of the batch."""
        noise = self.setting("dataset.noise")
        return self.steps_per_epoch == 1 or (self.is_problem and noise == 0)

    @property
    def optimizer(self) -> str:
        """The name of its optimizer."""
        return self.name("optimizer")

    @cached_property
    def traits(self) -> Traits:
        """What is known of the optimizer."""
        return traits_of(self.config.get("optimizer") or {})

    @cached_property
    def settings(self) -> Mapping[str, Cell]:
        """The flat settings that determine its result, the seed excepted."""
        return determining(self.config)

    @property
    def momentum(self) -> float:
        """The momentum of SGD and its kin; 0 where there is none."""
        value = self.setting("optimizer.momentum")
        return float(value) if isinstance(value, int | float) else 0.0

    @property
    def has_warmup(self) -> bool:
        """Whether the config asks for a warm-up."""
        return bool(self.setting("schedule.warmup_steps") or self.setting("schedule.warmup_epochs"))

    def name(self, group: str) -> str:
        """Return the member chosen in a group."""
        names: Mapping[str, str] = self.config.get("names") or {}
        return str(names.get(group, group))

    def setting(self, key: str) -> Any:
        """Return a value of the config by its dotted key; None where there is none."""
        section: Any = self.config
        for part in key.split("."):
            if not isinstance(section, Mapping):
                return None
            section = cast("Mapping[str, Any]", section).get(part)
        return section
