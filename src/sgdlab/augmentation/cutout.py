"""A square of an image set to zero."""

from collections.abc import Sequence

import torch
from torch import Tensor


def centres(count: int, size: Sequence[int], generator: torch.Generator) -> Tensor:
    """Draw row and column of the centres of squares, ``[n, 2]``, uniformly from all pixels.

    Args:
        count: The number of images.
        size: Height and width of an image.
        generator: What is drawn from.
    """
    drawn = [torch.randint(side, (count,), generator=generator) for side in size]
    return torch.stack(drawn, 1)


def cutout(images: Tensor, centre: Tensor, side: int) -> Tensor:
    """Return images ``[n, c, h, w]`` with a square of zeros in each, in all channels.

    It spans ``[c - side//2, c - side//2 + side)`` in rows and columns around the centre ``c``; what
    lies beyond the border is cut off, so that a square may be smaller.

    Source: DeVries and Taylor (2017).

    Args:
        images: The images.
        centre: Row and column of each square's centre, ``[n, 2]``.
        side: The side of the squares, in pixels.
    """
    first = centre - side // 2
    inside = []
    for axis in (0, 1):
        pixel = torch.arange(images.shape[2 + axis], device=images.device)
        start = first[:, axis, None]
        inside.append((pixel >= start) & (pixel < start + side))
    return images.masked_fill(inside[0][:, None, :, None] & inside[1][:, None, None, :], 0)
