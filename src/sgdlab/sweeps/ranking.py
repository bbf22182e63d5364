"""By what runs of a sweep are ranked: values of different meaning are never put in one order."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sgdlab.config.job import Job

_DATA = ("dataset", "split", "task", "layout", "standardize")


@dataclass(frozen=True)
class Ranking:
    """What the order of runs goes by.

    Attributes:
        by: The column of the summary.
        groups: The group of each run; only runs of one group have an order.
        note: What a person should know, if there is anything.
    """

    by: str
    groups: list[int]
    note: str | None = None


def ranking_of(jobs: Sequence[Job]) -> Ranking:
    """Return how to rank runs: by validation loss, where all losses mean the same.

    Two losses mean the same where the loss, its settings and the targets are the same; then less is
    better. Else the metric is the order, where it is one metric on the same data; else runs are
    ranked within those whose losses mean the same.
    """
    losses, metrics = _numbered(jobs, "loss"), _numbered(jobs, "metric")
    if len(set(losses)) <= 1:
        return Ranking("final_val_loss", [0] * len(jobs))
    if len(set(metrics)) == 1:
        what = "losses differ and are not comparable: ranked by the metric"
        return Ranking("final_val_metric", [0] * len(jobs), what)
    what = "losses of different data are not comparable: ranked within the same loss and data"
    return Ranking("final_val_loss", losses, what)


def _numbered(jobs: Sequence[Job], group: str) -> list[int]:
    """Return the same number for jobs whose loss or metric means the same, in their order."""
    known: dict[str, int] = {}
    found: list[int] = []
    for job in jobs:
        plain = job.config.plain()
        key = json.dumps([plain[name] for name in (*_DATA, group)], sort_keys=True)
        found.append(known.setdefault(key, len(known)))
    return found
