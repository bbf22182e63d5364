"""Which runs of a stack have diverged in a block of steps."""

from collections.abc import Mapping

import numpy as np

from sgdlab.results import StepRecord
from sgdlab.stacked.run import StackedRun
from sgdlab.training.limit import divergence, loss_limit


def judged(block: StepRecord, runs: Mapping[int, StackedRun]) -> tuple[list[int], dict[int, str]]:
    """Return how many steps of a block belong to each row, and why some are the last.

    Args:
        block: The steps.
        runs: The runs that are still training, by row.
    """
    counts = [0] * block.loss.shape[1]
    gone: dict[int, str] = {}
    for row, run in runs.items():
        at, factor = run.progress, run.config.limits.loss_factor
        limit = loss_limit(factor, at.initial_loss, at.constant_loss)
        loss, norm = block.loss[:, row], block.grad_norm[:, row]
        # Not "loss > limit": nan must count.
        bad = np.flatnonzero(~((loss <= limit) & np.isfinite(loss) & np.isfinite(norm)))
        counts[row] = int(bad[0]) + 1 if len(bad) else len(loss)
        last = counts[row] - 1
        if reason := divergence(block.step[last], float(loss[last]), float(norm[last]), limit):
            gone[row] = reason
    return counts, gone
