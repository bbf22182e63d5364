"""What a dataset function returns, and what the trainer works on."""

import hashlib
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import torch
from torch import Tensor

Task = Literal["classification", "regression"]


@dataclass(frozen=True)
class Examples:
    """Raw examples, as a function named by ``dataset._target_`` returns them.

    A function of your own may also return the plain pair ``(x, y)``.

    Args:
        x: Inputs ``[N, ...]``: floats are standardised later, integers (tokens) are left alone;
            ``[N, C, H, W]`` counts as images and is standardised per channel.
        y: Class labels ``0 … K-1`` as integers ``[N]``, or targets as floats ``[N]`` or ``[N, K]``.
        task: Inferred from the type of ``y`` when None.
        test: An official test split ``(x, y)``; when None, one is drawn from the examples.
    """

    x: Tensor
    y: Tensor
    task: Task | None = None
    test: tuple[Tensor, Tensor] | None = None


class Split(NamedTuple):
    """Inputs ``[n, ...]`` and targets ``[n]`` or ``[n, K]`` of one split."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Dataset:
    """Three standardised splits held in memory.

    Args:
        name: Member of the group ``dataset``.
        task: ``classification`` or ``regression``.
        input_shape: Shape of one input.
        num_outputs: Classes, or values of a target.
        train: Training split; its statistics standardise all three.
        val: Validation split: selection and early decisions.
        test: Test split: evaluated once, at the end, when asked for.
        target_scale: Standard deviation by which regression targets ``[K]`` were divided; 1 for
            classes.
        fingerprint: SHA-256 over type, shape and bytes of the six tensors.
    """

    name: str
    task: Task
    input_shape: tuple[int, ...]
    num_outputs: int
    train: Split
    val: Split
    test: Split
    target_scale: Tensor
    fingerprint: str

    @property
    def metric(self) -> str:
        """``accuracy`` (a fraction) or ``rmse`` (in the target's own units)."""
        return "accuracy" if self.task == "classification" else "rmse"

    @property
    def metric_direction(self) -> str:
        """``max`` or ``min``: which metric is better."""
        return "max" if self.task == "classification" else "min"

    def to(self, device: torch.device, dtype: torch.dtype) -> "Dataset":
        """Return the dataset on ``device`` with floats as ``dtype``; integers keep their type."""

        def move(values: Tensor) -> Tensor:
            return values.to(device, dtype if values.is_floating_point() else None)

        splits = {name: Split(*map(move, getattr(self, name))) for name in ("train", "val", "test")}
        return replace(self, **splits, target_scale=self.target_scale.to(device))


def fingerprint(splits: tuple[Split, ...]) -> str:
    """Return the SHA-256 of type, shape and bytes of all tensors of ``splits``, in order."""
    digest = hashlib.sha256()
    for split in splits:
        for values in split:
            digest.update(f"{values.dtype}{tuple(values.shape)}".encode())
            digest.update(values.contiguous().numpy().tobytes())
    return digest.hexdigest()
