"""The range test itself: updates of the run, one at each rate."""

import contextlib
import functools
import itertools
import math
from collections.abc import Callable, Iterator

from sgdlab.range_test.curve import LossAverage, Point, RangeCurve
from sgdlab.range_test.settings import RangeConfig, rates
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.streams import seeded
from sgdlab.training.build import Run
from sgdlab.training.evaluation import evaluate
from sgdlab.training.limit import constant_loss
from sgdlab.training.steplog import StepWatcher
from sgdlab.training.threads import on_threads, threads_for


@contextlib.contextmanager
def isolated(run: Run) -> Iterator[None]:
    """Draw and compute inside as the run would, and give back random state and threads."""
    threads = threads_for(run, run.config.threads)
    with seeded(stream_seed(run.config.seed, "other")), on_threads(threads):
        yield


def explore(
    run: Run, section: RangeConfig, scaled: Callable[[float], float], display: StepWatcher
) -> RangeCurve:
    """Raise the rate from update to update and follow the loss.

    The updates are those of training: same initial weights, batches, accumulation, clipping, decay
    and multipliers, without a schedule. The model, which is the run's own, is spoilt by it.

    It ends early as soon as a loss or a gradient is not finite, or when the smoothed loss exceeds
    the initial loss, half of that of a constant prediction (`sgdlab.training.limit`), and
    ``best + (diverge - 1)·|best - optimum|``, ``diverge`` times its smallest value so far where the
    loss is positive and its optimum is not known. Where it has fallen by orders of magnitude, or
    began there, such a multiple alone is no divergence.

    Args:
        run: A run that `sgdlab.training.build.build_run` has built, and nothing has trained.
        section: The rates, and when to stop.
        scaled: Gives the rate to use for the rate that is typed.
        display: Is told of every update.
    """
    with isolated(run):
        return _explored(run, section, scaled, display)


def _explored(
    run: Run, section: RangeConfig, scaled: Callable[[float], float], display: StepWatcher
) -> RangeCurve:
    decays = [group.get("applied_decay", 0.0) for group in run.optimizer.param_groups]
    independent = run.config.decay.mode == "independent"
    problem = run.data.problem

    @functools.cache
    def harmless() -> float:
        if problem:
            return -math.inf
        loss, most = run.objective.loss, run.config.eval.batch_size
        return abs(constant_loss(run.model, loss, run.data.train, most)) / 2

    builder = _CurveBuilder(section, problem.optimum if problem else 0.0, harmless)
    run.model.train()
    batches = (b for e in itertools.count() for b in run.updates(e))
    val: float | None = None
    for step, lr in enumerate(rates(section)):
        used = scaled(lr)
        if independent:
            # Its factor is lr_t / lr, and here lr_t is the lr of the config that would be tried.
            for group, decay in zip(run.optimizer.param_groups, decays, strict=True):
                group["applied_decay"] = decay * run.lr / used
        values = run.update.step(step, next(batches), used, None)
        loss = float(values.loss)
        norm = 0.0 if values.skipped else float(values.grad_norm)
        display.step(step + 1, loss, used, norm)
        builder.loss(loss, norm, val)
        if builder.stopped is not None:
            return builder.curve()
        builder.update(lr, used if values.lr is None else values.lr)
        val = _validate(run) if section.val else None
    run.update.sync_weights()
    builder.loss(float(run.objective.value(next(batches))), 0.0, val)
    return builder.curve()


def _validate(run: Run) -> float:
    """Return the loss over the validation split of the weights that are trained."""
    run.update.sync_weights()
    objective = run.objective
    size, half = run.config.eval.batch_size, objective.half
    found = evaluate(run.model, objective.loss, run.metric, run.data.val, size, half)
    return found.loss


class _CurveBuilder:
    """Collects the points of a curve and notices where it diverges."""

    def __init__(self, section: RangeConfig, optimum: float, harmless: Callable[[], float]) -> None:
        self._section = section
        self._harmless = harmless
        self._optimum = optimum
        self._average = LossAverage(section.smoothing)
        self._points: list[Point] = []
        self._initial: float | None = None
        self._best = math.inf
        self._made: tuple[float, float] | None = None
        self.stopped: str | None = None

    def update(self, lr: float, used: float) -> None:
        """Take the rate of an update that was made."""
        self._made = lr, used

    def loss(self, loss: float, grad_norm: float, val: float | None) -> None:
        """Take the loss and the gradient after the latest update, or before the first."""
        if self._made is None:
            self._initial = loss
            self.stopped = _not_finite(loss, grad_norm, None, "at the initial weights")
            return
        lr, used = self._made
        smoothed = self._average.add(loss) if math.isfinite(loss) else None
        self._points.append(Point(lr, used, loss, smoothed, val))
        self.stopped = _not_finite(loss, grad_norm, val, f"after the update with lr={lr:.3g}")
        if smoothed is None or self.stopped is not None:
            return
        self._best = min(self._best, smoothed)
        factor = self._section.diverge
        assert self._initial is not None
        if factor is None:
            return
        most = self._best + (factor - 1) * abs(self._best - self._optimum)
        if smoothed > max(most, self._initial) and smoothed > self._harmless():
            self.stopped = (
                f"the smoothed loss is {smoothed:.3g} at lr={lr:.3g}, its smallest value "
                f"{self._best:.3g} (range.diverge={factor:g})"
            )

    def curve(self) -> RangeCurve:
        """Return what was measured."""
        initial = math.nan if self._initial is None else self._initial
        beta, points = self._section.smoothing, tuple(self._points)
        return RangeCurve(points, initial, beta, self._optimum, self.stopped)


def _not_finite(loss: float, grad_norm: float, val: float | None, when: str) -> str | None:
    named = {"loss": loss, "gradient norm": grad_norm, "validation loss": val}
    for name, value in named.items():
        if value is not None and not math.isfinite(value):
            return f"the {name} is {value} {when}"
    return None
