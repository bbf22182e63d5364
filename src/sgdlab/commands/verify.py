"""``sgdlab verify``: what theory predicts against what the optimizers and the trainer do."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import MISSING, DictConfig

from sgdlab.checks import require_one_of
from sgdlab.config import gate
from sgdlab.config.app import run_app
from sgdlab.config.catalogue import conf_dir
from sgdlab.errors import InputError, suggest
from sgdlab.results.lock import LOCKS, held
from sgdlab.terminal.notices import warn
from sgdlab.verify import files, show
from sgdlab.verify.catalogue import chosen, families, rows
from sgdlab.verify.runner import VerifyResult, run_all

MODES = "modes"
"""Name of the family that measures batch, mini-batch and pure SGD, and proves no row."""


@dataclass
class VerifyConfig:
    """Keys of ``conf/verify.yaml``, where their meaning stands."""

    families: list[str] = MISSING
    rows: list[str] = MISSING
    plots: bool = MISSING
    processes: int = MISSING
    lock: str = MISSING


ConfigStore.instance().store(name="verify_schema", node=VerifyConfig)


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    run_app(app, "verify", arguments)
    return 0


def preflight(composed: DictConfig) -> None:
    """Refuse unknown rows and families, and a folder with files of others.

    Raises:
        InputError: Names the nearest, or the file.
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
    require_one_of("lock", composed.lock, LOCKS)
    if not chosen(composed.families, composed.rows) and MODES not in composed.families:
        wanted = f"families={list(composed.families)} and rows={list(composed.rows)}"
        raise InputError(f"{wanted} have no experiment in common; leave one of them out")
    files.refuse_others(Path(composed.hydra.run.dir), families() if composed.plots else ())


def _range(known: Sequence[str]) -> str:
    numbers = [row for row in known if row.isdigit()]
    names = [row for row in known if not row.isdigit()]
    return ", ".join([f"a number from {numbers[0]} to {numbers[-1]}", *names])


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="verify")
def app(composed: DictConfig) -> None:
    """Run the experiments, print a line per check, and write ``verify.csv`` and the figures.

    Raises:
        SystemExit: With code 1 when a row does not hold.
    """
    with gate.carried():
        _verify(composed)


def _verify(composed: DictConfig) -> None:
    folder = Path(HydraConfig.get().runtime.output_dir)
    GlobalHydra.instance().clear()  # the experiments compose configs of their own
    began = time.perf_counter()
    console = show.console()
    with held(folder, composed.lock, warn):
        results = _results(composed, console)
        if results:
            files.write_checks(folder, results, plots=composed.plots)
        if MODES in composed.families or not (composed.families or composed.rows):
            show.print_modes(console, files.write_modes(folder))
    if results:
        console.print(show.verdict(results, time.perf_counter() - began))
    console.print(f"files: {folder}", markup=False, soft_wrap=True)
    if not all(result.check.passed for result in results):
        raise SystemExit(1)


def _results(composed: DictConfig, console: show.Console) -> list[VerifyResult]:
    """Run the chosen experiments and print each check as it is made."""
    places = chosen(composed.families, composed.rows)
    if places:
        show.print_heading(console)
    results: list[VerifyResult] = []
    for result in run_all(places, composed.processes):
        # An experiment may have more rows than were asked for.
        if not composed.rows or result.row in composed.rows:
            results.append(result)
            show.print_result(console, result)
    return results
