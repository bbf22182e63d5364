"""Arrays that were saved by NumPy."""

import zipfile
from pathlib import Path

import numpy as np
import torch

from sgdlab.datasets.arrays import numbers
from sgdlab.datasets.base import Examples
from sgdlab.errors import InputError

_REMEDY = "drop or fill them before the file is saved"


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
        has_arrays = zipfile.is_zipfile(Path(path).expanduser())
        what = "an array of Python objects, not of numbers" if has_arrays else "no .npz file"
        raise InputError(f"{where}: {what}; numpy.savez(path, x=x, y=y) writes one") from error
    x, y = (numbers(found[name], f"{where}: {name}", _REMEDY) for name in ("x", "y"))
    # As of a dataset's function: flags and bytes are quantities or pixels, whole numbers tokens.
    x = x.float() if x.dtype in (torch.bool, torch.uint8) else x
    return Examples(x, y)
