# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Reads run folders of any age and origin into one table, and attributes those that did not end."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd

from sgdlab import results
from sgdlab.analysis.configs import Configs
from sgdlab.analysis.losses import loss_names
from sgdlab.analysis.summary_cells import bad_cells
from sgdlab.errors import InputError
from sgdlab.results import (
    COMPLETED,
    ENDED,
    FAILED,
    FINDINGS,
    LABEL_COLUMNS,
    OTHER_SETTINGS,
    STOPPED,
    SUMMARY_COLUMNS,
    Cell,
    Columns,
    flatten,
)
from sgdlab.results.packed import is_there

DRAWN = ("step", "loss", "grad_norm")
"""Columns of ``steps.csv`` that are drawn."""

KEPT = 5_000_000
"""Rows of ``steps.csv`` that are kept once read, 24 bytes each; those of more are read again."""

Row = dict[str, Any]
"""A run as a row of ``runs.csv``; None where a cell is empty."""


@dataclass(frozen=True)
class Runs:
    """Every run below the given folders.

    Attributes:
        columns: The columns of ``runs.csv``.
        rows: A row per run. ``steps`` of a run that did not end is the last step in its files.
        configs: For each row, the flat settings in ``config.yaml`` that determine the result, the
            seed excepted; empty when it cannot be read.
        evals: The content of ``evals.csv`` by row; rows whose table cannot be read are absent.
        problems: A line for every damaged file.
        steps: The columns `DRAWN` of ``steps.csv`` by row, of as many runs as fit `KEPT`.
        validations: What `sgdlab.analysis.targets.validation` found so far.
        environments: What `sgdlab.analysis.environments.environments` found so far.
        stopped_early: Rows of runs that their own rule stopped. Their last evaluation is their
            result, so they count as completed here; ``runs.csv`` has them as they are.
        own_traits: What the YAML of users' optimizers says of them, by ``_target_``.
    """

    columns: list[str]
    rows: list[Row]
    configs: list[dict[str, Cell]]
    evals: dict[int, Columns]
    problems: list[str]
    steps: dict[int, Columns] = field(default_factory=dict[int, Columns], repr=False)
    validations: dict[tuple[int, str, str], Columns | None] = field(
        default_factory=dict[tuple[int, str, str], Columns | None], repr=False
    )
    environments: dict[int, dict[str, Any]] = field(
        default_factory=dict[int, dict[str, Any]], repr=False
    )
    own_traits: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)
    stopped_early: set[int] = field(default_factory=set[int], repr=False)

    @cached_property
    def setting_columns(self) -> list[str]:
        """Columns after `SUMMARY_COLUMNS` that are settings."""
        known = {*SUMMARY_COLUMNS, *LABEL_COLUMNS, "directory", OTHER_SETTINGS}
        return [c for c in self.columns if c not in known and not c.startswith(FINDINGS)]

    @cached_property
    def loss_names(self) -> list[str]:
        """What tells the loss of each run from those of others; see `sgdlab.analysis.losses`."""
        return loss_names(self.configs, self.rows)

    @property
    def table(self) -> pd.DataFrame:
        """The rows as ``runs.csv`` has them."""
        early = self.stopped_early
        rows = [{**r, "status": STOPPED} if i in early else r for i, r in enumerate(self.rows)]
        return results.as_table(self.columns, rows)

    def read_steps(self, rows: Sequence[int]) -> Iterator[tuple[int, Columns | None]]:
        """Yield each of some rows with `DRAWN` of its ``steps.csv``; None when it is unreadable."""
        yield from ((row, self.steps[row]) for row in rows if row in self.steps)
        others = [row for row in rows if row not in self.steps]
        directories = [self.rows[row]["directory"] for row in others]
        partial = [not _ended(self.rows[row]) for row in others]
        for position, found in results.read_every_steps(directories, partial):
            yield others[position], None if isinstance(found, InputError) else found


def load(roots: Sequence[Path]) -> Runs:
    """Read every run at or below ``roots``.

    A run with a damaged file is ``failed``, and its reason names file and line.

    Raises:
        InputError: A root is missing or holds no run.
    """
    columns, rows, problems = results.collect_rows(_places(roots))
    directories = [str(row["directory"]) for row in rows]
    configs = Configs()
    settings = [configs.settings(*pair) for pair in zip(directories, rows, strict=True)]
    runs = Runs(columns, [_without_nan(row) for row in rows], settings, {}, problems)
    runs.own_traits.update(configs.own_traits)
    damage = [bad_cells(*pair) for pair in zip(runs.rows, directories, strict=True)]
    for row, lines in _read_tables(runs, directories).items():
        damage[row] += lines
    for row, run in enumerate(runs.rows):
        if row in configs.problems:
            problems.append(configs.problems[row])
        if run["optimizer"] is None:
            _fill_from_config(run, configs.read(directories[row]))
        if run["status"] == STOPPED and results.has_result(STOPPED, run["reason"]):
            runs.stopped_early.add(row)
            run["status"] = COMPLETED
        if damage[row]:
            runs.stopped_early.discard(row)
            problems += damage[row]
            run |= {"status": FAILED, "reason": damage[row][0]}
    problems[:] = dict.fromkeys(problems)
    return runs


def _without_nan(row: Mapping[str, Cell]) -> Row:
    return {column: None if cell != cell else cell for column, cell in row.items()}


def _ended(run: Row) -> bool:
    return run["status"] in ENDED


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
        if not results.has_run(root):
            raise InputError(f"{root}: no run in it; {right}")
        whole = root.resolve()
        inside = whole.is_relative_to(here)
        places[whole] = Path(os.path.relpath(whole, here)) if inside else whole
    return list(places.values())


def _read_tables(runs: Runs, directories: Sequence[str]) -> dict[int, list[str]]:
    """Read both tables of every run, keep the evaluations, and return the damage by row."""
    damage: dict[int, list[str]] = {}
    last = [0] * len(directories)
    kept = 0
    for name, read in (("steps", results.read_every_steps), ("evals", results.read_every_evals)):
        there = [
            row
            for row, run in enumerate(runs.rows)
            if _ended(run) or is_there(os.path.join(directories[row], f"{name}.csv"))
        ]
        partial = [not _ended(runs.rows[row]) for row in there]
        for position, content in read([directories[row] for row in there], partial):
            row = there[position]
            if isinstance(content, InputError):
                damage.setdefault(row, []).append(str(content))
                continue
            if runs.rows[row]["steps"] is None and not np.isnan(content["step"]).all():
                last[row] = max(last[row], int(np.nanmax(content["step"])))
            if name == "evals":
                runs.evals[row] = content
            elif (kept := kept + len(content["step"])) <= KEPT:
                runs.steps[row] = {column: content[column] for column in DRAWN}
    for row, run in enumerate(runs.rows):
        if run["steps"] is None:
            run["steps"] = last[row]
    return damage


def _fill_from_config(run: Row, config: Mapping[str, Any]) -> None:
    """Say of a run without a readable summary what its config knows."""
    known: dict[str, Any] = {"base_lr": config.get("lr")}
    for group in ("optimizer", "model", "dataset", "schedule", "scaling"):
        known[group] = _name(config, group)
    labels = "study", "phase", "trial", *LABEL_COLUMNS
    for key in (*labels, "seed", "batch_size", "accumulate", "epochs"):
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
