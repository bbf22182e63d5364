"""Scikit-learn's data files, read without importing scikit-learn, which takes seconds."""

import gzip
import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from sgdlab.errors import InputError


def read_table(filename: str, delimiter: str | None = ",", header: bool = False) -> np.ndarray:
    """Read a data file that scikit-learn carries.

    Args:
        filename: A file of ``sklearn/datasets/data``; ``.gz`` is decompressed.
        delimiter: What stands between columns; None for white space.
        header: Skip the first line.

    Returns:
        float64 ``[rows, columns]``.

    Raises:
        InputError: Scikit-learn is not installed, or has no such file any more.
    """
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise InputError("scikit-learn is not installed, and its data are needed: pip install it")
    path = Path(spec.origin).parent / "datasets" / "data" / filename
    try:
        content = path.read_bytes()
    except OSError as error:
        reason = f"cannot be read ({error.strerror}); reinstall scikit-learn"
        raise InputError(f"{path}: {reason}") from error
    text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode()
    return np.loadtxt(io.StringIO(text), delimiter=delimiter, skiprows=int(header), ndmin=2)
