"""Estimates from samples against their expectations: rows 22, 30 and 34."""

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sgdlab.analysis.budget import expected_best
from sgdlab.datasets.base import Split
from sgdlab.training.build import Run, build_run
from sgdlab.verify.case import VerifyCheck, VerifyCurve
from sgdlab.verify.lab import config_of, parameters, train

_PANEL = "error, relative (of the best of 5: absolute)"

Norms = float | Sequence[float] | np.ndarray

# Too small to move any weight: every step's gradient is that of the start.
_STILL = "lr=1.0e-30"


@dataclass(frozen=True)
class NoiseScale:
    """Size of a gradient against that of its noise.

    Attributes:
        trace: ``trΣ``, the summed variances of a single example's gradient; in the squared units
            of the gradient.
        square: ``|G|²`` of the mean gradient. An estimate, so it may come out negative.
    """

    trace: float
    square: float

    @property
    def scale(self) -> float:
        """``trΣ / |G|²``, the batch size at which noise and gradient are of one size; in examples.

        NaN where ``|G|²`` came out at or below 0: then there is too much noise to tell.
        """
        return self.trace / self.square if self.square > 0 else float("nan")


def two_batches(
    small: Norms, large: Norms, small_batch: int, large_batch: int, examples: int | None = None
) -> NoiseScale:
    """Estimate the noise scale from squared gradient norms at two batch sizes.

    A mean gradient over ``B`` examples has ``E|g|² = |G|² + trΣ/B``. Two sizes ``b < B`` give

        ``|G|² = (B·|g_B|² - b·|g_b|²) / (B - b)``,  ``trΣ = (|g_b|² - |g_B|²) / (1/b - 1/B)``,

    both without bias, whereas their quotient from few batches is biased: so the norms of many
    batches are averaged first and divided once, in `NoiseScale.scale`.

    Batches drawn *without replacement* from ``N`` examples, as those of an epoch are, have
    ``E|g|² = |G|² + trΣ·(1/B - 1/N)`` with ``trΣ`` normalised by ``N - 1``: the estimate of
    ``trΣ`` stands, that of ``|G|²`` is low by ``trΣ/N``, which is added when ``examples`` is given.

    Args:
        small: Squared norms ``|g_b|²`` of one or more batches of ``small_batch`` examples.
        large: Squared norms ``|g_B|²``, at the same parameters; as many or fewer.
        small_batch: ``b``, from 1.
        large_batch: ``B``, above ``b``.
        examples: ``N``, when batches are drawn without replacement; None for independent draws.

    Raises:
        ValueError: Sizes that are not ``1 <= b < B <= N``, or no norms.

    Source: McCandlish, Kaplan, Amodei et al. (2018), "An empirical model of large-batch training",
    appendix A.1.
    """
    if not 1 <= small_batch < large_batch <= (examples or large_batch):
        raise ValueError(f"batches of {small_batch} and {large_batch} of {examples} examples")
    if np.size(small) == 0 or np.size(large) == 0:
        raise ValueError("no gradient norms")
    at_small, at_large = float(np.mean(small)), float(np.mean(large))
    trace = (at_small - at_large) / (1 / small_batch - 1 / large_batch)
    square = (large_batch * at_large - small_batch * at_small) / (large_batch - small_batch)
    if examples is not None:
        square += trace / examples
    return NoiseScale(trace, square)


def _squares(batch: int, epochs: int, settings: tuple[str, ...]) -> np.ndarray:
    """Return ``|g|²`` of the batches of many epochs at the start, as logged."""
    plan = ("optimizer=sgd", _STILL, f"batch_size={batch}", f"epochs={epochs}")
    return np.square(train(*settings, *plan, every=10**9).column("grad_norm"))


def noise_scale() -> Iterator[VerifyCheck]:
    """Row 22: ``trΣ/|G|²`` from logged gradient norms at two batch sizes.

    100 coordinates of gradient 1 and variance ``σ²`` over 100 examples: ``|G|² = 100``,
    ``trΣ = 100·σ²·100/99``; ``σ`` is chosen for a scale of 32.4.
    """
    examples, dim, scale = 100, 100, 32.4
    sigma = math.sqrt(scale * (examples - 1) / examples)
    settings = (
        "dataset=quadratic", f"dataset.dim={dim}", "dataset.condition=1.0",
        f"dataset.noise={sigma}", f"dataset.n_samples={examples}",
    )  # fmt: skip
    small = _squares(5, 60, settings)
    large = _squares(50, 400, settings)
    found = two_batches(small, large, 5, 50, examples)
    curve = _running(small, large, examples, scale)
    experiment = "noise scale from batches of 5 and 50 of 100"
    yield VerifyCheck("22a", experiment, scale, found.scale, 0.04, curves=(curve,))
    raw = two_batches(small, large, 5, 50)
    bias = raw.square - dim
    experiment = "its |G|² without the correction is off by -trΣ/N"
    yield VerifyCheck("22b", experiment, -dim * scale / examples, bias, 0.1)


def _running(small: np.ndarray, large: np.ndarray, examples: int, scale: float) -> VerifyCurve:
    counts = np.unique(np.geomspace(10, len(large), 30).astype(int))
    found: list[NoiseScale] = [
        two_batches(small[: 3 * n // 2], large[:n], 5, 50, examples) for n in counts
    ]
    errors = [abs(estimate.scale / scale - 1) for estimate in found]
    name = "noise scale, by large batches seen"
    return VerifyCurve(name, counts, errors, slope=-0.5, panel=_PANEL)


def best_of_k() -> Iterator[VerifyCheck]:
    """Row 30: the best of k out of n trials, against all subsets and against drawn ones."""
    random = np.random.default_rng(0)
    few, many = random.random(12), random.random(20)
    for row, k in (("30a", 1), ("30b", 4), ("30c", 9)):
        every = [min(subset) for subset in itertools.combinations(few.tolist(), k)]
        experiment = f"best of {k} of 12 trials, all {len(every)} subsets"
        predicted = expected_best(few.tolist(), k)
        yield VerifyCheck(row, experiment, predicted, float(np.mean(every)), 1e-12)
    draws, k = 1_000_000, 5
    best = np.concatenate(
        [
            # The first k of a random order are a random subset.
            many[random.random((50_000, 20)).argpartition(k - 1, axis=1)[:, :k]].min(axis=1)
            for _ in range(draws // 50_000)
        ]
    )
    counts = np.unique(np.geomspace(100, draws, 30).astype(int))
    predicted = expected_best(many.tolist(), k)
    errors = np.abs(best.cumsum()[counts - 1] / counts - predicted)
    name = "best of 5 of 20 trials, by subsets drawn"
    curve = VerifyCurve(name, counts, errors, slope=-0.5, panel=_PANEL)
    experiment = "best of 5 of 20 trials, a million subsets drawn"
    yield VerifyCheck("30d", experiment, predicted, float(best.mean()), 3e-4, "absolute", (curve,))


def gradient(run: Run, x: Tensor, y: Tensor) -> Tensor:
    """Return the gradient of a batch in one vector, as a step of the run would compute it."""
    run.objective.zero_grad()
    run.objective.backward([Split(x, y)])
    return torch.cat([p.grad.reshape(-1) for p in run.objective.parameters if p.grad is not None])


def _least_squares(examples: int, batch: int) -> Run:
    config = config_of(
        "dataset=least_squares", "dataset.source=generated", f"dataset.n_samples={examples}",
        "dataset.n_features=3", "optimizer=sgd", f"batch_size={batch}",
    )  # fmt: skip
    run = build_run(config)
    start = torch.linspace(-1.0, 1.0, 3, dtype=torch.float64)
    torch.nn.utils.vector_to_parameters(start, run.objective.parameters)
    assert torch.equal(parameters(run), start)
    return run


def mini_batches() -> Iterator[VerifyCheck]:
    """Row 34: batches without replacement are unbiased, with variance (σ²/B)(N-B)/(N-1)."""
    examples, batch = 9, 4
    run = _least_squares(examples, batch)
    x, y = run.data.train
    full = gradient(run, x, y)
    single = torch.stack([gradient(run, x[i : i + 1], y[i : i + 1]) for i in range(examples)])
    variance = float((single - full).square().sum(dim=1).mean())
    yield _unbiased("34a", "mean of the single-example gradients", single, full)
    rows = [list(subset) for subset in itertools.combinations(range(examples), batch)]
    every = torch.stack([gradient(run, x[subset], y[subset]) for subset in rows])
    yield _unbiased("34b", f"mean of all {len(rows)} batches of {batch} of {examples}", every, full)
    measured = float((every - full).square().sum(dim=1).mean())
    predicted = variance / batch * (examples - batch) / (examples - 1)
    experiment = f"variance of all batches of {batch} of {examples}"
    yield VerifyCheck("34c", experiment, predicted, measured, 1e-12)

    examples, batch, epochs = 60, 5, 200
    run = _least_squares(examples, batch)
    x, y = run.data.train
    full = gradient(run, x, y)
    single = torch.stack([gradient(run, x[i : i + 1], y[i : i + 1]) for i in range(examples)])
    variance = float((single - full).square().sum(dim=1).mean())
    drawn = torch.stack(
        [
            gradient(run, *pair)
            for epoch in range(epochs)
            for (pair,) in run.plan.epoch(run.data.train, run.config.seed, epoch)
        ]
    )
    yield _unbiased("34d", f"mean of the batches of {epochs} epochs", drawn, full)
    squares = (drawn - full).square().sum(dim=1)
    predicted = variance / batch * (examples - batch) / (examples - 1)
    counts = np.unique(np.geomspace(10, len(squares), 30).astype(int))
    errors = np.abs(squares.cumsum(0).numpy()[counts - 1] / counts / predicted - 1)
    name = "variance of batches, by batches seen"
    curve = VerifyCurve(name, counts, errors, slope=-0.5, panel=_PANEL)
    experiment = f"variance of the batches of {epochs} epochs, 5 of 60"
    measured = float(squares.mean())
    yield VerifyCheck("34e", experiment, predicted, measured, 0.05, curves=(curve,))


def _unbiased(row: str, experiment: str, gradients: Tensor, full: Tensor) -> VerifyCheck:
    off = torch.linalg.vector_norm(gradients.mean(dim=0) - full) / torch.linalg.vector_norm(full)
    experiment = f"{experiment} - full gradient"
    return VerifyCheck(row, experiment, 0.0, float(off), 1e-12, "absolute")
