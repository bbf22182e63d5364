"""Writes the files of a run, a study and a sweep."""

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import yaml

from sgdlab.errors import writing
from sgdlab.results.config_text import config_text
from sgdlab.results.contract import (
    SUMMARY_COLUMNS,
    Cell,
    after_summary,
    as_cell,
)
from sgdlab.results.manifest import MANIFEST, FileSum, manifest_text
from sgdlab.results.parts import open_part

RUNS, RUNS_BEGIN = "runs.csv", b"directory,run_id,"
"""The table of all runs of a study or a report, and how it begins."""

CONFIG, ENVIRONMENT = "config.yaml", "environment.json"
"""What repeats a run or a comparison, and what a run ran on."""


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Write the resolved config; it opens with the defaults that restore Hydra's settings."""
    head = {"defaults": ["train_schema", "app", "_self_"]}
    atomic_write(directory / CONFIG, config_text({**head, **config}), durable=False)


def study_config_text(config: Mapping[str, Any], chosen: Mapping[str, str]) -> str:
    """Return ``config.yaml`` of a comparison, which repeats it.

    Args:
        config: The config.
        chosen: The member of each group that its runs choose for themselves.
    """
    none: list[str] = []
    head = [
        "compare_schema",
        "compare_app",
        {"logger": none},
        *({g: m} for g, m in chosen.items()),
        "_self_",
    ]
    return config_text({"defaults": head, **config})


def study_text(protocol: Mapping[str, Any]) -> str:
    """Return ``study.yaml`` of a comparison: protocol, search bounds and budget."""
    return yaml.safe_dump(dict(protocol), sort_keys=False, allow_unicode=True)


def write_environment(directory: Path, environment: Mapping[str, Any]) -> None:
    """Write ``environment.json``."""
    content = json.dumps(environment, indent=2) + "\n"
    atomic_write(directory / ENVIRONMENT, content, durable=False)


def write_error(directory: Path, traceback: str) -> None:
    """Write the traceback of a failed run to ``error.txt``."""
    atomic_write(directory / "error.txt", traceback)


def write_summary(
    directory: Path, summary: Mapping[str, Cell], known: Mapping[str, FileSum] | None = None
) -> None:
    """Write ``summary.csv`` atomically: columns of the contract first, then the settings.

    Args:
        directory: The run directory.
        summary: The cells.
        known: Sums of the run's tables, for ``manifest.json``, which is written before: one that
            is older than the summary would call it damaged. None writes no manifest.
    """
    extra = sorted(set(summary) - set(SUMMARY_COLUMNS), key=after_summary)
    columns = (*SUMMARY_COLUMNS, *extra)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerow([as_cell(summary.get(column)) for column in columns])
    content = out.getvalue()
    if known is not None:
        (directory / "summary.csv").unlink(missing_ok=True)
        listed = manifest_text(directory, known, content.encode())
        atomic_write(directory / MANIFEST, listed, durable=False)
    atomic_write(directory / "summary.csv", content)


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Write a table of plain cells atomically."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([as_cell(cell) for cell in row] for row in rows)
    atomic_write(path, out.getvalue())


def atomic_write(path: Path, content: str, durable: bool = True) -> None:
    """Write ``content`` so that readers see either the old file or the whole new one.

    Args:
        path: The file; its folder is created when missing.
        content: All of it.
        durable: Wait until it is on disk. What a run opens with need not be there before the
            summary is: without one, a run starts again.

    Raises:
        UnwritableError: The machine refused; what was there is as it was.
    """

    def write(file: IO[bytes]) -> None:
        file.write(encoded(content))

    atomic_write_by(write, path, durable)


def encoded(content: str) -> bytes:
    """Return a text as the bytes of a file, in which half of a surrogate pair is its escape.

    A file name that is no UTF-8, or an odd message, does not cost the text that mentions it.
    """
    return content.encode(errors="backslashreplace")


def atomic_write_by(
    write: Callable[[IO[bytes]], object],
    path: Path,
    durable: bool = True,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Write a file as `atomic_write` does, by a function that writes to an open file.

    Args:
        write: Writes all of it.
        path: The file.
        durable: Wait until it is on disk.
        before: Called once all is written, before it takes the place of what was there.

    Raises:
        UnwritableError: The machine refused; what was there is as it was.
    """
    if path.exists() and not path.is_file():  # a device or a pipe stays what it is
        with writing(path), path.open("wb") as file:
            write(file)
        return
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open_part(path)
    with writing(path, Path(file.name)):
        with file:
            write(file)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        before()
        os.replace(file.name, path)


_WRITTEN_AS_THEY_ARE = {int, float, type(None)}
"""Types of which the csv module writes what `as_cell` returns."""


def runs_text(folder: Path, table: Mapping[str, Sequence[object]]) -> str:
    """Return collected runs as ``runs.csv``, directories relative to its folder if possible.

    Args:
        folder: The folder of the file.
        table: The cells of each column, in the order of the runs; NaN is an empty cell.
    """
    base = os.path.realpath(folder)
    inside = base if base.endswith(os.sep) else base + os.sep
    parents: dict[str, str] = {}
    columns: list[Sequence[object]] = []
    for column, cells in table.items():
        values = [None if value != value else value for value in cells]
        if column == "directory":
            values = [_below(str(value), inside, parents) for value in values]
        if not {type(value) for value in values} <= _WRITTEN_AS_THEY_ARE:
            values = [as_cell(value) for value in values]
        columns.append(values)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(map(as_cell, table))
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _below(directory: str, base: str, parents: dict[str, str]) -> str:
    """Return a folder relative to ``base``, which ends in a separator, where it lies in it.

    ``parents`` keeps what parents of folders really are: runs have few.
    """
    parent, name = os.path.split(directory)
    if parent not in parents:
        parents[parent] = os.path.realpath(parent)
    absolute = os.path.join(parents[parent], name)
    if name in ("", ".", "..") or os.path.islink(absolute):
        absolute = os.path.realpath(directory)
    if absolute.startswith(base):
        return Path(absolute[len(base) :]).as_posix()
    return "." if absolute + os.sep == base else directory
