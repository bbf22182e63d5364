"""Tables as a user writes them, read with the settings of the shipped YAML."""

from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import OmegaConf

from sgdlab.config.catalogue import conf_dir
from sgdlab.datasets.base import Encoder, Examples
from sgdlab.datasets.table import table


def settings() -> dict[str, Any]:
    found = OmegaConf.to_container(OmegaConf.load(conf_dir() / "dataset" / "table.yaml"))
    assert isinstance(found, dict)
    return {str(key): value for key, value in found.items() if key != "_target_"}


def read(file: Path, content: str | bytes | None = None, **changes: Any) -> Examples:
    """Read a file, written first if its content is given; the target is ``y``."""
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return table(**{**settings(), "path": str(file), "target": "y", **changes})


def inputs(examples: Examples, train: Any = None) -> np.ndarray:
    """Return the inputs, fitted on some rows, or on all of them."""
    return encoded(examples, train)[0]


def encoded(examples: Examples, train: Any = None) -> tuple[np.ndarray, list[str]]:
    """Return the inputs and the line of each column."""
    assert isinstance(examples.x, Encoder)
    rows = np.arange(len(examples.x)) if train is None else np.asarray(train)
    x, notes = examples.x.encode(rows)
    return x.numpy(), list(notes)


def column(name: str, values: Any) -> str:
    """Return a CSV of one input and of a target with two classes, by turns."""
    lines = [f'"{value}",{"uv"[row % 2]}' for row, value in enumerate(values)]
    return "\n".join([f"{name},y", *lines]) + "\n"
