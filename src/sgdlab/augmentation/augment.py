"""The changes of a run, one after another."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from sgdlab.augmentation.crop import corners, crop
from sgdlab.augmentation.cutout import centres, cutout
from sgdlab.augmentation.flip import flip, flips
from sgdlab.augmentation.mixup import mixup, pairing, shares_of
from sgdlab.config.sections import AugmentConfig
from sgdlab.datasets.base import Dataset, Split
from sgdlab.errors import InputError
from sgdlab.losses.binary_cross_entropy import BinaryCrossEntropy
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.steps.batches import stream_seed

_OF_IMAGES = ("crop", "flip", "cutout")


@dataclass(frozen=True)
class Augmentation:
    """Crops, flips, cuts out and mixes the examples of an update, in this order.

    Each draws from a stream of its own, so that one more leaves the choices of the others alone.

    Attributes:
        section: The settings.
        seed: The seed of the run.
        classes: The number of classes, whose labels are mixed as shares; None: targets are numbers.
    """

    section: AugmentConfig
    seed: int
    classes: int | None

    def __call__(self, step: int, batch: Split) -> Split:
        """Return the examples of an update, changed.

        Args:
            step: The number of updates made before it.
            batch: All examples of the update, in memory.
        """
        asked, x = self.section, batch.x
        count, device = len(batch.y), batch.y.device

        def drawn(kind: str) -> torch.Generator:
            return torch.Generator().manual_seed(self._seed(kind, step))

        # On the CPU, so that every device sees the same choices.
        if asked.crop:
            x = crop(x, corners(count, asked.crop, drawn("crop")).to(device), asked.crop)
        if asked.flip:
            x = flip(x, flips(count, asked.flip, drawn("flip")).to(device))
        if asked.cutout:
            centre = centres(count, x.shape[2:], drawn("cutout")).to(device)
            x = cutout(x, centre, asked.cutout)
        if not asked.mixup:
            return replace(batch, x=x)
        pair = pairing(count, asked.mixup, self._seed("mixup", step))
        pair = pair._replace(order=pair.order.to(device))
        y = batch.y if self.classes is None else shares_of(batch.y, self.classes, x.dtype)
        return Split(mixup(x, pair), mixup(y, pair))

    def _seed(self, kind: str, step: int) -> int:
        return stream_seed(self.seed, f"augment/{kind}", step)


def augmentation_of(
    section: AugmentConfig, seed: int, data: Dataset, loss: Any
) -> Augmentation | None:
    """Return how the batches of a run are changed; None where they are not.

    Args:
        section: The settings.
        seed: The seed of the run.
        data: Its data.
        loss: Its loss, which has to take mixed targets.

    Raises:
        InputError: Inputs that are no images, or too small ones; targets that cannot be mixed.
    """
    asked = [kind for kind, value in vars(section).items() if value]
    if not asked:
        return None
    of_images = [kind for kind in asked if kind in _OF_IMAGES]
    if of_images and len(data.input_shape) != 3:
        raise InputError(
            f"augment.{of_images[0]}: needs images [n, channels, height, width], and inputs of "
            f"dataset={data.name} are {list(data.input_shape) or 'given by name'}"
        )
    for kind in {"crop", "cutout"} & {*of_images}:
        least, given = min(data.input_shape[1:]), getattr(section, kind)
        if given >= least:
            raise InputError(
                f"augment.{kind}={given}: must be below {least}, the smaller side of the images"
            )
    if not section.mixup:
        return Augmentation(section, seed, None)
    if type(loss) is CrossEntropy and loss.ignore_index is not None:
        raise InputError("augment.mixup: mixed classes have no loss.ignore_index; leave one out")
    if data.task == "classification" and type(loss) is CrossEntropy:
        _require_numbers(data)
        return Augmentation(section, seed, data.num_outputs)
    if data.task == "regression" or (
        data.task == "multilabel" and type(loss) is BinaryCrossEntropy
    ):
        _require_numbers(data)
        return Augmentation(section, seed, None)
    raise InputError(
        f"augment.mixup: the loss has to take shares of classes; with task={data.task} take "
        "loss=auto, or augment.mixup=0"
        if data.task in ("classification", "multilabel")
        else f"augment.mixup: targets of task={data.task} cannot be mixed; augment.mixup=0"
    )


def _require_numbers(data: Dataset) -> None:
    first: Any = data.train.take(slice(1)).x
    if not isinstance(first, Tensor) or not first.is_floating_point():
        raise InputError("augment.mixup: inputs have to be one floating tensor")
    if data.train.weight is not None:
        raise InputError("augment.mixup: examples with weights cannot be mixed; augment.mixup=0")
