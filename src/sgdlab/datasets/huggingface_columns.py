"""Columns of a dataset of Hugging Face: which is the target, and their numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.datasets.arrays import numbers
from sgdlab.datasets.collated import TARGETS
from sgdlab.errors import InputError, suggest

_REMEDY = "leave these rows out before they are saved, or choose inputs without the column"


def target_of(part: Any, target: str | None, where: str) -> str:
    """Return the column to predict: the one that is named, or the only one that it can be."""
    names = part.column_names
    if target is not None:
        if target not in names:
            raise InputError(f"{where}: dataset.target={target}: no such column; "
                             f"{suggest(target, names)}")  # fmt: skip
        return target
    found = [name for name in TARGETS if name in names]
    found = found or [n for n, kind in part.features.items() if type(kind).__name__ == "ClassLabel"]
    if len(found) != 1:
        shown = " and ".join(found) + " may all be" if found else "none of its columns is"
        raise InputError(f"{where}: {shown} the target: name it, dataset.target=COLUMN "
                         f"(of {', '.join(names)}; with dataset=huggingface)")  # fmt: skip
    return found[0]


def inputs_of(part: Any, inputs: Sequence[str] | None, target: str, where: str) -> list[str]:
    """Return the columns that the model sees, after a look at their types."""
    names = [name for name in part.column_names if name != target]
    for name in inputs or ():
        if name not in names:
            what = "is the target" if name == target else f"no such column; {suggest(name, names)}"
            raise InputError(f"{where}: dataset.inputs={name}: {what}")
    chosen = list(inputs) if inputs else names
    if not chosen:
        raise InputError(f"{where}: has no column beside {target}")
    kinds = {name: type(part.features[name]).__name__ for name in chosen}
    texts = [n for n in chosen if getattr(part.features[n], "dtype", "").endswith("string")]
    strange = [n for n, kind in kinds.items() if kind in ("Audio", "Video", "Pdf", "dict")]
    if texts or strange or ("Image" in kinds.values() and len(chosen) > 1):
        odd = texts or strange or [name for name, kind in kinds.items() if kind != "Image"]
        held = "text" if texts else kinds[odd[0]] if strange else "numbers beside an image"
        rest = ",".join(name for name in chosen if name not in odd)
        remedy = f", or leave it out with dataset=huggingface dataset.inputs=[{rest}]"
        what = f"column {odd[0]} holds {held}: encode it by .map(…)"
        raise InputError(f"{where}: {what}{remedy if rest else ''}")
    return chosen


def classes_of(part: Any, target: str) -> list[str] | None:
    """Return the names of the classes; None where the target is a number."""
    feature = part.features[target]
    if type(feature).__name__ == "ClassLabel":
        return list(feature.names)
    if getattr(feature, "dtype", "").endswith("string"):
        return sorted({value for value in part[:][target] if value is not None})
    return None


def targets_of(part: Any, target: str, classes: list[str] | None, where: str) -> Tensor:
    """Return the targets as numbers; names of classes as their place among ``classes``."""
    label = f"{where}: column {target}"
    if target not in part.column_names:
        raise InputError(f"{label} is missing from a split")
    if classes is None or type(part.features[target]).__name__ == "ClassLabel":
        return numbers(_read(part, target), label, _REMEDY)
    known = {name: number for number, name in enumerate(classes)}
    values = part[:][target]
    if odd := [value for value in values if value not in known]:
        raise InputError(f"{label}: {odd[0]!r} is no class of the training split")
    return torch.tensor([known[value] for value in values])


def _read(part: Any, column: str) -> np.ndarray:
    leaf = part.features[column]
    while hasattr(leaf, "feature"):
        leaf = leaf.feature
    # By itself, their NumPy format makes float32 of float64.
    kept = {"dtype": np.float64} if getattr(leaf, "dtype", "") == "float64" else {}
    return np.asarray(part.with_format("numpy", columns=[column], **kept)[:][column])


def rows_of(part: Any, columns: Sequence[str], where: str) -> Any:
    """Return the inputs: a tensor, or a mapping of tensors."""
    read: dict[str, Tensor] = {}
    for name in columns:
        label = f"{where}: column {name}"
        if name not in part.column_names:
            raise InputError(f"{label} is missing from a split")
        values = _read(part, name)
        if values.dtype == object and len(values) and isinstance(values[0], np.ndarray):
            raise InputError(f"{label} has rows of different lengths: pad all to one length")
        read[name] = numbers(values, label, _REMEDY)
    if all(values.ndim == 1 for values in read.values()):
        floating = {values.dtype for values in read.values()} == {torch.float32}
        kind = torch.float32 if floating else torch.float64
        return torch.stack([values.to(kind) for values in read.values()], 1)
    return next(iter(read.values())) if len(read) == 1 else read
