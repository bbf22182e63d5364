"""Results for a person: tables on stdout, so that they can be piped."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, Cell
from sgdlab.terminal.console import console
from sgdlab.terminal.numbers import NOTHING, metric_text, number, setting
from sgdlab.visible import shell_path, shell_word, visible

_RANKED = 20
"""Runs that a ranking shows; a last line says how many more there are."""

_Column = tuple[str, Callable[[Mapping[str, Cell]], str]]
"""A heading, and the text of a run's cell."""

STATUS_STYLE = {COMPLETED: "green", DIVERGED: "yellow", STOPPED: "cyan", FAILED: "red"}


def stdout() -> Console:
    """Return a console on standard output, wide enough elsewhere than on a terminal."""
    return console()


def shown(path: Path) -> str:
    """Return a path as it is typed: from the working directory, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def typed(command: str, *arguments: str) -> str:
    """Return a command of sgdlab as it is typed into a POSIX shell, whatever its arguments are."""
    return " ".join(["sgdlab", shell_word(command), *map(shell_path, arguments)])


def print_summary(summary: Mapping[str, Cell], directory: str) -> None:
    """Print the table that closes a single run."""
    table = Table(show_header=False, box=None, pad_edge=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    for row in [*_settings(summary), *_outcome(summary), ("files", _plain(directory))]:
        table.add_row(*row)
    stdout().print(table)


def _settings(summary: Mapping[str, Cell]) -> list[tuple[str, str]]:
    status = str(summary["status"])
    reason = f": {summary['reason']}" if summary["reason"] else ""
    return [
        ("status", f"[{STATUS_STYLE.get(status, '')}]{_plain(status)}[/]{_plain(reason)}"),
        ("run", _plain(f"{summary['dataset']} / {summary['model']} / {summary['optimizer']}")),
        ("lr", _lr(summary)),
        ("effective batch size", number(summary["effective_batch_size"])),
        ("steps, epochs", f"{summary['steps']}, {summary['epochs']}"),
        ("parameters", _parameters(summary)),
    ]


def _outcome(summary: Mapping[str, Cell]) -> list[tuple[str, str]]:
    metric = str(summary["metric"] or "metric")
    rows = [
        ("train loss", number(summary["final_train_loss"])),
        ("val loss", _final_and_best(summary, "loss")),
        (f"val {metric}", _final_and_best(summary, "metric")),
    ]
    if summary["test_metric"] is not None:
        rows.append((f"test {metric}", metric_text(metric, summary["test_metric"])))
    rows.extend(_of_average(summary, metric))
    if summary["function_evaluations"] not in (summary["steps"], None):
        counts = f"{summary['function_evaluations']} of the loss"
        rows.append(("evaluations", f"{counts}, {summary['gradient_evaluations']} of gradients"))
    if "optimizer.switch_step" in summary:
        rows.append(("switch to SGD", _switch(summary)))
    return [*rows, ("training time", _time(summary))]


def _of_average(summary: Mapping[str, Cell], metric: str) -> list[tuple[str, str]]:
    """Return the lines of the averaged weights, for a run that keeps an average."""
    lines: list[tuple[str, str]] = []
    loss = summary.get("average.final_val_loss")
    if loss is not None:
        found = metric_text(metric, summary["average.final_val_metric"])
        lines.append(("average's val loss", f"{number(loss)}, {metric} {found}"))
    test = summary.get("average.test_metric")
    if test is not None:
        lines.append((f"average's test {metric}", metric_text(metric, test)))
    return lines


def _switch(summary: Mapping[str, Cell]) -> str:
    if summary["optimizer.switch_step"] is None:
        return "did not happen"
    lr = number(summary["optimizer.switch_lr"])
    return f"after step {summary['optimizer.switch_step']}, with lr {lr}"


def _parameters(summary: Mapping[str, Cell]) -> str:
    total, decayed = summary["num_parameters"], summary["num_decayed"]
    frozen = f", {summary['num_frozen']} frozen" if summary.get("num_frozen") else ""
    return NOTHING if total is None else f"{total} ({decayed} with weight decay{frozen})"


def _lr(summary: Mapping[str, Cell]) -> str:
    lr, base = summary["lr"], summary["base_lr"]
    scaled = (
        f" (lr {number(base)} under scaling={summary['scaling']})" if lr not in (base, None) else ""
    )
    return f"{number(lr if lr is not None else base)}{scaled}, schedule {summary['schedule']}"


def _final_and_best(summary: Mapping[str, Cell], kind: str) -> str:
    name = str(summary["metric"]) if kind == "metric" else None
    final, best = summary[f"final_val_{kind}"], summary[f"best_val_{kind}"]
    if best is None:
        return NOTHING
    step = f" at step {summary['best_val_step']}" if kind == "metric" else ""
    return f"{metric_text(name, final)} (best {metric_text(name, best)}{step})"


def _time(summary: Mapping[str, Cell]) -> str:
    rate = summary["examples_per_second"]
    examples = f", {rate:,.0f} examples/s" if isinstance(rate, float) else ""
    return f"{number(summary['train_seconds'], 3)} s{examples}"


def _plain(text: str) -> str:
    return visible(text).replace("[", "\\[")


def print_ranking(
    rows: Sequence[Mapping[str, Cell]],
    varied: Sequence[str],
    by: str = "final_val_loss",
    groups: Sequence[int] | None = None,
) -> None:
    """Print finished runs of a sweep, the best first, then those without a value.

    Args:
        rows: The summaries of the runs.
        varied: The columns that tell the runs apart.
        by: The column that ranks: a loss, of which less is better, or the metric.
        groups: Runs of different groups have no order among them; None: all are of one.
    """
    whole = list(zip(groups or [0] * len(rows), rows, strict=True))
    whole.sort(key=lambda pair: (pair[0], _rank(pair[1], by)))
    ranked = [row for _, row in whole]
    places: list[int] = []
    counted = Counter[int]()
    for group, _ in whole:
        counted[group] += 1
        places.append(counted[group])
    columns = [*map(_setting, varied), *_results(rows)]
    table = Table(box=None, pad_edge=False)
    table.add_column("#", justify="right")
    for heading, _ in columns:
        right = heading not in {*(name for name, _ in columns[: len(varied)]), "status"}
        # Folded, not cut: two settings that differ at their ends must not look alike.
        table.add_column(_plain(heading), justify="right" if right else "left", overflow="fold")
    for place, row in zip(places, ranked[:_RANKED], strict=False):
        table.add_row(str(place), *(shown(row) for _, shown in columns))
    out = stdout()
    out.print(table)
    if len(ranked) > _RANKED:
        out.print(f"… and {len(ranked) - _RANKED} more, all in runs.csv")


def _rank(row: Mapping[str, Cell], by: str) -> tuple[bool, float]:
    value = row.get(by)
    if not is_number(value):
        return True, 0.0
    more = by.endswith("metric") and row.get("metric_direction") == "max"
    return False, -float(value) if more else float(value)


def _setting(name: str) -> _Column:
    def shown(row: Mapping[str, Cell]) -> str:
        value = row.get(name)
        return NOTHING if value is None else _plain(setting(value))

    return "lr" if name == "base_lr" else name, shown


def _results(rows: Sequence[Mapping[str, Cell]]) -> list[_Column]:
    averaged = any("average.final_val_loss" in row for row in rows)
    metrics = sorted({str(row["metric"]) for row in rows if row.get("metric")})
    return [
        ("val loss", lambda row: number(row.get("final_val_loss"))),
        *([("average's val loss", _average_loss)] if averaged else []),
        *map(_metric, metrics),
        ("seconds", lambda row: number(row.get("train_seconds"), 3)),
        ("status", _status),
    ]


def _average_loss(row: Mapping[str, Cell]) -> str:
    return number(row.get("average.final_val_loss"))


def _metric(name: str) -> _Column:
    def shown(row: Mapping[str, Cell]) -> str:
        own = row.get("metric") == name
        return metric_text(name, row.get("final_val_metric")) if own else NOTHING

    return f"val {name}", shown


def _status(row: Mapping[str, Cell]) -> str:
    status = str(row["status"])
    reason = f" ({_plain(str(row['reason']))})" if row.get("reason") else ""
    return f"[{STATUS_STYLE.get(status, '')}]{_plain(status)}[/]{reason}"
