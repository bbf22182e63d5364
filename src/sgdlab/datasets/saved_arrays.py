"""Arrays that were saved by NumPy."""

import zipfile
from pathlib import Path

import numpy as np
import torch

from sgdlab.datasets.arrays import numbers
from sgdlab.datasets.base import Examples
from sgdlab.errors import InputError


def saved_arrays(*, path: str) -> Examples:
    """Read inputs and targets from an ``.npz`` file, as ``numpy.savez(path, x=x, y=y)`` writes it.

    Args:
        path: The file; ``x`` has a row per example, ``y`` a class (whole numbers) or quantities.

    Raises:
        InputError: There is no such file, or it is another one.
    """
    where = f"dataset=arrays: {path}"
    try:
        with np.load(Path(path).expanduser()) as file:
            found = {name: file[name] for name in ("x", "y")}
    except OSError as error:
        raise InputError(f"{where}: cannot be read: {error.strerror or error}") from error
    except KeyError as error:
        raise InputError(f"{where}: has no array x or no y; numpy.savez(path, x=x, y=y)") from error
    except (ValueError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{where}: no .npz file of plain arrays: {error}") from error
    x = numbers(found["x"], f"{where}: x")
    # As of a dataset's function: flags and bytes are quantities or pixels, whole numbers tokens.
    x = x.float() if x.dtype in (torch.bool, torch.uint8) else x
    return Examples(x, numbers(found["y"], f"{where}: y"))
