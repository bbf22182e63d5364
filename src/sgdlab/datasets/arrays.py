"""Numbers from whatever holds them: NumPy, pandas, tensors, lists."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.errors import InputError

_MISSING = ("NAType", "NaTType")


_IN_THE_FUNCTION = "drop or fill them in the dataset's function"


def numbers(values: Any, where: str, remedy: str = _IN_THE_FUNCTION) -> Tensor:
    """Return ``values`` as a tensor on CPU; floating numbers are finite, and keep their precision.

    Args:
        values: An array with a row per example.
        where: What messages call it.
        remedy: What to do about missing values.

    Raises:
        InputError: No array, or not of finite real numbers.
    """
    tensor = (
        values.detach().cpu() if isinstance(values, Tensor) else _from_numpy(values, where, remedy)
    )
    if tensor.is_sparse or tensor.layout is not torch.strided:
        raise InputError(f"{where} is a sparse tensor: return x.to_dense()")
    if tensor.ndim == 0:
        raise InputError(f"{where} is {type(values).__name__}, not an array with a row per example")
    if tensor.is_complex():
        raise InputError(f"{where} holds complex numbers; use their real parts, or pairs")
    if not tensor.is_floating_point():
        return tensor
    if tensor.dtype not in (torch.float32, torch.float64):
        tensor = tensor.float()
    bad = ~tensor.isfinite()
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise InputError(
            f"{where} has {int(bad.sum())} missing or infinite values, the first in row {row}: "
            f"{remedy}"
        )
    return tensor


def _from_numpy(values: Any, where: str, remedy: str) -> Tensor:
    module = type(values).__module__.partition(".")[0]
    if module == "scipy" and hasattr(values, "toarray"):
        raise InputError(f"{where} is a sparse matrix ({type(values).__name__}): x.toarray()")
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise InputError(f"{where} has rows of different lengths") from error
    if array.dtype == object and not any(isinstance(value, str) for value in array.flat):
        array = _of_objects(values, array, where, remedy)
    if array.dtype.kind not in "biufc":
        kind = "text" if array.dtype.kind in "OUST" else str(array.dtype)
        raise InputError(f"{where} holds {kind}, not numbers{_columns(values)}: encode it first")
    if array.dtype.kind == "u" and array.dtype != np.uint8:
        array = array.astype(np.int64)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    # A copy: the caller's array may be read-only, of foreign byte order, or changed later.
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def _of_objects(values: Any, array: np.ndarray, where: str, remedy: str) -> np.ndarray:
    # Not `value is None` alone: pandas has a NA that is neither None nor equal to itself.
    missing = [value is None or type(value).__name__ in _MISSING for value in array.flat]
    if any(missing):
        row = missing.index(True) // max(1, array[:1].size)
        what = f"{sum(missing)} missing values{_nullable(values)}, the first in row {row}"
        raise InputError(f"{where} has {what}: {remedy}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where} holds values that are not numbers: {error}") from error


def _nullable(values: Any) -> str:
    if not hasattr(values, "columns") or not hasattr(values, "isna"):
        return ""
    names = [str(c) for c, found in values.isna().any().items() if found]
    return f" (columns {', '.join(names)})" if names else ""


def _columns(values: Any) -> str:
    if not hasattr(values, "dtypes") or not hasattr(values, "columns"):
        return ""
    names = [
        str(c) for c, t in zip(values.columns, values.dtypes, strict=True)
        if getattr(t, "kind", "O") in "OM"
    ]  # fmt: skip
    return f" (columns {', '.join(names)})" if names else ""
