"""Calls of sgdlab from Python in a folder of their own, which leave this process as it was."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

PARTS = """
import numpy
import torch


class Net(torch.nn.Sequential):
    def __init__(self, num_outputs, width=4):
        super().__init__(
            torch.nn.Flatten(), torch.nn.LazyLinear(width), torch.nn.Linear(width, num_outputs)
        )


def points(n=120):
    x = numpy.random.default_rng(3).normal(size=(n, 2))
    return x, (x[:, 0] > x[:, 1]).astype(int)


def own_loss(output, target):
    return torch.nn.functional.cross_entropy(output, target, label_smoothing=0.1)


class Broken(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.calls = 0

    def forward(self, x):
        raise RuntimeError("does not work")
"""


@contextlib.contextmanager
def working_in(folder: Path) -> Iterator[Path]:
    """Work in a folder that has ``own_parts.py``, which can be imported in the block."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own_parts.py").write_text(PARTS)
    with (
        mock.patch.dict(os.environ),
        mock.patch.object(sys, "path", [str(folder), *sys.path]),
        contextlib.chdir(folder),
    ):
        try:
            yield folder
        finally:
            sys.modules.pop("own_parts", None)
