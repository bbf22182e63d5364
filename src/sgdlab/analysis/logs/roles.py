# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false
"""Which column of a table is what: as asked, else by what such columns are called."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from sgdlab.analysis.logs.options import FILE, NAME, LogOptions
from sgdlab.analysis.logs.shape import ROW
from sgdlab.errors import InputError, suggest

GROUPS = ("optimizer", "optim", "opt", "method", "algorithm", "algo", "group", "variant", "recipe",
          "record", "contender", "config", "name")  # fmt: skip
UNITS = ("seed", "random_seed", "replicate", "rep", "fold", "pair")
RUNS = ("run", "run_id", "id", "trial", "uuid", "run_name")
WORKLOADS = ("workload", "task", "dataset", "problem", "benchmark", "experiment")
STEPS = ("step", "steps", "_step", "global_step", "iteration", "iter", "epoch")
SECONDS = ("train_seconds", "seconds", "train_time", "time", "elapsed", "wall_time", "_runtime",
           "relative_time", "train_time_ms", "time_ms")  # fmt: skip
EXAMPLES = ("examples", "samples", "tokens", "examples_seen", "tokens_seen")
STATUS = ("status", "state")
METRICS = ("test_metric", "test_accuracy", "test_acc", "test_loss", "val_accuracy", "val_acc",
           "val_loss", "valid_loss", "validation_loss", "eval_loss", "eval/loss", "val/loss",
           "test/loss", "accuracy", "acc", "metric", "score", "loss", "value")  # fmt: skip
"""Names that tell what a column is, the first that is there; case counts for nothing."""

_LESS = r"loss|err|error|perplexity|ppl|nll|bpb|rmse|mae|mse|time|seconds|ms|steps|latency|regret"
_MORE = r"acc|accuracy|auc|auroc|f1|bleu|rouge|reward|return|r2|precision|recall|top\d*|map|score"


@dataclass(frozen=True)
class Roles:
    """The columns of a table by what they are; empty where there is none.

    Attributes:
        group: What is compared.
        metric: The values.
        maximise: Whether more is better.
        unit: What pairs runs.
        runs: What tells runs of the same group apart besides.
        workload: What was compared on.
        step: What counts steps.
        seconds: What counts time; in milliseconds where its name says so.
        examples: What counts examples or tokens.
        status: How a run ended.
        said: What was inferred, a line each.
    """

    group: tuple[str, ...]
    metric: str
    maximise: bool
    unit: str = ""
    runs: tuple[str, ...] = ()
    workload: tuple[str, ...] = ()
    step: str = ""
    seconds: str = ""
    examples: str = ""
    status: str = ""
    said: tuple[str, ...] = ()


def roles(table: pd.DataFrame, options: LogOptions) -> Roles:
    """Return which column is what, of a long table.

    Raises:
        InputError: A column that was named is not there, or one that is needed cannot be told;
            names those that there are.
    """
    columns = [str(c) for c in table if c not in (NAME, FILE)]
    said: list[str] = []
    group = _asked(options.group, columns, "--group")
    group = group or _told(columns, GROUPS, "compared", said)
    if not group:
        raise InputError(f"--group: which column says what is compared? {_listed(columns)}")
    workload = _asked(options.workload, columns, "--workload")
    left = [c for c in columns if c not in group]
    workload = workload or _told(left, WORKLOADS, "workload", said)
    left = [c for c in left if c not in workload]
    step = _one(options.step, left, "--step") or _first(left, STEPS)
    unit = _one(options.unit, left, "--unit") or _first(left, UNITS)
    runs = tuple(c for c in left if c.lower() in RUNS and c != unit)
    seconds, examples, status = (_first(left, names) for names in (SECONDS, EXAMPLES, STATUS))
    metric = _one(options.metric, columns, "--metric")
    taken = {*group, *workload, step, unit, *runs, status, ROW}
    if not metric:
        left = [c for c in left if c not in taken]
        numeric = [c for c in left if c not in (seconds, examples) and _is_numeric(table[c])]
        metric = _first(left, METRICS) or (numeric[0] if len(numeric) == 1 else "")
        if not metric:
            raise InputError(f"--metric: which column has the values? {_listed(left)}")
        said.append(f"metric: {metric}")
    if not options.step and step:
        said.append(f"steps: {step}")
    maximise = _direction(metric, options.direction)
    if not options.direction:
        said.append(f"better: {'more' if maximise else 'less'} {metric}")
    seconds, examples = (clock if clock != metric else "" for clock in (seconds, examples))
    return Roles(
        group, metric, maximise, unit, runs, workload, step, seconds, examples, status, tuple(said)
    )


def _asked(names: Sequence[str], columns: Sequence[str], option: str) -> tuple[str, ...]:
    return tuple(_one(name, columns, option) for name in names)


def _one(name: str, columns: Sequence[str], option: str) -> str:
    if name and name not in columns:
        raise InputError(f"{option} {name}: no such column; {suggest(name, columns)}")
    return name


def _told(
    columns: Sequence[str], names: Iterable[str], what: str, said: list[str]
) -> tuple[str, ...]:
    found = _first(columns, names)
    if found:
        said.append(f"{what}: {found}")
    return (found,) if found else ()


def _first(columns: Sequence[str], names: Iterable[str]) -> str:
    """Return the column that is called by the first of some names; empty if there is none."""
    by_name = {column.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), "")


def group_of(columns: Sequence[str]) -> str:
    """Return the column that says what is compared, by its name; empty if none does."""
    return _first(columns, GROUPS)


def no_values(table: pd.DataFrame) -> list[str]:
    """Return the columns that a wide table has beside those of its groups."""
    others = {*UNITS, *RUNS, *WORKLOADS, *STEPS, *SECONDS, *EXAMPLES, *STATUS}
    return [
        str(c) for c in table
        if c in (NAME, FILE) or str(c).lower() in others or not _is_numeric(table[c])
    ]  # fmt: skip


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) or bool(
        pd.to_numeric(column.dropna(), errors="coerce").notna().all()
    )


def _direction(metric: str, asked: str) -> bool:
    if asked:
        return asked == "max"
    name = metric.lower()
    for pattern, maximise in ((_LESS, False), (_MORE, True)):
        if re.search(rf"(?:^|[^a-z])(?:{pattern})(?:$|[^a-z])", name):
            return maximise
    raise InputError(f"--direction: is less {metric} better, or more? Its name does not say")


def _listed(columns: Sequence[str]) -> str:
    shown = ", ".join(columns[:24])
    return f"columns: {shown}{', …' if len(columns) > 24 else ''}" if columns else "no column"
