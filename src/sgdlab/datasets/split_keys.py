"""Groups and times of examples as whole numbers, by which rows are dealt out."""

import warnings
from typing import Any

import numpy as np

from sgdlab.errors import InputError


def groups_of(values: Any, count: int, where: str) -> np.ndarray:
    """Return the number of each row's group, ``[n]``, counted by first appearance.

    Args:
        values: What the rows of a group have in common, ``[n]``: numbers or text.
        count: Number of rows, ``n``.
        where: The dataset, for messages.

    Raises:
        InputError: Of another shape, or missing values.
    """
    array = _column(values, count, f"{where}: group")
    number: dict[Any, int] = {}
    codes = [number.setdefault(value, len(number)) for value in array.tolist()]
    return np.array(codes, np.int64)


def times_of(values: Any, count: int, where: str) -> np.ndarray:
    """Return the rank of each row's time among the different times, ``[n]``, from 0.

    Args:
        values: Numbers, dates, or text in ISO 8601, ``[n]``.
        count: Number of rows, ``n``.
        where: The dataset, for messages.

    Raises:
        InputError: Of another shape, missing values, or nothing that has an order in time.
    """
    array = _column(values, count, f"{where}: time")
    if array.dtype.kind in "US" or any(isinstance(value, str) for value in array.tolist()):
        array = _column(_dates(array, where), count, f"{where}: time")
    try:
        return np.unique(array, return_inverse=True)[1]
    except TypeError as error:
        raise InputError(f"{where}: time holds values that have no common order: {error}") from None


def _column(values: Any, count: int, where: str) -> np.ndarray:
    array = np.asarray(values)
    if array.shape != (count,):
        raise InputError(f"{where} has shape {list(array.shape)}: expected [{count}], one a row")
    if array.dtype.kind in "mM":
        missing = np.isnat(array)
    else:
        missing = np.array([_is_missing(value) for value in array.tolist()], bool)
    if missing.any():
        row = int(missing.argmax())
        raise InputError(
            f"{where} is missing in {int(missing.sum())} of {count} rows, the first is row {row}: "
            "fill it in, or drop them"
        )
    return array


def _is_missing(value: Any) -> bool:
    if value is None or value == "":
        return True
    try:
        return bool(value != value)  # only NaN and NaT are unlike themselves
    except TypeError:  # the answer of pandas.NA is NA
        return True


def _dates(array: np.ndarray, where: str) -> np.ndarray:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # NumPy warns where it would drop a time zone
            return array.astype(np.str_).astype("datetime64")
    except (ValueError, UserWarning) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{where}: time is text, and not all of it ISO 8601 without time zone, such as "
            f"2024-02-29T13:45 ({reason}); give dates or numbers"
        ) from None
