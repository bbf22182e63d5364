"""Averages of the iterates, kept beside the run and evaluated beside the raw weights."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

from sgdlab.checks import require_number, require_whole


@dataclass(frozen=True)
class Average:
    """Which iterates are averaged, and how.

    Attributes:
        start: Fraction of the run's steps after which averaging starts, from 0 to below 1.

    Raises:
        InputError: An impossible setting.
    """

    start: float = 0.0

    def __post_init__(self) -> None:
        require_number("average.start", self.start, 0, 1, open_high=True)

    def due(self, step: int, total_steps: int, steps_per_epoch: int) -> bool:
        """Say whether the weights after ``step`` updates enter the average: all after the start."""
        return step > self.start * total_steps

    def rule(self) -> Callable[..., None] | None:
        """Return the ``multi_avg_fn`` of `AveragedModel`; None is the equal-weighted mean."""
        return None


@dataclass(frozen=True)
class Polyak(Average):
    """``θ̄_t = 1/(t - s) · Σ_{i=s+1..t} θ_i``: the mean of all iterates after step ``s``.

    With ``start=0`` the average of Polyak and Juditsky (1992) and Ruppert (1988), which reaches
    the best possible asymptotic variance ``σ²/h²/T`` at any stable constant learning rate; a later
    start (suffix averaging, Rakhlin et al. 2012) forgets the way from the initial weights.
    """


@dataclass(frozen=True)
class Exponential(Average):
    """``θ̄ <- decay · θ̄ + (1 - decay) · θ``, from the first iterate after the start.

    The average looks back about ``1 / (1 - decay)`` steps: unlike `Polyak` it forgets, so it suits
    a moving target, and unlike `Stochastic` it needs no choice of a start.

    Attributes:
        decay: The weight of the old average in an update, from 0 to below 1.
    """

    decay: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        require_number("average.decay", self.decay, 0, 1, open_high=True)

    def rule(self) -> Callable[..., None]:
        """Return torch's foreach update."""
        return get_ema_multi_avg_fn(self.decay)


@dataclass(frozen=True)
class Stochastic(Average):
    """SWA: the mean of the weights at the end of every ``every``-th epoch after the start.

    ``θ̄ <- (n · θ̄ + θ) / (n + 1)`` (Izmailov et al. 2018). Its paper keeps the learning rate high
    while averaging, so that the iterates differ: choose ``schedule=constant``, or one that ends
    above zero.

    Attributes:
        every: The epochs between two weights that enter the average.
    """

    start: float = 0.75
    every: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        require_whole("average.every", self.every, of="of epochs")

    def due(self, step: int, total_steps: int, steps_per_epoch: int) -> bool:
        """Say yes at the end of an epoch, every ``every`` epochs after the start."""
        epoch, rest = divmod(step, steps_per_epoch)
        ends = rest == 0 and epoch % self.every == 0
        return ends and super().due(step, total_steps, steps_per_epoch)


def none() -> None:
    """Keep no average."""


class Averager:
    """The running average of a model's weights.

    Args:
        rule: Which weights enter the average, and how.
        model: The trained model, which is read and never changed.
        total_steps: The steps of the run.
        steps_per_epoch: The steps of an epoch.
    """

    def __init__(
        self, rule: Average, model: nn.Module, total_steps: int, steps_per_epoch: int
    ) -> None:
        self.rule = rule
        self._model = model
        self._length = total_steps, steps_per_epoch
        self._averaged: AveragedModel | None = None

    def update(self, step: int, sync_weights: Callable[[], None]) -> None:
        """Take in the weights after ``step`` updates, if due; ``sync_weights`` shows them."""
        if self.rule.due(step, *self._length):
            sync_weights()
            self._create().update_parameters(self._model)

    def model(self, batches: Iterable[Tensor]) -> nn.Module | None:
        """Return the averaged model, or None before the first weights.

        Statistics of batch normalisation are computed anew over ``batches``: those of the run
        belong to other weights.
        """
        if self._averaged is None:
            return None
        refresh_statistics(self._averaged.module, batches)
        return self._averaged.module

    def state_dict(self) -> dict[str, Any] | None:
        """Return the average; None before the first weights."""
        return None if self._averaged is None else self._averaged.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        """Restore what `state_dict` returned."""
        if state is not None:
            self._create().load_state_dict(state)

    def _create(self) -> AveragedModel:
        if self._averaged is None:
            self._averaged = AveragedModel(self._model, multi_avg_fn=self.rule.rule())
        return self._averaged


def refresh_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Recompute running means and variances of batch normalisation over ``batches``.

    The mean over the batches, as `torch.optim.swa_utils.update_bn` does; the run's random stream
    (dropout) is left alone. Models without such statistics are not touched.
    """
    if not has_statistics(model):
        return
    devices = [p.device for p in model.parameters() if p.device.type == "cuda"][:1]
    with torch.random.fork_rng(devices):
        update_bn(batches, model)


def has_statistics(model: nn.Module) -> bool:
    """Say whether a model keeps running statistics of batch normalisation."""
    norms = (m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return any(m.running_mean is not None for m in norms)
