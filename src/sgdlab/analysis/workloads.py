"""Sorts runs into workloads (a data set, a model and a metric), which are never pooled."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from sgdlab.analysis import words
from sgdlab.analysis.load import Runs
from sgdlab.results import Cell


@dataclass(frozen=True)
class WorkloadRuns:
    """A workload: what optimizers are compared on, and its runs.

    Attributes:
        dataset: The name of the data, with what tells variants of the same name apart.
        model: The name of the model, likewise.
        metric: The name of the metric, such as ``accuracy``.
        maximise: Whether more of it is better.
        rows: The rows of its runs in `Runs.table`.
    """

    dataset: str
    model: str
    metric: str
    maximise: bool
    rows: list[int]

    @property
    def name(self) -> str:
        """``dataset/model``, as sentences call it."""
        return f"{self.dataset}/{self.model}"

    @property
    def columns(self) -> dict[str, str]:
        """The columns of every table that say what was compared on."""
        return {"dataset": self.dataset, "model": self.model}


def workloads(runs: Runs) -> list[WorkloadRuns]:
    """Return the workloads by name; runs whose files do not say what they are belong to none.

    Runs on other data (`dataset.*`, `split.*`), with another number of parameters or another
    metric are other workloads. A run that did not end joins the only one that it can belong to.
    """
    named: dict[tuple[str, str], list[int]] = {}
    for row, run in enumerate(runs.rows):
        dataset, model = run["dataset"], run["model"]
        if not (missing(dataset) or missing(model) or missing(run["optimizer"])):
            named.setdefault((str(dataset), str(model)), []).append(row)
    found: list[WorkloadRuns] = []
    for (dataset, model), rows in sorted(named.items()):
        parts = _variants(runs, rows)
        keys = [key for key, _ in parts]
        for (data, size, metric), members in parts:
            extra = _what_varies(dict(data), [dict(key[0]) for key in keys])
            sizes = {key[1] for key in keys if key[1] is not None}
            found.append(
                WorkloadRuns(
                    dataset=f"{dataset} ({extra})" if extra else dataset,
                    model=f"{model} ({size:,} parameters)" if size and len(sizes) > 1 else model,
                    metric=metric,
                    maximise=_maximise(runs, members),
                    rows=sorted(members),
                )
            )
    return found


_Data = tuple[tuple[str, Cell], ...]
_Key = tuple[_Data, int | None, str]


def _variants(runs: Runs, rows: list[int]) -> list[tuple[_Key, list[int]]]:
    """Split runs of the same names by data, number of parameters and metric."""
    data: dict[int, _Data] = {}
    keys = {row: _key(runs, row, data) for row in rows}
    whole = {key for key in keys.values() if key[1] is not None and key[2]}
    parts: dict[_Key, list[int]] = {key: [] for key in whole}
    for row, key in keys.items():
        fits = [key] if key in parts else [other for other in whole if _fits(key, other)]
        if not whole:
            parts.setdefault((key[0], None, key[2]), []).append(row)
        elif len(fits) == 1:
            parts[fits[0]].append(row)
    return sorted(parts.items(), key=lambda part: repr(part[0]))


def _key(runs: Runs, row: int, known: dict[int, _Data]) -> _Key:
    """Return what tells variants apart; ``known`` keeps the settings of data per config."""
    config = runs.configs[row]
    if id(config) not in known:
        ours = [(k, v) for k, v in config.items() if k.startswith(("dataset.", "split."))]
        known[id(config)] = tuple(sorted(ours))
    size, metric = runs.rows[row]["num_parameters"], runs.rows[row]["metric"]
    return known[id(config)], None if missing(size) else int(size), text(metric)


def _fits(key: _Key, other: _Key) -> bool:
    """Whether a run about which less is known can belong to a variant."""
    return (
        (not key[0] or key[0] == other[0])
        and key[1] in (None, other[1])
        and key[2] in ("", other[2])
    )


def _what_varies(data: dict[str, Cell], variants: list[dict[str, Cell]]) -> str:
    different = varying(variants)
    return " ".join(
        f"{key.removeprefix('dataset.')}={words.setting(data.get(key))}" for key in different
    )


def varying(variants: Iterable[dict[str, Cell]]) -> list[str]:
    """Return the keys that do not have the same value in all ``variants``, sorted."""
    variants = list(variants)
    keys = sorted({key for variant in variants for key in variant})
    found: list[str] = []
    for key in keys:
        values = {(type(cell := variant.get(key)), cell) for variant in variants}
        if len(values) > 1 and len({repr(_plain(cell)) for _, cell in values}) > 1:
            found.append(key)
    return found


Fingerprint = frozenset[tuple[str, str]]


def fingerprint(variant: dict[str, Cell]) -> Fingerprint:
    """Return what is equal for two variants where `varying` finds nothing between them."""
    cells = variant.items()
    return frozenset((key, repr(_plain(cell))) for key, cell in cells if cell is not None)


def _plain(value: Cell) -> Cell:
    """1 and 1.0 are the same setting."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _maximise(runs: Runs, rows: list[int]) -> bool:
    directions = [text(runs.rows[row]["metric_direction"]) for row in rows]
    return "min" not in directions


def contender(runs: Runs, row: int) -> str:
    """Return what a run is of: its column ``contender``, else its optimizer."""
    run = runs.rows[row]
    return text(run["contender"]) or text(run["optimizer"])


def missing(cell: object) -> bool:
    """Whether a cell is empty."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def text(cell: object) -> str:
    """Return a cell as text; an empty one is empty."""
    return "" if missing(cell) else str(cell)
