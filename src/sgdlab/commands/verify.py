"""``sgdlab verify``: what theory predicts against what the optimizers and the trainer do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig
from rich.console import Console
from rich.table import Table

from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.errors import InputError, suggest
from sgdlab.results import Cell, write_table
from sgdlab.terminal.display import number
from sgdlab.verify.catalogue import chosen, families, rows
from sgdlab.verify.runner import VerifyResult, run_all

MODES = "modes"
COLUMNS = (
    "row", "family", "experiment", "kind", "predicted", "measured", "error", "tolerance",
    "status", "seconds",
)  # fmt: skip
_SIGN = {"at_most": "≤ ", "at_least": "≥ "}


@dataclass
class VerifyConfig:
    """Keys of ``conf/verify.yaml``, where their meaning stands."""

    families: list[str] = MISSING
    rows: list[str] = MISSING
    plots: bool = MISSING
    processes: int = MISSING


ConfigStore.instance().store(name="verify_schema", node=VerifyConfig)


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    run_app(app, "verify", arguments)
    return 0


def preflight(composed: DictConfig) -> None:
    """Refuse unknown rows and families.

    Raises:
        InputError: Names the nearest.
    """
    known = {"hydra", *VerifyConfig.__dataclass_fields__}
    for key in map(str, composed):
        if key not in known:
            raise InputError(f"{key}: no such key; {suggest(key, known - {'hydra'})}")
    for family in composed.families:
        if family not in (*families(), MODES):
            raise InputError(f"families={family}: {suggest(family, [*families(), MODES])}")
    for row in composed.rows:
        if row not in rows():
            raise InputError(f"rows={row}: must be {_range(rows())}")
    if composed.processes < 1:
        raise InputError(f"processes={composed.processes}: must be a whole number from 1")
    if not chosen(composed.families, composed.rows) and MODES not in composed.families:
        wanted = f"families={list(composed.families)} and rows={list(composed.rows)}"
        raise InputError(f"{wanted} have no experiment in common; leave one of them out")


def _range(known: Sequence[str]) -> str:
    numbers = [row for row in known if row.isdigit()]
    names = [row for row in known if not row.isdigit()]
    return ", ".join([f"a number from {numbers[0]} to {numbers[-1]}", *names])


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="verify")
def app(composed: DictConfig) -> Any:
    """Run the experiments, print a line per check, and write ``verify.csv`` and the figures.

    Raises:
        SystemExit: With code 1 when a row does not hold.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    GlobalHydra.instance().clear()  # the experiments compose configs of their own
    began = time.perf_counter()
    # Piped, a line is as long as a terminal is wide.
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=100)
    results: list[VerifyResult] = []
    places = chosen(composed.families, composed.rows)
    if places:
        _print_line(console, "row", "experiment", "predicted", "measured", "error", "allowed", "")
    for result in run_all(places, composed.processes):
        if composed.rows and result.row not in composed.rows:
            continue  # an experiment may have more rows than were asked for
        results.append(result)
        _print_result(console, result)
    if results:
        write_table(folder / "verify.csv", COLUMNS, [_cells(result) for result in results])
        if composed.plots:
            _draw(folder, results)
    if MODES in composed.families or not (composed.families or composed.rows):
        _modes(console, folder)
    if results:
        console.print(_verdict(results, time.perf_counter() - began))
    console.print(f"files: {folder}", markup=False, soft_wrap=True)
    if not all(result.check.passed for result in results):
        raise SystemExit(1)


def _print_line(console: Console, *cells: str, style: str = "bold") -> None:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0), expand=True)
    for width in (8, None, 12, 11, 8, 8, 6):
        table.add_column(width=width, no_wrap=width is not None, ratio=None if width else 1)
    table.add_row(*cells, style=style)
    console.print(table)


def _print_result(console: Console, result: VerifyResult) -> None:
    check = result.check
    sign = _SIGN.get(check.kind, "")
    status = "[green]ok[/]" if check.passed else "[bold red]FAILED[/]"
    _print_line(
        console, result.row, check.experiment.replace("[", "\\["),
        f"{sign}{check.predicted:.5g}", f"{check.measured:.5g}", f"{check.error:.1e}",
        f"{check.tolerance:.1e}", status, style="",
    )  # fmt: skip


def _verdict(results: Sequence[VerifyResult], seconds: float) -> str:
    found = {result.row for result in results}
    named = sum(not row.isdigit() for row in found)
    counts = [(len(found) - named, "row"), (named, "problem")]
    parts = " and ".join(_count(count, word) for count, word in counts if count)
    size = f"{parts}, {_count(len(results), 'check')}"
    off = [result for result in results if not result.check.passed]
    if not off:
        return f"[bold green]{size}: all hold ({seconds:.0f} s)[/]"
    bad = ", ".join(dict.fromkeys(result.row for result in off))
    return f"[bold red]{size}: {len(off)} FAILED, in {bad} ({seconds:.0f} s)[/]"


def _count(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _cells(result: VerifyResult) -> list[Cell]:
    check = result.check
    status = "ok" if check.passed else "failed"
    return [
        result.row, check.family, check.experiment, check.kind, float(check.predicted),
        float(check.measured), float(check.error), float(check.tolerance), status, result.seconds,
    ]  # fmt: skip


def _draw(folder: Path, results: Sequence[VerifyResult]) -> None:
    from sgdlab.verify.plots import draw  # matplotlib takes a second

    for family in dict.fromkeys(result.check.family for result in results):
        curves = [c for r in results if r.check.family == family for c in r.check.curves]
        draw(folder / f"{family}.svg", family, curves)


def _modes(console: Console, folder: Path) -> None:
    from sgdlab.verify import modes

    measured = modes.table()
    lines = [[row[column] for column in modes.COLUMNS] for row in measured]
    write_table(folder / "modes.csv", modes.COLUMNS, lines)
    share = f"{100 * modes.TARGET:g} %"
    table = Table(box=None, pad_edge=False, title_justify="left", title_style="bold")
    table.title = f"\nLogistic regression until the gap has fallen to {share}"
    table.add_column("mode")
    for heading in ("batch", "lr", "gradient variance", "ms/step", "steps", "examples", "seconds"):
        table.add_column(heading, justify="right")
    for row in measured:
        cost = row["seconds_per_step"]
        assert isinstance(cost, float)
        cells = [row["lr"], row["gradient_variance"], 1000 * cost]
        table.add_row(
            str(row["mode"]), number(row["batch_size"]), *(number(cell, 3) for cell in cells),
            number(row["steps"]), number(row["examples"]), number(row["seconds"], 3),
        )  # fmt: skip
    console.print(table)
    console.print()
