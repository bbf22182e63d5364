"""What the two sentences of each lesson must say: every number in them, in their order."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from math import dist
from statistics import fmean, pstdev

from lesson_files import RunFiles

Runs = Mapping[str, RunFiles]
Seen = Callable[[Runs], list[float]]


def spread(values: list[float]) -> float:
    return pstdev(values) / fmean(values)


def lr_gap(runs: Runs) -> list[float]:
    low, high = runs["low"], runs["high"]
    start = low.evals("train", "loss")[0]
    way = (start - high.end()) / (start - low.end())
    return [start, 20, 0.01, low.end(), 0.1, high.end(), way, 20]


def lr_three(runs: Runs) -> list[float]:
    small, right, large = runs["too_small"], runs["right"], runs["too_large"]
    peak = max(large.steps("loss"))
    start = small.steps("loss")[0]
    return [100, start, small.end(), 0.01, right.end(), 0.2, peak, large.end(), 3, 2]


def batch_modes(runs: Runs) -> list[float]:
    batch, mini, pure = runs["batch"], runs["mini_batch"], runs["pure"]
    spreads = [spread(run.steps("grad_norm")) for run in (batch, mini, pure)]
    ends = [3, batch.end(), 33, mini.end(), 1023, pure.end()]
    return [3, *ends, spreads[0], spreads[1], 32, spreads[2]]


def crossings(values: list[float]) -> int:
    return sum(a * b < 0 for a, b in pairwise(values))


def momentum_valley(runs: Runs) -> list[float]:
    sgd, momentum = runs["sgd"], runs["momentum"]
    gaps = [run.end("gap", "val") for run in (sgd, momentum)]
    across = [run.steps("w.0") for run in (sgd, momentum)]
    swings = [fmean(map(abs, values[-5:])) for values in across]
    (one, other), (at_one, at_other) = map(crossings, across), swings
    return [1.95, 40, *gaps, one, at_one, other, at_other]


def momentum_rosenbrock(runs: Runs) -> list[float]:
    left, gaps = [], []
    for run in (runs["sgd"], runs["momentum"]):
        left.append(dist((run.steps("w.0")[-1], run.steps("w.1")[-1]), (1, 1)))
        gaps.append(run.end("gap", "val"))
    return [0.0015, 250, left[0], 1, 1, gaps[0], left[1], gaps[1]]


def momentum_beale(runs: Runs) -> list[float]:
    sgd, momentum = (runs[name].end("gap", "val") for name in ("sgd", "momentum"))
    reached = next(t for t, v in enumerate(runs["momentum"].steps("loss")) if v <= sgd)
    return [0.01, 150, sgd, 3, 0.5, momentum, reached]


def zero_grad(runs: Runs) -> list[float]:
    good, bad = runs["zeroed"].steps("loss"), runs["forgotten"].steps("loss")
    norms = [runs[name].steps("grad_norm")[-1] for name in ("forgotten", "zeroed")]
    return [good[0], 200, good[-1], min(bad), bad.index(min(bad)) + 1, bad[-1], *norms]


def warmup_large_lr(runs: Runs) -> list[float]:
    cold, warm = runs["at_once"], runs["warmed_up"]
    accuracies = [run.end("accuracy", "val") for run in (cold, warm)]
    peaks = [max(run.steps("loss")) for run in (cold, warm)]
    dead = [run.steps("dead_units")[-1] for run in (cold, warm)]
    return [0.1, peaks[0], 10, accuracies[0], 3, peaks[1], accuracies[1], 0, *dead]


def linear_scaling(runs: Runs) -> list[float]:
    ends = {size: runs[f"linear_{size}"].end() for size in (16, 64, 256, 1024)}
    pairs = [ends[16], 16, ends[64], 64, ends[256], 256, ends[1024], 1024]
    return [5, *pairs, 64, runs["fixed_64"].end(), 0.64, 0.01]


def noise_escapes(runs: Runs) -> list[float]:
    full, single = runs["full_batch"], runs["single"]
    path = single.steps("w.0")
    out = sum(x > -0.548 for x in path) / len(path)
    norms = [fmean(run.steps("grad_norm")) for run in (single, full)]
    return [-1, 600, full.steps("w.0")[-1], 600, path[-1], out, -0.548, *norms, 40]


def norm_decay(runs: Runs) -> list[float]:
    only, every = runs["weights_only"], runs["everything"]
    gains, shrunk = only.steps("weight_norm.2"), every.steps("weight_norm.2")
    # Two layers of 64 gains and shifts, and the biases of three linear layers.
    spared = 2 * 128 + 64 + 64 + 10
    total = spared + 64 * 64 + 64 * 64 + 64 * 10
    sizes = [spared, total]
    return [3, only.end(), *sizes, every.end(), 0, 8, shrunk[-1], gains[-1]]


def warmup_sharpness(runs: Runs) -> list[float]:
    low, warm = (runs[name].steps("sharpness") for name in ("low", "warmed_up"))
    ends = fmean(low[-3:]), fmean(warm[-3:])
    return [warm[0], ends[0], 0.1, 1, max(warm), ends[1], 2, 2 / 0.1, 2 / 1.0]


SEEN: Mapping[str, Seen] = {
    f.__name__: f
    for f in (
        lr_gap, lr_three, batch_modes, momentum_valley, momentum_rosenbrock, momentum_beale,
        zero_grad, warmup_large_lr, linear_scaling, noise_escapes, norm_decay, warmup_sharpness,
    )
}  # fmt: skip
