"""``sgdlab train -m``: a sweep, its names, its ranking and its exit code."""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from sgdlab.config.gate import refuse_sweep
from sgdlab.config.schema import GROUPS
from sgdlab.results import ENDED, FAILED, SUMMARY_COLUMNS, Cell
from sgdlab.sweep.jobs import QuickLoader, expand, launch, prepare
from sgdlab.terminal.display import print_ranking, stdout


def sweep(
    master: DictConfig, context: HydraContext, task: TaskFunction, jobs: Sequence[Sequence[str]]
) -> list[dict[str, Cell]]:
    """Run the jobs of a sweep and print their ranking; return their summaries.

    Raises:
        InputError: A job is bad input; no run has started.
        SystemExit: With code 1 when a run failed; diverged runs are results.
    """
    loader = QuickLoader(context.config_loader.get_search_path())
    jobs = expand(master, loader, jobs)
    if master.study is None:
        with open_dict(master):
            master.study = study_name(master, jobs)
    study = Path(master.hydra.sweep.dir)
    named = [[*job, f"study={master.study}"] for job in jobs]
    prepared = prepare(master, loader, named)
    for job in prepared:
        refuse_sweep(job.config)
    rows = launch(master, context, loader, task, prepared, study, "sweep")
    print_ranking(rows, _varied_columns(jobs, rows))
    counts = {status: sum(row["status"] == status for row in rows) for status in _STATUSES}
    said = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    stdout().print(f"{said}; all runs: {study}/runs.csv; report: sgdlab report {study}")
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
    aside = (*varied, "resume", "checkpoint.every", "device")
    fixed = sorted(o for o in jobs[0] if o.partition("=")[0] not in aside)
    choices = master.hydra.runtime.choices
    parts = [str(choices[g]) for g in ("dataset", "model") if g not in varied]
    parts += [key.rpartition(".")[2] for key in varied] or ["single"]
    digest = hashlib.sha256("\n".join(fixed).encode()).hexdigest()[:6]
    return re.sub(r"[^\w.-]+", "-", "-".join([*parts, digest]))


def varied_keys(jobs: Sequence[Sequence[str]]) -> list[str]:
    """Return the keys whose overrides differ between jobs, in their order."""
    values: dict[str, set[str]] = {}
    for job in jobs:
        for override in job:
            key, _, value = override.partition("=")
            values.setdefault(key.lstrip("+"), set()).add(value)
    return [key for key, found in values.items() if len(found) > 1]


_COLUMN_OF = {"lr": "base_lr", "optimizer.lr": "base_lr", "scaling.candidate": "lr"}


def _varied_columns(jobs: Sequence[Sequence[str]], rows: Sequence[dict[str, Cell]]) -> list[str]:
    """Return the columns of the summary that show what was swept."""
    varied = varied_keys(jobs)
    known = {column for row in rows for column in row}
    columns = [_COLUMN_OF.get(key, key) for key in varied]
    columns = [c for c in columns if c in GROUPS or c in SUMMARY_COLUMNS or c in known]
    if len(columns) < len(varied):
        columns.append("run_id")  # something varies that has no column of its own
    return columns
