"""Whether images have their channels first or last."""

from typing import Literal

from torch import Tensor

from sgdlab.errors import InputError

Layout = Literal["auto", "nchw", "nhwc"]
_CHANNELS = (1, 3, 4)


def channels_first(x: Tensor, layout: Layout, where: str) -> tuple[Tensor, bool]:
    """Return images as ``[n, channels, height, width]``, and whether they were turned.

    ``[n, a, b, c]`` is certain to have its channels last where ``c`` is 1, 3 or 4 and ``a = b`` is
    more than that, as of square images; it is certain to have them first where ``c`` is no number
    of channels. All else is asked for.

    Args:
        x: Inputs ``[n, a, b, c]``; others are left alone.
        layout: What was said; ``auto`` if nothing was.
        where: What messages call the inputs.

    Raises:
        InputError: Nobody could tell; says how to say it.
    """
    if x.ndim != 4:
        if layout != "auto":
            raise InputError(f"layout={layout}: {where} has shape {list(x.shape)}, no images")
        return x, False
    first, height, last = x.shape[1:]
    if layout == "auto":
        if last not in _CHANNELS:
            layout = "nchw"
        elif first == height and first > max(_CHANNELS):
            layout = "nhwc"
        elif first in _CHANNELS and height == last and last not in _CHANNELS:
            layout = "nchw"
        else:
            raise InputError(
                f"{where} has shape {list(x.shape)}: set layout=nchw if images are "
                "[channels, height, width], layout=nhwc if they are [height, width, channels]"
            )
    if layout == "nchw":
        return x, False
    return x.permute(0, 3, 1, 2).contiguous(), True
