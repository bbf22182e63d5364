"""Results for a person: tables on stdout, so that they can be piped."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sgdlab.checks import is_number
from sgdlab.results import COMPLETED, DIVERGED, FAILED, STOPPED, Cell

STATUS_STYLE = {COMPLETED: "green", DIVERGED: "yellow", STOPPED: "cyan", FAILED: "red"}


def stdout() -> Console:
    """Return a console on standard output, wide enough elsewhere than on a terminal."""
    return Console() if sys.stdout.isatty() else Console(width=160)


def number(value: Cell, digits: int = 4) -> str:
    """Return a value for a person: ``digits`` significant digits; a dash for what is not there."""
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.{digits}g}"
    return str(value)


def metric_text(name: str | None, value: Cell) -> str:
    """Return a metric for a person: accuracy in percent, others with four digits."""
    if name == "accuracy" and isinstance(value, float):
        return f"{100 * value:.2f} %"
    return number(value)


def shown(path: Path) -> str:
    """Return a path as it is typed: from the working directory, where it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def print_summary(summary: Mapping[str, Cell], directory: str) -> None:
    """Print the table that closes a single run."""
    status = str(summary["status"])
    table = Table(show_header=False, box=None, pad_edge=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column()
    metric = str(summary["metric"] or "metric")
    reason = f": {summary['reason']}" if summary["reason"] else ""
    rows: list[tuple[str, str]] = [
        ("status", f"[{STATUS_STYLE.get(status, '')}]{status}[/]{_plain(reason)}"),
        ("run", f"{summary['dataset']} / {summary['model']} / {summary['optimizer']}"),
        ("lr", _lr(summary)),
        ("effective batch size", number(summary["effective_batch_size"])),
        ("steps, epochs", f"{summary['steps']}, {summary['epochs']}"),
        ("parameters", _parameters(summary)),
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
    rows.append(("training time", _time(summary)))
    rows.append(("files", _plain(directory)))
    for row in rows:
        table.add_row(*row)
    stdout().print(table)


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
    return "–" if total is None else f"{total} ({decayed} with weight decay)"


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
        return "–"
    step = f" at step {summary['best_val_step']}" if kind == "metric" else ""
    return f"{metric_text(name, final)} (best {metric_text(name, best)}{step})"


def _time(summary: Mapping[str, Cell]) -> str:
    rate = summary["examples_per_second"]
    examples = f", {rate:,.0f} examples/s" if isinstance(rate, float) else ""
    return f"{number(summary['train_seconds'], 3)} s{examples}"


def _plain(text: str) -> str:
    return text.replace("[", "\\[")


def print_ranking(
    rows: Sequence[Mapping[str, Cell]], varied: Sequence[str], limit: int = 20
) -> None:
    """Print finished runs of a sweep, best final validation loss first, then the others.

    Args:
        rows: Summaries.
        varied: Columns that tell the runs apart.
        limit: Rows to print; a last line says how many there are.
    """

    def rank(row: Mapping[str, Cell]) -> tuple[bool, float]:
        loss = row.get("final_val_loss")
        return (False, float(loss)) if is_number(loss) else (True, 0.0)

    ranked = sorted(rows, key=rank)
    averaged = any("average.final_val_loss" in row for row in rows)
    metrics = sorted({str(row["metric"]) for row in rows if row.get("metric")})
    table = Table(box=None, pad_edge=False)
    headings = ["lr" if column == "base_lr" else column for column in varied]
    for heading in (
        "#",
        *headings,
        "val loss",
        *(["average's val loss"] if averaged else []),
        *(f"val {m}" for m in metrics),
        "seconds",
        "status",
    ):
        table.add_column(heading, justify="left" if heading in (*headings, "status") else "right")
    for place, row in enumerate(ranked[:limit], start=1):
        status = str(row["status"])
        reason = f" ({_plain(str(row['reason']))})" if row.get("reason") else ""
        table.add_row(
            str(place),
            *(_plain(number(row.get(column))) for column in varied),
            number(row.get("final_val_loss")),
            *([number(row.get("average.final_val_loss"))] if averaged else []),
            *(
                metric_text(m, row.get("final_val_metric")) if row.get("metric") == m else "–"
                for m in metrics
            ),
            number(row.get("train_seconds"), 3),
            f"[{STATUS_STYLE.get(status, '')}]{status}[/]{reason}",
        )
    console = stdout()
    console.print(table)
    if len(ranked) > limit:
        console.print(f"… and {len(ranked) - limit} more, all in runs.csv")
