"""Inputs that are read for each batch give the run that inputs in memory give."""

import contextlib
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from sgdlab.datasets import lazy as of_lazy
from sgdlab.datasets.ahead import copied_ahead
from sgdlab.datasets.base import Dataset as Prepared
from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.split import prepare
from sgdlab.steps.batches import BatchPlan

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 3, 6, 6)).astype(np.uint8)
LABELS = np.arange(60) % 3


class Photos(Dataset[Any]):
    """Decodes when asked; ``unread`` keeps it so."""

    def __init__(self, unread: bool, last: bool = False) -> None:
        self.unread, self.last, self.asked = unread, last, 0

    def __len__(self) -> int:
        return 60

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        self.asked += 1
        image = PIXELS[index].transpose(1, 2, 0) if self.last else PIXELS[index]
        return torch.tensor(image), int(LABELS[index])


class Crops(Photos):
    """Another example each time."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image, label = super().__getitem__(index)
        return image.roll(int(torch.randint(6, ())), -1), label


def ready(loaded: Any) -> Prepared:
    return prepare(loaded, name="own", seed=0, val=0.2, test=0.2)


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_every_batch_is_that_of_the_inputs_in_memory(last: bool, workers: int) -> None:
    memory = ready((PIXELS, LABELS)).to("cpu", torch.float64)
    lazy = ready(DataLoader(Photos(True, last), num_workers=workers)).to("cpu", torch.float64)
    assert isinstance(lazy.train.x, LazyRows)
    assert lazy.input_shape == memory.input_shape == (3, 6, 6)
    assert not lazy.in_memory
    for ours, theirs in ((lazy.train, memory.train), (lazy.val, memory.val)):
        for (x, y), (a, b) in zip(ours.batches(7), theirs.batches(7), strict=True):
            assert torch.allclose(x, a, atol=1e-6)
            assert torch.equal(y, b)
    plan = BatchPlan.of(8, 2, len(memory.train.y), last_batch="merge")
    pairs = zip(plan.epoch(lazy.train, 3, 1), plan.epoch(memory.train, 3, 1), strict=True)
    for ours, theirs in pairs:
        for (x, y), (a, b) in zip(ours, theirs, strict=True):
            assert torch.allclose(x, a, atol=1e-6)
            assert torch.equal(y, b)


def test_only_what_a_batch_needs_is_read() -> None:
    photos = Photos(True)
    data = ready(photos)
    before = photos.asked
    next(iter(data.train.batches(5)))
    assert photos.asked - before == 5
    data.train.take(torch.tensor([3, 1]))
    assert photos.asked - before == 7


def test_what_fits_and_stays_the_same_is_read_once() -> None:
    photos = Photos(False)
    data = ready(photos)
    assert isinstance(data.train.x, torch.Tensor)
    assert torch.equal(data.train.x, ready((PIXELS, LABELS)).train.x)


def test_random_examples_are_read_anew_and_follow_the_seed() -> None:
    data = ready(Crops(False))
    assert isinstance(data.train.x, LazyRows)

    def first(seed: int) -> torch.Tensor:
        torch.manual_seed(seed)
        return next(iter(data.train.batches(16))).x

    assert torch.equal(first(0), first(0))
    assert not torch.equal(first(0), first(1))
    assert ready(Crops(False)).fingerprint == data.fingerprint


def test_the_fingerprint_sees_one_pixel() -> None:
    before = ready(Photos(True)).fingerprint
    PIXELS[5, 0, 0, 0] ^= 1
    try:
        assert ready(Photos(True)).fingerprint != before
    finally:
        PIXELS[5, 0, 0, 0] ^= 1


class Stream:
    """Stands for a CUDA stream, and notes what is asked of it."""

    def __init__(self, log: list[str]) -> None:
        self._log = log

    def record_event(self) -> int:
        return len(self._log)

    def wait_event(self, event: int) -> None:
        self._log.append(f"wait {event}")


@pytest.mark.parametrize("count", [0, 1, 4])
def test_the_next_batch_is_on_its_way_before_the_one_before_is_handed_over(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    log: list[str] = []
    monkeypatch.setattr(torch.cuda, "Stream", lambda _: Stream(log))
    monkeypatch.setattr(torch.cuda, "stream", lambda _: contextlib.nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _: Stream(log))
    monkeypatch.setattr(torch.Tensor, "record_stream", lambda *_: None)

    def ready(x: torch.Tensor) -> torch.Tensor:
        log.append(f"copy {int(x)}")
        return x * 10

    batches = [torch.tensor(float(i)) for i in range(count)]
    handed = []
    for x in copied_ahead(iter(batches), ready, torch.device("cuda")):
        log.append(f"step {len(handed)}")
        handed.append(x)
    assert handed == [x * 10 for x in batches]
    for step in range(count):
        assert log.index(f"copy {min(step + 1, count - 1)}") < log.index(f"step {step}")
        waited = log[: log.index(f"step {step}")][-1]
        assert waited == f"wait {log.index(f'copy {step}') + 1}"  # for its own copy, not the next


@pytest.mark.parametrize(
    ("drawn", "workers", "ahead"), [(False, 0, True), (True, 2, True), (True, 0, False)]
)
def test_only_what_draws_here_is_not_read_ahead(
    drawn: bool, workers: int, ahead: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = LazyRows(Photos(True), None, workers)
    rows = (rows.drawn() if drawn else rows).on("cuda", torch.float32)
    monkeypatch.setattr(LazyRows, "read", lambda *_: iter(()))
    asked: list[torch.device] = []
    monkeypatch.setattr(of_lazy, "copied_ahead", lambda _, __, device: asked.append(device) or ())
    assert list(rows.batches(4)) == []
    assert asked == ([torch.device("cuda")] if ahead else [])
