"""Images per second of augmented batches, against a DataLoader with torchvision's transforms."""

import argparse
import importlib
import time
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.common import REPEATS, compare, machine
from sgdlab.augmentation.augment import Augmentation
from sgdlab.config.sections import AugmentConfig
from sgdlab.datasets.base import Split
from sgdlab.steps.batches import BatchPlan

IMAGES = 10_000
BATCH = 128
PADDING = 4
WORKERS = (0, 2)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="of torch, for every peer")
    parser.add_argument("--images", type=int, default=IMAGES, help="of an epoch, [3, 32, 32]")
    parser.add_argument("--workers", type=int, nargs="*", default=WORKERS, help="of DataLoaders")
    parser.add_argument("--repeats", type=int, default=REPEATS)


class Photos(Dataset[tuple[Tensor, Tensor]]):
    """Images in memory, each transformed when it is asked for.

    Args:
        x: The images.
        y: The labels.
        change: torchvision's transforms.
    """

    def __init__(self, x: Tensor, y: Tensor, change: Any) -> None:
        self.x, self.y, self.change = x, y, change

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.y)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Return an image, changed, and its label."""
        return self.change(self.x[index]), self.y[index]


def consumed(batches: Any, images: int) -> float:
    """Return the seconds per image that it takes until all batches are there."""
    start, seen = time.perf_counter(), 0
    for x in batches:
        assert x.shape[1:] == (3, 32, 32)
        seen += len(x)
    seconds = time.perf_counter() - start
    assert seen == images
    return seconds / images


def run(options: argparse.Namespace) -> None:
    torch.set_num_threads(options.threads)
    count = options.images
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(10, (count,), generator=generator)
    share = pixels.float() / 255
    mean, scale = share.mean((0, 2, 3)), share.std((0, 2, 3))
    ready = (share - mean[:, None, None]) / scale[:, None, None]
    plan = BatchPlan.of(min(BATCH, count), 1, count)
    asked = AugmentConfig(crop=PADDING, flip=0.5, cutout=0, mixup=0.0)

    def ours(change: Augmentation | None) -> float:
        updates = plan.epoch(Split(ready, labels), 0, 0, 0, change)
        return consumed((part.x for update in updates for part in update), count)

    v2 = importlib.import_module("torchvision.transforms.v2")  # after sgdlab, see its `startup`
    changes = [v2.RandomCrop(32, padding=PADDING), v2.RandomHorizontalFlip()]
    normal = [v2.ToDtype(torch.float32, scale=True), v2.Normalize(mean.tolist(), scale.tolist())]
    sources = {
        "bytes": Photos(pixels, labels, v2.Compose([*changes, *normal])),
        "ready floats": Photos(ready, labels, v2.Compose(changes)),
    }

    def theirs(source: str, workers: int) -> float:
        loader = DataLoader(sources[source], BATCH, shuffle=True, num_workers=workers)
        return consumed((x for x, _ in loader), count)

    peers = {
        "sgdlab": lambda: ours(Augmentation(asked, 0, None)),
        "sgdlab, augment off": lambda: ours(None),
    }
    for source in sources:
        for workers in options.workers:
            name = f"{source}, {workers} workers"
            peers[name] = lambda source=source, workers=workers: theirs(source, workers)
    print(f"{machine()}\n{count:,} images [3, 32, 32], batches of {BATCH}, crop and flip")
    print("DataLoader with transforms.v2 by source; bytes are normalised as they are read")
    medians = compare(peers, 1e9, "ns an image", options.repeats)
    for name, seconds in medians.items():
        ratio = seconds / medians["sgdlab"]
        print(f"{name:24}{1 / seconds:>12,.0f} images per second; sgdlab has {ratio:.1f} times it")
