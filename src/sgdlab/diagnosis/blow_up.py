"""Runs that blow up: a loss that explodes, a gradient that is not a number any more."""

import numpy as np

from sgdlab.diagnosis.command import improved, rounded
from sgdlab.diagnosis.finding import Finding, Picture
from sgdlab.diagnosis.run import RunRecord
from sgdlab.diagnosis.series import curve, first_where, running_median
from sgdlab.diagnosis.words import number, steps, times
from sgdlab.results import DIVERGED

EARLY = 300
"""Steps that count as early: a rate that is too high shows at once, and warm-ups are as long."""

DOUBLED = 2.0
"""A loss that stands at twice its start is worse than knowing nothing. Noise of batches does not do
it: the median of five steps is compared, and the evaluations of the whole training split."""

TOWERS = 4.0
"""The mean of five steps at four times the start: one or two that no batch explains."""

WINDOW, EXAMPLES = 5, 80
"""Steps that are looked at together; more where batches are so small that single losses have heavy
tails: as many as hold so many examples."""

_FOLLOW = ("slow", "still_improving", "fixed_lr", "noisy_but_falling")
"""Symptoms that say nothing about a run that blows up."""


def explodes(run: RunRecord) -> Finding | None:
    """Return the finding that the loss rises to a multiple of its start."""
    loss = run.loss[np.isfinite(run.loss)]
    if len(loss) < 2 or not np.isfinite(run.start):
        return None
    beyond = run.status == DIVERGED and "exceeds" in run.reason
    start = max(run.start, run.harmless)
    high = start + (DOUBLED - 1) * run.scale
    # Of the last steps of a run that diverged, a median would know nothing.
    window = max(WINDOW, -(-EXAMPLES // (run.effective_batch or EXAMPLES)) | 1)
    smooth = loss if beyond and len(loss) < 3 * window else running_median(loss, window)
    above = smooth > high
    if len(loss) >= window:
        means = np.convolve(loss, np.full(window, 1 / window), mode="same")
        above |= means > start + (TOWERS - 1) * run.scale
    first = [int(run.step[i]) for i in (first_where(above),) if i is not None]
    evaluated = run.train.loss > high
    first += [int(run.train.step[i]) for i in (first_where(evaluated),) if i is not None]
    if not first and not beyond:
        return None
    top = int(loss.argmax())
    at = min(first, default=int(run.step[top]))
    early = at <= EARLY
    tail = float(np.median(loss[-max(1, len(loss) // 10) :]))
    recovered = not beyond and np.isfinite(run.loss[-1]) and tail < start
    factor = (float(loss[top]) - run.start) / run.scale + 1
    evidence = [
        f"loss {number(run.start)} at the start, above {number(high)} from step {at:,} on",
        f"highest at step {int(run.step[top]):,}: {number(loss[top])}, {times(factor)} the start",
    ]
    if run.status == DIVERGED:
        evidence.append(f"stopped: {run.reason}")
    elif recovered:
        evidence.append(f"it came down again, to {number(tail)} in the last tenth of the run")
    else:
        evidence.append(f"it stays: {number(tail)} in the last tenth of the run")
    return Finding(
        "explodes",
        "warning" if recovered and early else "problem",
        f"The loss explodes {f'within {steps(at)}' if early else f'at step {at:,}'}"
        + (", then recovers" if recovered else ""),
        evidence,
        *_cause_and_action(run, at, early),
        f"the loss of the first {EARLY} steps only falls; if it explodes again, lr/10 once more",
        Picture((curve("loss", run.step[: len(loss)], loss),), "loss", log_y=bool(loss.min() > 0)),
        explains=("oscillates", "plateau", "gradient_spikes", *_FOLLOW),
    )


def _cause_and_action(run: RunRecord, at: int, early: bool) -> tuple[str, str]:
    rate = f"lr {number(run.lr[min(at, len(run.lr)) - 1])} at step {at:,}"
    if run.setting("zero_grad") is False:
        cause = f"zero_grad=false: gradients of all past steps add up ({rate})"
        return cause, improved(run, {"zero_grad": True})
    if run.momentum >= 0.95:
        alone = number(run.lr.max() / (1 - run.momentum))
        cause = f"{rate} with momentum {run.momentum:g} moves as far as {alone} without momentum"
        return cause, improved(run, {"optimizer.momentum": 0.9})
    if not early:
        cause = f"{rate} is just above what this curvature bears, or the rate rose to it"
    elif not run.has_warmup:
        cause = f"{rate}: too high, and there is no warm-up"
    else:
        cause = f"{rate}: too high; the warm-up does not go high enough to be the cause"
    changes: dict[str, object] = {"lr": rounded(float(run.config["lr"]) / 10)}
    if not run.has_warmup and not run.is_problem:
        changes |= warmup_setting(run)
    return cause, improved(run, changes)


def warmup_setting(run: RunRecord) -> dict[str, object]:
    """Return the warm-up to propose: 3 epochs, but at most a tenth of the run."""
    epochs, limit = int(run.config["epochs"]), run.config.get("max_steps")
    if limit and not run.steps_per_epoch:
        return {"schedule.warmup_steps": max(1, int(limit) // 10)}
    if limit:
        epochs = -(-int(limit) // (run.steps_per_epoch or 1))
    return {"schedule.warmup_epochs": float(min(3.0, max(0.5, round(epochs / 10, 1))))}


FAR = 1e3
"""Length of an update, to first order, that no network outlives: its weights have norms of tens."""


def _length(run: RunRecord, index: int) -> float:
    """Return lr times the clipped gradient's norm, or lr times the root of d for adaptive steps.

    NaN where it is not known which of the two holds.
    """
    lr = float(run.lr[index])
    if run.traits.adaptive is None:
        return float("nan")
    if run.traits.adaptive:
        return lr * float((run.summary or {}).get("num_parameters") or 1) ** 0.5
    return lr * float(run.grad_norm[index] * run.steps["clip_coef"][index])


def not_finite(run: RunRecord) -> Finding | None:
    """Return the finding that a loss or a gradient is NaN or infinite."""
    bad_loss = first_where(~np.isfinite(run.loss))
    bad_norm = first_where(~(np.isfinite(run.grad_norm) | run.left_out))
    bad_eval = first_where(~np.isfinite(run.train.loss))
    said = run.status == DIVERGED and "exceeds" not in run.reason
    if bad_loss is None and bad_norm is None and bad_eval is None and not said:
        return None
    first = min((i for i in (bad_loss, bad_norm) if i is not None), default=None)
    evidence: list[str] = []
    if first is not None:
        evidence.append(
            f"step {int(run.step[first]):,}: loss {number(run.loss[first])}, "
            f"gradient norm {number(run.grad_norm[first])}"
        )
    if first:
        evidence.append(
            f"the step before: loss {number(run.loss[first - 1])}, "
            f"gradient norm {number(run.grad_norm[first - 1])}, "
            f"lr {number(run.lr[first - 1])}"
        )
    if run.reason:
        evidence.append(f"stopped: {run.reason}")
    elif bad_eval is not None and first is None:
        where = int(run.train.step[bad_eval])
        evidence.append(f"the training loss after step {where:,} is not finite")
    before = run.loss[: first or 0]
    grew = len(before) > 0 and float(before[-3:].max()) > run.start + run.scale
    grew = grew or (bool(first) and _length(run, first - 1) > FAR)
    if grew:
        cause = "the steps before were far too long: a rate that is too high overflows in the end"
    elif first == 0 or (first is None and not len(run.loss)):
        cause = "it is so from the first step: the loss, the model or the data, not the rate"
    else:
        cause = (
            "it comes suddenly: a logarithm or a division of 0, a root with an infinite slope, or "
            "an overflow in the loss or the model"
        )
    clip = float(run.config.get("clip_norm") or 1.0)
    changes: dict[str, object] = {"clip_norm": min(clip, 1.0)}
    if grew:
        changes["lr"] = rounded(float(run.config["lr"]) / 10)
    return Finding(
        "not_finite",
        "problem",
        "The gradient or the loss is not finite",
        evidence,
        cause,
        improved(run, changes),
        "clipping holds for now if the gradient is large but finite; if it is NaN all the same, "
        "torch.autograd.set_detect_anomaly(True) names the operation",
        _norms(run),
        explains=("gradient_spikes", "plateau", "oscillates", *_FOLLOW),
    )


def _norms(run: RunRecord) -> Picture | None:
    """Return the gradient norms that are numbers, if there is a curve of them."""
    good = np.isfinite(run.grad_norm) & (run.grad_norm > 0)
    if good.sum() < 2:
        return None
    return Picture(
        (curve("gradient norm", run.step[good], run.grad_norm[good]),), "norm", log_y=True
    )
