# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Reads run folders of any age and origin into one table, and attributes those that did not end."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pandas as pd
from numpy.typing import NDArray

from sgdlab import results
from sgdlab.errors import InputError
from sgdlab.results import COMPLETED, DIVERGED, FAILED, UNFINISHED, Cell

NUMERIC = (
    "trial", "batch_size", "accumulate", "effective_batch_size", "base_lr", "lr", "seed", "epochs",
    "steps", "examples", "num_parameters", "num_decayed", "optimizer_state_bytes",
    "peak_memory_bytes", "train_seconds", "examples_per_second", "final_train_loss",
    "final_val_loss", "best_val_loss", "gradient_evaluations", "function_evaluations",
    "final_val_metric", "best_val_metric", "best_val_step", "test_loss", "test_metric",
)  # fmt: skip
"""Columns of ``summary.csv`` that hold numbers."""

# What a run is called, where it goes, what it runs on and how it is watched is no setting.
_LABELS = (
    "defaults", "names", "study", "phase", "trial", "resume", "checkpoint", "hydra", "lr",
    "device", "seed", "threads", "evaluate_test", "diagnostics", "logger", "engine", "experiment",
)  # fmt: skip


Row = dict[str, Any]
"""A run as a row of ``runs.csv``; None where a cell is empty."""

Columns = dict[str, NDArray[Any]]
"""A table of a run by column."""


@dataclass(frozen=True)
class Runs:
    """Every run below the given folders.

    Attributes:
        columns: Those of ``runs.csv``.
        rows: A row per run. ``steps`` of a run that did not end is the last step in its files.
        configs: Per row, the flat settings in ``config.yaml`` that determine the result, the
            seed excepted; empty when it cannot be read.
        evals: Per row, ``evals.csv``; rows whose table cannot be read are absent.
        problems: A line for every damaged file.
    """

    columns: list[str]
    rows: list[Row]
    configs: list[dict[str, Cell]]
    evals: dict[int, Columns]
    problems: list[str]

    @property
    def table(self) -> pd.DataFrame:
        """The rows as ``runs.csv`` has them."""
        return pd.DataFrame(self.rows, columns=pd.Index(self.columns), dtype=object)

    def read_steps(self, row: int) -> Columns | None:
        """Return ``steps.csv`` of a run; None when it cannot be read."""
        run = self.rows[row]
        try:
            table = results.read_steps(Path(run["directory"]), partial=not _ended(run))
        except InputError:
            return None
        return by_column(table)


def load(roots: Sequence[Path]) -> Runs:
    """Read every run at or below ``roots``.

    A run with a damaged file is ``failed``, and its reason names file and line.

    Raises:
        InputError: A root is missing or holds no run.
    """
    table, problems = results.collect(_places(roots))
    records = cast("list[Row]", table.astype(object).where(table.notna(), None).to_dict("records"))
    runs = Runs([str(column) for column in table.columns], records, [], {}, problems)
    for row, run in enumerate(records):
        directory = Path(run["directory"])
        damage = _bad_cells(run, directory)
        try:
            config = results.read_config(directory)
        except InputError as error:
            problems.append(str(error))
            config = {}
        runs.configs.append(determining(config))
        if run["optimizer"] is None:
            _fill_from_config(run, config)
        damage += _read_tables(runs, row, directory)
        if damage:
            problems += damage
            run |= {"status": FAILED, "reason": damage[0]}
    return runs


def by_column(table: pd.DataFrame) -> Columns:
    """Return a table as one array per column."""
    return {str(column): table[column].to_numpy() for column in table.columns}


def _ended(run: Row) -> bool:
    return run["status"] in (COMPLETED, DIVERGED)


def _places(roots: Sequence[Path]) -> list[Path]:
    right = "give a folder that holds runs of sgdlab (each a config.yaml beside a summary.csv)"
    if not roots:
        raise InputError(f"no folder: {right}")
    here = Path.cwd()
    places: dict[Path, Path] = {}
    for root in roots:
        if not root.exists():
            raise InputError(f"{root}: no such folder; {right}")
        if not root.is_dir():
            raise InputError(f"{root}: not a folder; {right}")
        if not results.find_runs([root]):
            raise InputError(f"{root}: no run in it; {right}")
        whole = root.resolve()
        inside = whole.is_relative_to(here)
        places[whole] = Path(os.path.relpath(whole, here)) if inside else whole
    return list(places.values())


def _bad_cells(run: Row, directory: Path) -> list[str]:
    """Empty cells of a summary that should be numbers and are not; say where."""
    where = f"{directory / 'summary.csv'}, line 2"
    lines: list[str] = []
    if run["status"] not in (COMPLETED, DIVERGED, FAILED, UNFINISHED):
        lines.append(f"{where}: status is {run['status']}, not completed, diverged or failed")
    for column in NUMERIC:
        cell = run[column]
        if isinstance(cell, (str, bool)) and not (column == "batch_size" and cell == "full"):
            lines.append(f"{where}: {column} is not a number")
            run[column] = None
    return lines[:1]


def _read_tables(runs: Runs, row: int, directory: Path) -> list[str]:
    """Read both tables of a run, keep its evaluations, and return a line per damaged file."""
    run = runs.rows[row]
    damage: list[str] = []
    last = 0
    for name, read in (("steps", results.read_steps), ("evals", results.read_evals)):
        if not _ended(run) and not (directory / f"{name}.csv").is_file():
            continue
        try:
            content = by_column(read(directory, partial=not _ended(run)))
        except InputError as error:
            damage.append(str(error))
            continue
        if len(content["step"]):
            last = max(last, int(content["step"].max()))
        if name == "evals":
            runs.evals[row] = content
    if run["steps"] is None:
        run["steps"] = last
    return damage


def determining(config: Mapping[str, Any]) -> dict[str, Cell]:
    """Return the flat settings of a config that determine the result, the seed excepted."""
    return flatten({key: value for key, value in config.items() if key not in _LABELS})


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Cell]:
    """Return nested mappings as one, with dotted keys; lists become their JSON text."""
    flat: dict[str, Cell] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat |= flatten(cast("Mapping[str, Any]", value), f"{prefix}{key}.")
        elif value is None or isinstance(value, (str, int, float)):
            flat[f"{prefix}{key}"] = value
        else:
            flat[f"{prefix}{key}"] = results.text(value)
    return flat


def _fill_from_config(run: Row, config: Mapping[str, Any]) -> None:
    """Say of a run without a readable summary what its config knows."""
    known: dict[str, Any] = {"base_lr": config.get("lr")}
    for group in ("optimizer", "model", "dataset", "schedule", "scaling"):
        known[group] = _name(config, group)
    for key in ("study", "phase", "trial", "seed", "batch_size", "accumulate", "epochs"):
        known[key] = config.get(key)
    for group in ("optimizer", "schedule"):
        if isinstance(config.get(group), dict):
            known |= flatten({group: config[group]})
    run |= {k: v for k, v in known.items() if k in run and run[k] is None}


def _name(config: Mapping[str, Any], group: str) -> str | None:
    names, section = config.get("names"), config.get(group)
    if isinstance(names, dict) and group in names:
        return str(cast("dict[str, Any]", names)[group])
    if isinstance(section, dict):
        name = cast("dict[str, Any]", section).get("name")
        return None if name is None else str(name)
    return None if section is None else str(section)
