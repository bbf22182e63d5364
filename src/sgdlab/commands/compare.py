"""``sgdlab compare``: tune every optimizer under one budget, re-run the winners, report."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import hydra
from hydra._internal.callbacks import Callbacks
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from sgdlab.commands.halve import check_halving, tune_by_halving
from sgdlab.commands.hydra_app import run_app
from sgdlab.commands.timing import time_winners
from sgdlab.commands.train import train
from sgdlab.commands.winners import winners_of
from sgdlab.config import COMPARE_ONLY, settle
from sgdlab.display import stdout
from sgdlab.errors import InputError, offer
from sgdlab.groups import conf_dir
from sgdlab.halving import SETTINGS, halving_of
from sgdlab.identity import study_name
from sgdlab.jobs import QuickLoader, launch, prepare
from sgdlab.notices import warn
from sgdlab.preflight import check
from sgdlab.results import FAILED, Cell, read_study, write_study
from sgdlab.search import Dimension, Value, draw, space_of
from sgdlab.study import candidates_of, first_difference, protocol

SELECT_BY = (
    "final_val_loss", "best_val_loss", "final_val_metric", "best_val_metric",
    "average.final_val_loss", "average.final_val_metric",
)  # fmt: skip
# What a comparison decides for its runs, so that setting it on the command line has no effect.
_DECIDED = ("optimizer", "lr", "optimizer.lr", "evaluate_test", "phase", "trial")


def main(arguments: list[str]) -> int:
    """Run the command on its part of the command line; return the exit code."""
    # Bounds are merged over those of search/NAME.yaml, so any of their keys may be given.
    run_app(app, "compare", [f"++{a}" if a.startswith("search.") else a for a in arguments])
    return 0


def preflight(composed: DictConfig) -> None:
    """Refuse a comparison before it has left any file.

    Raises:
        InputError: Names what is wrong; every optimizer is built once with its first trial.
    """
    overrides = list(composed.hydra.overrides.task)
    for override in overrides:
        key = override.partition("=")[0].lstrip("+~")
        if key in _DECIDED:
            right = {"optimizer": "optimizers=[…]", "lr": "search.NAME.lr.low and .high"}
            instead = right.get(key.rpartition(".")[2], "sgdlab train")
            raise InputError(f"{override}: a comparison decides {key} by itself; use {instead}")
    if composed.select_by not in SELECT_BY:
        text = str(composed.select_by)
        raise InputError(f"select_by={text}: {offer(text, SELECT_BY)}")
    average = composed.hydra.runtime.choices.average
    if composed.select_by.startswith("average.") and average == "none":
        raise InputError(f"select_by={composed.select_by}: no average is kept; average=ema")
    if average != "none":
        warn(
            f"average={average}: tables and tests compare the raw weights; those of the average "
            "stand in the columns average.* of runs.csv"
        )
    for key in ("trials", "seeds"):
        if composed[key] < 1:
            raise InputError(f"{key}={composed[key]}: must be a whole number from 1")
    names = list(composed.optimizers)
    if not names or len(set(names)) < len(names):
        raise InputError(f"optimizers={names}: name each optimizer once, at least one")
    loader = _loader(composed)
    known = loader.get_group_options("optimizer")
    for name in set(map(str, composed.search)) - {*names, *SETTINGS}:
        offered = offer(name, {*names, *SETTINGS})
        raise InputError(f"search.{name}: not one of the optimizers; {offered}")
    halving_of(composed.search)
    for name in names:
        if name in SETTINGS:
            raise InputError(f"optimizers={name}: search.{name} is a setting; rename the optimizer")
        if name not in known:
            raise InputError(f"optimizers={name}: no such optimizer; {offer(name, known)}")
        trial = _trials(composed, loader, name)[0]
        job = _overrides(name, trial, study="study", seed=composed.seed)
        config = settle(loader.load_sweep_config(composed, job))
        for doubt in check(config):
            warn(f"{name}: {doubt}")
    _refuse_other_study(composed, loader)
    trials = {name: _trials(composed, loader, name) for name in names}
    check_halving(composed, loader, _tuning_jobs(composed, trials))


@hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="compare")
def app(composed: DictConfig) -> None:
    """Run a comparison to its report.

    Raises:
        SystemExit: With code 1 when a run failed.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    master = composed.copy()
    with open_dict(master):
        master.hydra = HydraConfig.get()
        master.study = study_name(master)
        _put_runs_in(folder, master)
    loader = _loader(master, folder)
    write_study(folder, _protocol(master, loader))
    context = HydraContext(
        config_loader=GlobalHydra.instance().config_loader(), callbacks=Callbacks(master)
    )

    def run(phase: str, jobs: Sequence[Sequence[str]]) -> list[dict[str, Cell]]:
        prepared = prepare(master, loader, jobs)
        return launch(master, context, loader, train, prepared, folder, phase)

    trials = {name: _trials(master, loader, name) for name in master.optimizers}
    tuning = _tuning_jobs(master, trials)
    if halving_of(master.search):
        tuned = tune_by_halving(master, loader, tuning, folder)
    else:
        tuned = run("tune", tuning)
    winners = winners_of(trials, tuned, master.select_by)
    finals = _final_jobs(master, trials, winners)
    final = run("final", finals)
    timed = time_winners(master, loader, finals, final, folder)
    _report(folder, master.target)
    if any(row["status"] == FAILED for row in [*tuned, *final, *timed]):
        raise SystemExit(1)


def _put_runs_in(folder: Path, config: DictConfig) -> None:
    with read_write(config.hydra):
        config.hydra.sweep.dir = str(folder)


def _loader(master: DictConfig, folder: Path = Path("runs")) -> QuickLoader:
    typed = list(master.hydra.overrides.task)
    common = [o for o in typed if o.lstrip("+~").split("=")[0].split(".")[0] not in _OWN_KEYS]
    if candidates_of(master):
        common.append("scaling.candidates=[]")  # each trial names its own
    hydra_loader = GlobalHydra.instance().config_loader()
    place = functools.partial(_put_runs_in, folder)
    return QuickLoader(hydra_loader.get_search_path(), common, place)


_OWN_KEYS = (*COMPARE_ONLY, "study")


def _space(master: DictConfig, loader: QuickLoader, name: str) -> list[Dimension]:
    shipped = loader.load_config(f"search/{name}")
    typed = master.search.get(name)
    if shipped is None and typed is None:
        raise InputError(
            f"optimizers={name}: no search space; add search/{name}.yaml beside "
            f"optimizer/{name}.yaml, for example lr: {{low: 1.0e-4, high: 0.1, scale: log}}"
        )
    section = OmegaConf.to_container(OmegaConf.merge(shipped or {}, typed or {}))
    return space_of(cast("dict[str, Any]", section), f"search.{name}")


def _trials(master: DictConfig, loader: QuickLoader, name: str) -> list[dict[str, Value]]:
    """Return the settings of all trials: those drawn, each with every candidate of the scaling."""
    drawn = draw(_space(master, loader, name), master.trials, master.seed, name)
    factors = candidates_of(master)
    if not factors:
        return drawn
    return [settings | {"scaling.candidate": factor} for settings in drawn for factor in factors]


def _overrides(name: str, settings: Mapping[str, Value], **labels: Value) -> list[str]:
    values = {"optimizer": name, **settings, **labels}
    return [f"{key}={'null' if value is None else value}" for key, value in values.items()]


def _tuning_jobs(
    master: DictConfig, trials: Mapping[str, Sequence[Mapping[str, Value]]]
) -> list[list[str]]:
    return [
        _overrides(name, settings, seed=master.seed, study=master.study, phase="tune", trial=number)
        for name, drawn in trials.items()
        for number, settings in enumerate(drawn)
    ]


def _final_jobs(
    master: DictConfig,
    trials: Mapping[str, Sequence[Mapping[str, Value]]],
    winners: Mapping[str, int],
) -> list[list[str]]:
    return [
        _overrides(
            name, trials[name][trial], seed=master.seed + 1 + replicate, study=master.study,
            phase="final", trial=trial, evaluate_test="true",
        )
        for name, trial in winners.items()
        for replicate in range(master.seeds)
    ]  # fmt: skip


def _refuse_other_study(composed: DictConfig, loader: QuickLoader) -> None:
    folder = Path(composed.hydra.run.dir)
    before = read_study(folder)
    if before is None:
        return
    if difference := first_difference(before, _protocol(composed, loader)):
        raise InputError(
            f"{folder} holds a comparison with other settings ({difference}): "
            "choose another study=NAME"
        )


def _protocol(master: DictConfig, loader: QuickLoader) -> dict[str, Any]:
    return protocol(master, {name: _space(master, loader, name) for name in master.optimizers})


def _report(folder: Path, target: float | None) -> None:
    from sgdlab.report import build  # matplotlib takes a second; only the end needs it

    report = build([folder], folder / "report", target)
    report.show(stdout())
    for problem in report.problems:
        warn(problem)
