"""``sgdlab train -m``: a sweep, its names, its ranking and its exit code."""

import hashlib
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from sgdlab.config.gate import refuse_sweep
from sgdlab.config.output_folder import tell
from sgdlab.config.resolve import logger_of
from sgdlab.config.schema import WATCHING
from sgdlab.config.typed import as_typed
from sgdlab.results import ENDED, FAILED, Cell
from sgdlab.results.lock import AUTO, held
from sgdlab.sweeps.jobs import QuickLoader, expand, launch, prepare
from sgdlab.sweeps.ranking import ranking_of
from sgdlab.sweeps.stale import stale_runs, tell_others
from sgdlab.terminal.console import wrapped
from sgdlab.terminal.display import print_ranking, stdout, typed
from sgdlab.terminal.notices import warn
from sgdlab.terminal.numbers import NOTHING, setting
from sgdlab.trackers import checked, following


def sweep(
    master: DictConfig, context: HydraContext, task: TaskFunction, jobs: Sequence[Sequence[str]]
) -> list[dict[str, Cell]]:
    """Run the jobs of a sweep and print their ranking; return their summaries.

    Raises:
        InputError: A job is bad input; no run has started.
        SystemExit: With code 1 when a run failed; diverged runs are results.
    """
    logger = checked(logger_of(master))
    loader = QuickLoader(context.config_loader.get_search_path())
    jobs = expand(master, loader, jobs)
    if master.study is None:
        with open_dict(master):
            master.study = study_name(master, jobs)
    study = Path(master.hydra.sweep.dir)
    named = [[*job, f"study={as_typed(str(master.study))}"] for job in jobs]
    prepared = prepare(master, loader, named)
    for job in prepared:
        refuse_sweep(job.config)
    others = stale_runs(study, [job.directory for job in prepared])
    tell_others(others, study, master.stale)
    # One that repeats what is finished has nothing to share.
    shared = master.lock == AUTO and master.resume
    with (
        held(study, master.lock, warn, shared=shared),
        following(logger, study),
    ):
        rows = launch(master, context, loader, task, prepared, study, "sweep")
    tell(study)
    columns = [_COLUMN_OF.get(key, key) for key in varied_keys(jobs)]
    texts = swept_texts(jobs)
    for own, row in zip(texts, rows, strict=True):
        if "lr used" in own and (used := row.get("lr")) is not None:
            own["lr used"] = setting(used)  # says more than the factor of the candidate
    ranking = ranking_of(prepared)
    shown = [{**row, **own} for row, own in zip(rows, texts, strict=True)]
    print_ranking(shown, columns, ranking.by, ranking.groups)
    if ranking.note is not None:
        warn(ranking.note)
    counts = {status: sum(row["status"] == status for row in rows) for status in _STATUSES}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    line = f"{said}; all runs: {study}/runs.csv; report: {typed('report', str(study))}"
    line = wrapped(line, sys.stdout)
    stdout().print(line, markup=False, highlight=False, soft_wrap=True)
    if counts[FAILED]:
        raise SystemExit(1)
    return rows


_STATUSES = (*ENDED, FAILED)


def study_name(master: DictConfig, jobs: Sequence[Sequence[str]]) -> str:
    """Return a name made from what is swept, the same whenever the same command is typed.

    The name holds the keys that vary, and a hash of the overrides that do not: more values of
    the same keys extend the study.
    """
    varied = varied_keys(jobs)
    aside = (*varied, *_ASIDE)
    fixed = sorted(o for o in jobs[0] if _key(o) not in aside and not _watches(o))
    choices = master.hydra.runtime.choices
    parts = [str(choices[g]) for g in ("dataset", "model") if g not in varied]
    parts += [key.rpartition(".")[2] for key in varied] or ["single"]
    digest = hashlib.sha256("\n".join(fixed).encode()).hexdigest()[:6]
    return re.sub(r"[^\w.-]+", "-", "-".join([*parts, digest]))


def _key(override: str) -> str:
    return override.partition("=")[0]


def _watches(override: str) -> bool:
    """Say whether an override is of trackers, such as ``logger.mlflow.uri=…``."""
    return _key(override).lstrip("+~").split(".")[0] == WATCHING


_ASIDE = (
    "resume", "checkpoint.every", "checkpoint.final", "save_final", "stale", "continue_from",
    "device", "lock", "isolate", "limits.seconds", "limits.memory", "checkpoint.unit",
)  # fmt: skip
"""Keys that change neither what is swept nor what comes of it."""


def varied_keys(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Return the keys whose overrides differ between jobs, in their order."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for override in job:
            key, _, value = override.partition("=")
            values.setdefault(key.lstrip("+"), set()).add(value)
    return [key for key, found in values.items() if len(found) > 1]


_COLUMN_OF = {"scaling.candidate": "lr used", "optimizer.lr": "lr"}
"""Columns of a ranking that are not called after the key that is swept."""


def swept_texts(jobs: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """Return, per job, the value of each key that is swept, as text.

    Numbers are rounded as tables show them, unless two values would then look alike.
    """
    texts: list[dict[str, str]] = [{} for _ in jobs]
    for key in varied_keys(jobs):
        values = [_typed_value(job, key) for job in jobs]
        rounded = {value: value if value is None else _rounded(value) for value in values}
        alike = len(set(rounded.values())) < len(rounded)
        for own, value in zip(texts, values, strict=True):
            shown = NOTHING if value is None else value if alike else str(rounded[value])
            own[_COLUMN_OF.get(key, key)] = shown
    return texts


def _typed_value(job: Sequence[str], key: str) -> str | None:
    parts = [override.lstrip("+").partition("=") for override in job]
    return next((value for own, _, value in reversed(parts) if own == key), None)


def _rounded(value: str) -> str:
    try:
        return setting(float(value)) if set(value) & set(".eE") else value
    except ValueError:
        return value
