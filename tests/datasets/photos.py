"""Writes folders of real image files."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from sgdlab.datasets.images import images

DEFAULTS: dict[str, Any] = {
    "size": None, "channels": None, "damaged": "refuse", "group": None, "max_memory": None,
}  # fmt: skip


def load(folder: Path, **settings: Any) -> Any:
    """Call the dataset's function with the settings of its YAML and ``settings``."""
    return images(**{"path": str(folder), **DEFAULTS, **settings})


def noise(height: int, width: int, seed: int, colour: bool = True) -> np.ndarray:
    """Return pixels ``[height, width, 3]`` or ``[height, width]``."""
    rng = np.random.default_rng(seed)
    shape = (height, width, 3) if colour else (height, width)
    return rng.integers(0, 256, shape).astype(np.uint8)


def save(path: Path, pixels: np.ndarray | Image.Image, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.save(path, **options)
    return path


def photos(folder: Path, **classes: int) -> Path:
    """Write so many PNG files ``[6, 5]`` of each class, all different; return the folder."""
    for index, (name, count) in enumerate(classes.items()):
        for number in range(count):
            save(folder / name / f"{number:03}.png", noise(6, 5, 1000 * index + number))
    return folder
