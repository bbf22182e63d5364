"""A window of an image's size, somewhere in the image and zeros around it."""

import torch
from torch import Tensor
from torch.nn import functional as F


def corners(count: int, padding: int, generator: torch.Generator) -> Tensor:
    """Draw the upper left corners ``[n, 2]`` of windows, uniformly from ``0..2·padding``."""
    return torch.randint(2 * padding + 1, (count, 2), generator=generator)


def crop(images: Tensor, corner: Tensor, padding: int) -> Tensor:
    """Return the windows of images ``[n, c, h, w]`` with zeros around, each of the image's size.

    Zero is the mean of the training split where inputs are standardised. As torchvision's ``crop``
    with ``top = corner[0] - padding``, ``left = corner[1] - padding``.

    Args:
        images: The images.
        corner: Row and column of each window's upper left corner in the padded image, ``[n, 2]``.
        padding: Pixels of zeros on each side.
    """
    n, c, h, w = images.shape
    wide = F.pad(images, (padding,) * 4).contiguous()
    height, width = wide.shape[2:]
    rows = corner[:, :1] + torch.arange(h, device=images.device)
    plane = torch.arange(n * c, device=images.device).reshape(n, c, 1) * (height * width)
    start = plane + (rows * width + corner[:, 1:])[:, None, :]
    # Every run of w numbers as a row of its own, without a copy: rows are taken as they lie, which
    # takes half of a gather over pixels, and a tenth of indexing by rows and columns.
    runs = wide.as_strided((wide.numel() - w + 1, w), (1, 1))
    return runs.index_select(0, start.flatten()).reshape(images.shape)
