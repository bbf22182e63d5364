"""Reads an image as numbers: upright, of one size, grey or in colour."""

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps

from sgdlab.errors import InputError

_GREY = ("1", "L", "LA", "La", "I", "F")


@dataclass(frozen=True)
class Header:
    """What is known of an image before its pixels are read.

    Attributes:
        size: Height and width once it is upright.
        grey: Whether it has no colours by its format, or in its palette.
        depth: ``8`` or ``16`` bits, or ``any`` for numbers without a fixed range.
        rotated: Whether its EXIF orientation turns or mirrors it.
        frames: Whether it has several frames, of which the first is used.
        cut: Whether Pillow keeps only 8 bits of its 16.
    """

    size: tuple[int, int]
    grey: bool
    depth: str
    rotated: bool
    frames: bool
    cut: bool


@dataclass(frozen=True)
class Decoded:
    """An image as numbers.

    Attributes:
        pixels: ``[channels, height, width]``, uint8, or float32 of images of more bits.
        digest: A hash of its pixels before they were resized.
        transparent: Whether some pixels let a background through.
    """

    pixels: np.ndarray
    digest: str
    transparent: bool


@dataclass(frozen=True)
class PixelFormat:
    """What all images become: height, width, 1 or 3 channels, and float32 or uint8."""

    height: int
    width: int
    channels: int
    floating: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of an image, ``[channels, height, width]``."""
        return self.channels, self.height, self.width

    @property
    def dtype(self) -> type[np.generic]:
        """Type of a pixel."""
        return np.float32 if self.floating else np.uint8


def read_header(source: Path | bytes) -> Header:
    """Read what a file, or its bytes, says of its image.

    Raises:
        Exception: Of many kinds, where the file is damaged.
    """
    with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as image:
        depth, mode = _depth(image), image.mode
        cut = depth == "8" and any(";16" in str(tile[3]) for tile in image.tile)
        # Reads a PNG to its end, where the orientation may stand.
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
        width, height = image.size
        return Header(
            size=(width, height) if orientation in (5, 6, 7, 8) else (height, width),
            grey=mode in _GREY or mode.startswith("I;16") or _has_grey_palette(image),
            depth=depth,
            rotated=orientation in range(2, 9),
            # MPO: photos with a preview of their own.
            frames=bool(getattr(image, "is_animated", False)) and image.format != "MPO",
            cut=cut,
        )


def _depth(image: Image.Image) -> str:
    # Before version 11.3, Pillow read grey PNG of 16 bits as 32.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return "16"
    return "any" if image.mode in ("I", "F") else "8"


def _has_grey_palette(image: Image.Image) -> bool:
    if image.mode not in ("P", "PA"):
        return False
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    return bool((colours == colours[:, :1]).all())


def decode(source: Path | bytes, form: PixelFormat) -> Decoded:
    """Read an image, from a file or its bytes, in the size and the channels asked for.

    It is turned upright and resized until it covers the size, and its centre is kept:
    `PIL.ImageOps.fit`, bilinear, which averages over what a pixel covers where it shrinks
    (antialias). Transparent pixels are laid on white. Colours become grey by the weights of ITU-R
    601-2. Of 16 bits, values are divided by 257, to the scale of 8 bits; numbers without a fixed
    range stay as they are.

    Raises:
        Exception: Of many kinds, where the file is damaged.
    """
    raw = source if isinstance(source, bytes) else source.read_bytes()
    with Image.open(io.BytesIO(raw)) as opened:
        depth = _depth(opened)
        image = ImageOps.exif_transpose(opened)
    transparent = depth == "8" and image.has_transparency_data and _lets_through(image)
    if depth != "8":
        image = _floating(image, depth)
    else:
        if transparent:
            colours = image.convert("RGBA")
            image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours)
        image = image.convert("L" if form.channels == 1 else "RGB")
    whole = np.asarray(image)
    shape = str(whole.shape).encode()[:16]
    digest = hashlib.blake2b(whole.tobytes(), digest_size=16, person=shape)
    if image.size != (form.width, form.height):
        size = (form.width, form.height)
        image = ImageOps.fit(image, size, Image.Resampling.BILINEAR)
    pixels = np.asarray(image, form.dtype)
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Decoded(np.broadcast_to(pixels, form.shape), digest.hexdigest(), transparent)


def _lets_through(image: Image.Image) -> bool:
    return bool((np.asarray(image.convert("RGBA"))[..., 3] < 255).any())


def _floating(image: Image.Image, depth: str) -> Image.Image:
    values = np.asarray(image, np.float32)
    if not np.isfinite(values).all():
        raise InputError("pixels that are not finite")
    return Image.fromarray(values / 257 if depth == "16" else values)
