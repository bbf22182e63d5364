"""The data of many groups on a device, once for all of them."""

from dataclasses import replace

import torch
from torch import Tensor

from sgdlab.datasets.base import Dataset, Split
from sgdlab.datasets.rows import moved
from sgdlab.stacked.form import ModelForm


class MovedData:
    """Moves datasets to devices, and keeps what it moved: groups of equal data share one copy.

    Data are equal where their fingerprints are, which cover every byte of the splits.
    """

    def __init__(self) -> None:
        self._splits: dict[object, dict[str, Split]] = {}

    def of(
        self, data: Dataset, device: torch.device, dtype: torch.dtype, model: ModelForm
    ) -> Dataset:
        """Return a dataset on ``device``, its inputs in the layout of ``model``."""
        key = data.fingerprint, device, dtype, model.takes_vectors
        if key not in self._splits:
            there = data.to(device, dtype)
            splits = {"train": there.train, "val": there.val, "test": there.test}
            self._splits[key] = {
                name: replace(split, x=model.inputs(split.x)) for name, split in splits.items()
            }
        # Targets that were divided by different scales can be equal afterwards.
        scale, mean = (
            moved(value, device, dtype) if isinstance(value, Tensor) else value
            for value in (data.target_scale, data.target_mean)
        )
        return replace(data, **self._splits[key], target_scale=scale, target_mean=mean)
