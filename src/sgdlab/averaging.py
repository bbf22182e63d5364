"""Averages of the iterates, kept beside the run and evaluated beside the raw weights."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from types import MethodType
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

    def rule(self, total_steps: int) -> Callable[..., None] | None:
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
    """An average that forgets: unlike `Polyak` it suits a moving target, and needs no start.

    Its memory follows the run: of the ``n`` steps after the start it looks back over the share
    ``horizon``, ``d = 1 - 1 / max(1, horizon · n)``, and it holds nothing but iterates,

        ``θ̄_t = (1 - d) · Σ_{i=1..t} d^(t-i) · θ_i / (1 - d^t)``,

    whose weights sum to 1 from the first one on (the correction of Kingma and Ba 2015).

    With a ``decay`` it is torch's ``θ̄ <- decay · θ̄ + (1 - decay) · θ`` from the first iterate,
    which keeps the weight ``decay^(t-1)``: in a run shorter than some ``1 / (1 - decay)`` steps,
    the average is mostly that first iterate.

    Attributes:
        decay: The weight of the old average in an update, from 0 to below 1; None: by ``horizon``.
        horizon: The share of the averaged steps, above 0 to 1; without effect beside a ``decay``.
    """

    decay: float | None = None
    horizon: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.decay is not None:
            require_number("average.decay", self.decay, 0, 1, open_high=True)
        require_number("average.horizon", self.horizon, 0, 1, open_low=True)

    def rule(self, total_steps: int) -> Callable[..., None]:
        """Return torch's foreach update, or the one whose weights are corrected."""
        if self.decay is not None:
            return get_ema_multi_avg_fn(self.decay)
        # As a snippet has it, to the bit: `sgdlab.snippet.average`.
        decay = 1 - 1 / max(1.0, self.horizon * (1 - self.start) * total_steps)

        def update(averages: list[Tensor], weights: list[Tensor], count: Tensor) -> None:
            weight = (1 - decay) / (1 - decay ** (int(count) + 1))
            torch._foreach_lerp_(averages, weights, weight)  # pyright: ignore[reportPrivateImportUsage]

        return update

    def outlives(self, total_steps: int) -> float | None:
        """Return the memory ``1 / (1 - decay)`` where the run is too short for it; else None.

        It is where the first iterate still has more than a tenth of the weight at the end.
        """
        steps = (1 - self.start) * total_steps
        if self.decay is None or self.decay ** max(0.0, steps - 1) <= 0.1:
            return None
        return 1 / (1 - self.decay)


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
            self._averaged = AveragedModel(
                self._model, multi_avg_fn=self.rule.rule(self._length[0])
            )
        return self._averaged


def refresh_statistics(model: nn.Module, batches: Iterable[Tensor]) -> None:
    """Recompute running means and variances of batch normalisation over ``batches``.

    The mean over the batches, as `torch.optim.swa_utils.update_bn` does; the run's random stream
    (dropout) is left alone. Models without such statistics are not touched.
    """
    if not has_statistics(model):
        return
    devices = [p.device for p in model.parameters() if p.device.type == "cuda"][:1]
    held = [(b, b.clone()) for m in model.modules() if holds_statistics(m) for b in m.buffers()]

    def restored() -> Iterator[Tensor]:
        for buffer, before in held:  # which `update_bn` has reset by now
            buffer.copy_(before)
        yield from batches

    with torch.random.fork_rng(devices):
        update_bn(restored(), model)


def has_statistics(model: nn.Module) -> bool:
    """Say whether a model keeps running statistics of batch normalisation that change."""
    norms = (m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm))
    return any(m.running_mean is not None and not holds_statistics(m) for m in norms)


def hold_statistics(norm: nn.Module) -> None:
    """Keep a normalisation in evaluation from now on: it uses its statistics as they are."""
    norm.eval()
    vars(norm)["train"] = MethodType(_stay, norm)  # copies of the model have their own


def holds_statistics(module: nn.Module) -> bool:
    """Say whether `hold_statistics` was called for a module, or for what it is a copy of."""
    return getattr(vars(module).get("train"), "__func__", None) is _stay


def _stay(norm: nn.Module, mode: bool = True) -> nn.Module:
    return norm
