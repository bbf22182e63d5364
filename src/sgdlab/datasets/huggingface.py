"""Datasets of Hugging Face: a folder on disk, or what a function of one's own returns."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sgdlab.checks import require_package
from sgdlab.datasets.base import Examples
from sgdlab.datasets.collated import TARGETS
from sgdlab.datasets.huggingface_columns import (
    classes_of,
    inputs_of,
    rows_of,
    target_of,
    targets_of,
)
from sgdlab.datasets.huggingface_images import Pictures, pictures_of
from sgdlab.datasets.memory import half_of_free
from sgdlab.datasets.torch_data import from_torch
from sgdlab.errors import InputError, reason_of

_PARTS = {"train": ("train",), "val": ("validation", "valid", "val", "dev"), "test": ("test",)}
_COPIES = 4
"""How often a column of numbers is in memory while splits are made."""


def huggingface(
    *,
    path: str,
    target: str | None,
    inputs: str | Sequence[str] | None,
    size: int | Sequence[int] | None,
    channels: int | None,
) -> Examples:
    """Load a folder that ``save_to_disk`` wrote, or one of Parquet, CSV or JSON lines files.

    Args:
        path: The folder; ``~`` is the home folder. Nothing is downloaded.
        target: The column to predict; None: the one called ``label``, ``labels``, ``target``,
            ``targets`` or ``y``, else the only one of the type ``ClassLabel``.
        inputs: The columns that the model sees; None: all others.
        size: Height and width of images; None: that of all images.
        channels: 1 or 3; None: 1 if no image has colours.

    Raises:
        InputError: The package ``datasets`` is missing, or the folder or a setting cannot be used.
    """
    where = f"dataset.path={path}"
    datasets = require_package("datasets", "huggingface", "dataset=huggingface")
    folder = Path(str(path)).expanduser()
    if not folder.is_dir():
        raise InputError(f"{where}: no such folder")
    saved = any((folder / name).is_file() for name in ("dataset_dict.json", "state.json"))
    with _quiet(datasets):
        try:
            read = datasets.load_from_disk if saved else datasets.load_dataset
            loaded = read(str(folder))
        except Exception as error:
            raise InputError(f"{where}: cannot be read: {reason_of(error)}") from error
    chosen = [inputs] if isinstance(inputs, str) else inputs
    return from_huggingface(loaded, where, target, chosen, size, channels)


@contextmanager
def _quiet(datasets: Any) -> Any:
    """Show no bars of progress meanwhile."""
    hidden = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not hidden:
            datasets.enable_progress_bars()


def is_huggingface(loaded: object) -> bool:
    """Say whether something is a dataset of Hugging Face that is on disk or in memory."""
    package = sys.modules.get("datasets")  # a folder of the user's may have this name, too
    kinds = (getattr(package, name, None) for name in ("Dataset", "DatasetDict"))
    return hasattr(package, "load_from_disk") and isinstance(loaded, tuple(filter(None, kinds)))


def from_huggingface(
    loaded: Any,
    where: str,
    target: str | None = None,
    inputs: Sequence[str] | None = None,
    size: int | Sequence[int] | None = None,
    channels: int | None = None,
) -> Examples:
    """Return the examples of a dataset of Hugging Face, or of its splits.

    Columns of single numbers make one input ``[n, columns]``; one column of images or of arrays is
    the input; several columns, such as ``input_ids`` and ``attention_mask``, are passed to the
    model by name. The splits ``train``, ``validation`` and ``test`` are kept as they are. What a
    ``set_transform`` draws is drawn for each batch anew.

    Args:
        loaded: A `datasets.Dataset` or `datasets.DatasetDict`.
        where: What messages call it.
        target: See `huggingface`, as for the others.
        inputs: The columns that the model sees.
        size: Height and width of images.
        channels: 1 or 3.

    Raises:
        InputError: A column that is not of numbers of one shape, or none that is the target.
    """
    parts, notes = _parts(loaded, where)
    train = parts["train"]
    if train.format["type"] == "custom":
        return from_torch(tuple(map(_Transformed, parts.values())), where)
    target = target_of(train, target, where)
    columns = inputs_of(train, inputs, target, where)
    classes = classes_of(train, target)
    ys = {name: targets_of(part, target, classes, where) for name, part in parts.items()}
    for name in ("val", "test"):
        if name in ys and classes is not None and bool((ys[name] < 0).all()):
            notes.append(f"the split {name} is left out: it has no labels")
            del ys[name], parts[name]
    if len(columns) == 1 and type(train.features[columns[0]]).__name__ == "Image":
        return _of_pictures(parts, columns[0], ys, classes, notes, size, channels, where)
    if size is not None or channels is not None:
        raise InputError(f"{where}: dataset.size and dataset.channels are of images; it has none")
    if sum(part.data.nbytes for part in parts.values()) * _COPIES > half_of_free():
        raise InputError(f"{where}: more than fits into memory; choose columns by dataset.inputs")
    x = {name: rows_of(part, columns, where) for name, part in parts.items()}
    return _examples(x, ys, classes, target, notes)


def _parts(loaded: Any, where: str) -> tuple[dict[str, Any], list[str]]:
    if not isinstance(loaded, Mapping):
        return {"train": loaded}, []
    if len(loaded) == 1:
        return {"train": next(iter(loaded.values()))}, []
    found = {part: [n for n in names if n in loaded] for part, names in _PARTS.items()}
    if len(found["train"]) != 1 or any(len(names) > 1 for names in found.values()):
        raise InputError(f"{where}: has the splits {', '.join(loaded)}: expected one called train")
    parts = {part: loaded[names[0]] for part, names in found.items() if names}
    others = [name for name in loaded if not any(name in names for names in found.values())]
    return parts, [f"the split {name} is left out" for name in others]


class _Transformed(torch.utils.data.Dataset[Any]):
    """Rows as a ``set_transform`` of the user's gives them."""

    def __init__(self, part: Any) -> None:
        self._part = part

    def __len__(self) -> int:
        return len(self._part)

    def __getitem__(self, row: int) -> Any:
        given = self._part[int(row)]
        found = [key for key in TARGETS if key in given] if isinstance(given, Mapping) else []
        # A pair can be read again for each batch.
        if len(given) == 2 and len(found) == 1:
            (x,) = (value for key, value in given.items() if key != found[0])
            return x, given[found[0]]
        return given


def _of_pictures(
    parts: dict[str, Any],
    column: str,
    ys: dict[str, Tensor],
    classes: list[str] | None,
    notes: list[str],
    size: Any,
    channels: int | None,
    where: str,
) -> Examples:
    pictures = pictures_of(parts, column, size, channels, f"{where}: column {column}")
    if all(isinstance(x, np.ndarray) for x in pictures.values()):
        x = {name: torch.from_numpy(pixels) for name, pixels in pictures.items()}
        return _examples(x, ys, classes, None, notes)
    if "val" in parts and "test" not in parts:
        raise InputError(f"{where}: more images than fit into memory need a test split beside val")
    read = [x.with_targets(ys[n], classes, notes) for n, x in pictures.items()
            if isinstance(x, Pictures)]  # fmt: skip
    return from_torch(tuple(read), where)


def _examples(
    x: dict[str, Any],
    y: dict[str, Tensor],
    classes: list[str] | None,
    target: str | None,
    notes: list[str],
) -> Examples:
    val, test = ((x[name], y[name]) if name in x else None for name in ("val", "test"))
    return Examples(
        x["train"],
        y["train"],
        task=None if classes is None else "classification",
        outputs=None if classes is None else len(classes),
        classes=classes,
        notes=notes,
        target_name=target if isinstance(x["train"], Mapping) else None,
        val=val,
        test=test,
    )
