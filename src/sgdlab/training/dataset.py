"""The dataset of a config, split and standardised, kept for the runs that follow."""

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from sgdlab.config.instantiate import call
from sgdlab.config.schema import RunConfig
from sgdlab.datasets.base import Dataset
from sgdlab.datasets.split import prepare
from sgdlab.datasets.torch_data import has_unknown_length
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.streams import seeded
from sgdlab.training.build_loss import standardizes_targets

_How = tuple[tuple[str, Any], ...]


def dataset_of(config: RunConfig) -> Dataset:
    """Return the dataset of a config, split and standardised; kept for the runs that follow."""
    how = {
        **{key: value for key, value in vars(config.split).items() if key != "vary"},
        "task": None if config.task == "auto" else config.task,
        "layout": config.layout,
        "standardize_inputs": config.standardize.inputs,
        "standardize_targets": standardizes_targets(config),
    }
    name = config.names.get("dataset", "dataset")
    which = json.dumps(config.dataset, sort_keys=True), name, tuple(how.items())
    return _dataset(*which) or _stream(*which, _examples_seen(config))


def forget() -> None:
    """Forget the datasets that are kept: their files may have changed."""
    _dataset.cache_clear()
    _stream.cache_clear()


def _examples_seen(config: RunConfig) -> int | None:
    """Return how many examples ``max_steps`` updates see; None if nothing says so."""
    if config.max_steps is None or not isinstance(config.batch_size, int):
        return None
    workers = config.local_sgd.workers * (config.distributed.world_size or 1)
    return config.max_steps * config.batch_size * config.accumulate * workers


@functools.lru_cache(maxsize=4)
def _dataset(section: str, name: str, how: _How) -> Dataset | None:
    """Return a dataset; None for a stream whose length depends on the run."""
    with _loaded(section, name, how) as loaded:
        return None if has_unknown_length(loaded) else prepare(loaded, name=name, **dict(how))


@functools.lru_cache(maxsize=4)
def _stream(section: str, name: str, how: _How, needed: int | None) -> Dataset:
    with _loaded(section, name, how) as loaded:
        return prepare(loaded, name=name, needed=needed, **dict(how))


@contextmanager
def _loaded(section: str, name: str, how: _How) -> Iterator[Any]:
    """Yield what the function of a dataset returns.

    It draws from a stream of its own, and so do its examples as they are read: every run sees the
    same data, in whatever process.
    """
    given = dict(how)
    with seeded(stream_seed(given["seed"], "data"), devices=[]):
        offered = {"task": given["task"], "held_out": (given["val"], given["test"])}
        yield call(json.loads(section), f"dataset={name}", offered)


def vocabulary_of(data: Dataset) -> int | None:
    """Return how many tokens inputs may hold, the largest one and one more; None: no tokens."""
    inputs = [split.x for split in (data.train, data.val, data.test) if len(split.y)]
    if not all(isinstance(x, Tensor) and x.ndim == 2 and x.dtype == torch.int64 for x in inputs):
        return None
    return 1 + max(int(x.max()) for x in inputs) if inputs[0].numel() else None
