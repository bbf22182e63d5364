"""What all images of a dataset become: one size, and 1 or 3 channels."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sgdlab.checks import is_whole
from sgdlab.datasets.image_decoding import Header, PixelFormat
from sgdlab.datasets.image_folders import some
from sgdlab.errors import InputError


def require_form(size: Any, channels: Any) -> None:
    """Refuse a size or a number of channels that no image can have.

    Raises:
        InputError: Names the key and what it must be.
    """
    sides = [size] if is_whole(size) else size
    fine = isinstance(sides, Sequence) and len(sides) in (1, 2) and all(map(is_whole, sides))
    if size is not None and not fine:
        raise InputError(f"dataset.size={size}: must be [height, width] in pixels, such as [32,32]")
    if channels not in (None, 1, 3) or isinstance(channels, bool):
        raise InputError(f"dataset.channels={channels}: must be 1 (grey), 3, or null")


def form_of(
    headers: Sequence[Header],
    names: Sequence[str],
    size: int | Sequence[int] | None,
    channels: int | None,
    where: str,
) -> PixelFormat:
    """Return what all images become.

    Args:
        headers: What is known of each image.
        names: What messages call it.
        size: Height and width; one number for squares; None: that of all images.
        channels: 1 or 3; None: 1 if no image has colours by its format or its palette, else 3.
        where: What messages call the images.

    Raises:
        InputError: Images of different sizes without ``size``, or of depths that do not compare.
    """
    sizes = Counter(header.size for header in headers)
    if size is None and len(sizes) > 1:
        shown = [f"{h}x{w} of {count}" for (h, w), count in sizes.most_common()]
        raise InputError(
            f"{where}: images of different sizes, height x width: {some(shown)}; set dataset.size, "
            "such as dataset.size=[32,32]"
        )
    depths = {header.depth: name for header, name in zip(headers, names, strict=True)}
    if "any" in depths and len(depths) > 1:
        other = next(name for depth, name in depths.items() if depth != "any")
        raise InputError(
            f"{where}: {depths['any']} holds numbers without a fixed range, {other} has "
            f"bits: nothing says how one compares with the other; make them alike"
        )
    sides = [size] if isinstance(size, int) else list(size or next(iter(sizes), (1, 1)))
    grey = all(header.grey for header in headers)
    return PixelFormat(sides[0], sides[-1], channels or (1 if grey else 3), set(depths) != {"8"})
