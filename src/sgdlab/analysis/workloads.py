"""Sorts runs into workloads (a data set, a model and a metric), which are never pooled."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from sgdlab.analysis import words
from sgdlab.analysis.load import Runs
from sgdlab.results import Cell

PROPORTIONS = ("accuracy", "top5", "macro_f1", "auroc")
"""Metrics between 0 and 1: no interval of theirs goes beyond."""


@dataclass(frozen=True)
class Logged:
    """What is known of runs of others, besides their values.

    Attributes:
        group: The column that says what is compared, as a noun: ``optimizer``.
        unit: The column whose equal values are pairs; empty: runs are independent.
        command: The command that reads them.
    """

    group: str
    unit: str
    command: str = ""


@dataclass(frozen=True)
class WorkloadRuns:
    """A workload: what optimizers are compared on, and its runs.

    Attributes:
        dataset: The name of the data, with what tells variants of the same name apart.
        model: The name of the model, likewise.
        metric: The name of the metric, such as ``accuracy``.
        maximise: Whether more of it is better.
        rows: The rows of its runs in `Runs.table`.
        by: The settings whose values are compared; empty: optimizers, or contenders of a study.
        held: The settings that are the same for these runs and not for others: ``batch_size=32``.
        labels: What each run is of, by row, where settings are compared.
        factors: What a comparison declared to compare, where that is more than one thing.
        pooled: Settings that vary besides, for which the best is shown.
        logged: How logs of others were read; None for runs of sgdlab.
        baseline: The contender that all others are compared with; empty: every pair is.
        attempts: Of how many attempts each contender is said to be the best.
        point: Where on the axes of a comparison it is, by their keys; empty: it has none.
        ingredients: What an ablation leaves out of its recipe; empty: it is none.
    """

    dataset: str
    model: str
    metric: str
    maximise: bool
    rows: list[int]
    by: tuple[str, ...] = ()
    held: str = ""
    labels: Mapping[int, str] = field(default_factory=dict[int, str], repr=False)
    factors: tuple[str, ...] = ()
    pooled: tuple[str, ...] = ()
    logged: Logged | None = None
    baseline: str = ""
    attempts: int = 1
    point: Mapping[str, Cell] = field(default_factory=dict[str, Cell])
    ingredients: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """``dataset/model``, as sentences call it, and the settings that are held."""
        whole = "/".join(filter(None, (self.dataset, self.model))) or "all runs"
        return f"{whole} with {self.held}" if self.held else whole

    @property
    def noun(self) -> str:
        """What is compared: an ``optimizer``, a ``variant`` of a recipe, or a ``setting``."""
        if self.ingredients:
            return "variant"
        return self.logged.group if self.logged else "setting" if self.by else "optimizer"

    @property
    def bounds(self) -> tuple[float, float]:
        """The least and the largest value that the metric can have."""
        return (0.0, 1.0) if self.metric in PROPORTIONS else (-math.inf, math.inf)

    @property
    def columns(self) -> dict[str, str]:
        """The columns of every table that say what was compared on."""
        by = ",".join(self.by) or "optimizer"
        return {"dataset": self.dataset, "model": self.model, "held": self.held, "by": by}

    def label(self, runs: Runs, row: int) -> str:
        """Return what a run is of: its contender, or its values of the settings compared."""
        return self.labels[row] if self.by else contender(runs, row)


def workloads(
    runs: Runs, by: Sequence[str] = (), only: Sequence[int] | None = None
) -> list[WorkloadRuns]:
    """Return the workloads by name; runs whose files do not say what they are belong to none.

    Runs on other data (`dataset.*`, `split.*`), with another number of parameters or another
    metric are other workloads. A run that did not end joins the only one that it can belong to.

    Settings of data or model that are compared (``by``) tell no workloads apart; ``only`` some
    rows are looked at.
    """
    named: dict[tuple[str, str], list[int]] = {}
    for row in range(len(runs.rows)) if only is None else only:
        run = runs.rows[row]
        dataset, model = run["dataset"], run["model"]
        if not (missing(dataset) or missing(model) or missing(run["optimizer"])):
            key = ("" if "dataset" in by else str(dataset), "" if "model" in by else str(model))
            named.setdefault(key, []).append(row)
    found: list[WorkloadRuns] = []
    for (dataset, model), rows in sorted(named.items()):
        parts = _variants(runs, rows, by)
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


def _variants(runs: Runs, rows: list[int], by: Sequence[str]) -> list[tuple[_Key, list[int]]]:
    """Split runs of the same names by data, number of parameters and metric."""
    data: dict[int, _Data] = {}
    keys = {row: _key(runs, row, data, by) for row in rows}
    whole = {key for key in keys.values() if key[1] is not None and key[2]}
    parts: dict[_Key, list[int]] = {key: [] for key in whole}
    for row, key in keys.items():
        fits = [key] if key in parts else [other for other in whole if _fits(key, other)]
        if not whole:
            parts.setdefault((key[0], None, key[2]), []).append(row)
        elif len(fits) == 1:
            parts[fits[0]].append(row)
    return sorted(parts.items(), key=lambda part: repr(part[0]))


def _key(runs: Runs, row: int, known: dict[int, _Data], by: Sequence[str]) -> _Key:
    """Return what tells variants apart; ``known`` keeps the settings of data per config."""
    config = runs.configs[row]
    if id(config) not in known:
        ours = [(k, v) for k, v in config.items() if k.startswith(("dataset.", "split."))]
        ours = [(k, v) for k, v in ours if not is_of(k, by)]
        known[id(config)] = tuple(sorted(ours))
    size, metric = runs.rows[row]["num_parameters"], runs.rows[row]["metric"]
    if any(key.partition(".")[0] in ("model", "dataset") for key in by):
        size = 0  # of any size
    return known[id(config)], None if missing(size) else int(size), text(metric)


def is_of(key: str, keys: Iterable[str]) -> bool:
    """Whether a setting is one of some, or belongs to one of them that is a group."""
    return any(key == name or key.startswith(f"{name}.") for name in keys)


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
        if len(values) > 1 and len({repr(plain_value(cell)) for _, cell in values}) > 1:
            found.append(key)
    return found


Fingerprint = frozenset[tuple[str, str]]


def fingerprint(variant: dict[str, Cell]) -> Fingerprint:
    """Return what is equal for two variants where `varying` finds nothing between them."""
    return frozenset(
        [_told(key, type(cell), cell) for key, cell in variant.items() if cell is not None]
    )


@lru_cache(maxsize=2**16)  # thousands of runs share most of their settings
def _told(key: str, kind: type, cell: Cell) -> tuple[str, str]:
    """Return a setting as text; ``kind`` keeps 1 and True apart."""
    return key, repr(plain_value(cell))


def plain_value(value: Cell) -> Cell:
    """Return a value so that 1 and 1.0, which are the same setting, are equal, and True is not."""
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _maximise(runs: Runs, rows: list[int]) -> bool:
    directions = [text(runs.rows[row]["metric_direction"]) for row in rows]
    return "min" not in directions


def contender(runs: Runs, row: int) -> str:
    """Return what a run is of: its column ``contender``, else its optimizer.

    Where runs minimised different losses, the loss belongs to it: settings of one contender are
    ranked by their loss.
    """
    run = runs.rows[row]
    if name := text(run["contender"]):
        return name
    return " ".join(filter(None, (text(run["optimizer"]), runs.loss_names[row])))


def missing(cell: object) -> bool:
    """Whether a cell is empty."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def text(cell: object) -> str:
    """Return a cell as text; an empty one is empty."""
    return "" if missing(cell) else str(cell)
