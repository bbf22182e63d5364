"""A run that goes on from the end of a shorter one (``continue_from=DIR``)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from sgdlab.averaging import Average
from sgdlab.config.instantiate import call
from sgdlab.config.resolve import run_config_of
from sgdlab.config.run_id import run_id
from sgdlab.config.schema import KEEP, RunConfig
from sgdlab.errors import InputError
from sgdlab.results import (
    COMPLETED,
    atomic_write,
    flatten,
    read_config,
    read_summary,
    without_watched,
)
from sgdlab.results.packed import found as packed_run
from sgdlab.schedules.base import as_schedule
from sgdlab.terminal.display import shown
from sgdlab.training.build import Run
from sgdlab.training.checkpoint_files import tables_of
from sgdlab.training.evidence import as_evidence, evidence_of
from sgdlab.training.folder import RunFolder
from sgdlab.training.length import plan_of, total_steps

_MAY_DIFFER = (
    "epochs", "max_steps", "schedule", "evaluate_test", "checkpoint", "save_final", "stale",
    "resume", "continue_from", "names", "study", "phase", "trial", "replicate", "contender",
    "import_from", "engine", "stacked", "device", "lesson", "lock", "isolate",
)  # fmt: skip
"""Root keys in which the two runs may differ; what the schedule comes to is compared."""


def check(run: Run) -> dict[str, Any]:
    """Return the checkpoint that a run goes on from.

    Args:
        run: The run, as it is built, with ``continue_from``.

    Raises:
        InputError: It cannot go on from there; says why.
    """
    config = run.config
    directory = Path(str(config.continue_from))
    where = f"continue_from={config.continue_from}"
    if (packed := packed_run(str(directory))) is not None:
        study = shown(Path(packed[0].folder).parent)
        raise InputError(f"{where}: its run lies packed; sgdlab unpack {study} first")
    summary, plain = read_summary(directory), _plain(directory)
    if summary is None or plain is None:
        raise InputError(f"{where}: no finished run there; it names the folder of one")
    if summary["status"] != COMPLETED:
        raise InputError(f"{where}: its run ended as {summary['status']}; only a completed one")
    before = run_config_of(plain)
    _refuse_other_settings(before, config, where)
    state = RunFolder(directory, run_id(before), "sequential").load()
    if state is None or not state["progress"].get("unevaluated"):
        raise InputError(
            f"{where}: it has no checkpoint of its end; repeat it with checkpoint.final=true "
            "and resume=false"
        )
    _refuse_other_evidence(run, state, where)
    _refuse_other_steps(before, run, state["progress"]["step"], where)
    return state


def take(run: Run, folder: RunFolder) -> dict[str, Any]:
    """Return the checkpoint that a run goes on from, its rows copied to the run's own folder.

    Raises:
        InputError: It cannot go on from there; see `check`.
    """
    state = check(run)
    directory, end = Path(str(run.config.continue_from)), state["progress"]["step"]
    folder.directory.mkdir(parents=True, exist_ok=True)
    if (known := tables_of(state)) is not None:
        for name, own in known.items():
            with (directory / name).open("rb") as file:
                atomic_write(folder.directory / name, file.read(own.bytes).decode())
        return state
    atomic_write(
        folder.directory / "steps.csv", (directory / "steps.csv").read_text(encoding="utf-8")
    )
    head, *rows = (directory / "evals.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    # What was evaluated at its end is evaluated again, where the longer run evaluates.
    kept = [row for row in rows if int(row.split(",", 1)[0]) < end]
    atomic_write(folder.directory / "evals.csv", "".join([head, *kept]))
    return state


def _plain(directory: Path) -> Mapping[str, Any] | None:
    try:
        return read_config(directory)
    except (InputError, OSError):
        return None


def _refuse_other_settings(before: RunConfig, config: RunConfig, where: str) -> None:
    old, new = (
        flatten(without_watched({k: v for k, v in c.plain().items() if k not in _MAY_DIFFER}))
        for c in (before, config)
    )
    for key in dict.fromkeys([*old, *new]):
        if "._traits_." not in key and old.get(key) != new.get(key):
            raise InputError(
                f"{where}: it has {key}={old.get(key)}, this one {key}={new.get(key)}; only "
                "epochs, max_steps and the schedule may differ"
            )


def _refuse_other_evidence(run: Run, state: Mapping[str, Any], where: str) -> None:
    seen = state.get("evidence")
    if seen is None or run.config.stale == KEEP:
        return
    now = evidence_of(run.config, run.data.fingerprint, run.model)
    before = as_evidence(seen)
    if changes := now.changes(before) + now.other_versions(before):
        raise InputError(
            f"{where}: it was made with {', '.join(changes)}; a run is not made of two: "
            "stale=keep goes on all the same"
        )


def _refuse_other_steps(before: RunConfig, run: Run, end: int, where: str) -> None:
    """Refuse to go on where the longer run would have made the steps so far in another way."""
    config, per_epoch = run.config, run.plan.steps_per_epoch
    old_total = total_steps(before, plan_of(before, run.data))
    if run.total_steps <= end:
        raise InputError(f"{where}: it has {end} steps already, this one {run.total_steps}")
    old = as_schedule(call(before.schedule, f"schedule={before.names.get('schedule')}"))
    new = as_schedule(call(config.schedule, f"schedule={config.names.get('schedule')}"))
    then, now = (old_total, per_epoch), (run.total_steps, per_epoch)
    name = config.names.get("schedule")
    for step in range(end):
        for what, one, other in (
            ("lr", run.lr * old(step, *then), run.lr * new(step, *now)),
            ("momentum", old.momentum(step, *then), new.momentum(step, *now)),
        ):
            if one != other:
                raise InputError(
                    f"{where}: schedule={name} over {run.total_steps} steps gives {what} {other:g} "
                    f"in step {step + 1}, which was made with {one:g}; only a schedule that does "
                    "not depend on the length goes on (constant, step, inverse_time, …)"
                )
    if run.averager is not None:
        rule, name = run.averager.rule, config.names.get("average")
        dues = ((rule.due(t, *then), rule.due(t, *now)) for t in range(1, end + 1))
        if any(one != other for one, other in dues):
            raise InputError(
                f"{where}: average={name} starts at a fraction of the steps, another one in a "
                "longer run; average.start=0 does not depend on it"
            )
        if _weights_given(rule, then[0], end) != _weights_given(rule, now[0], end):
            raise InputError(
                f"{where}: the memory of average={name} follows the length of the run; "
                "average.decay=0.99 does not depend on it"
            )


def _weights_given(rule: Average, total: int, end: int) -> list[float]:
    """Return what an average gives to the next iterate, after a few and after all so far."""
    update, given = rule.rule(total), list[float]()
    if update is None:  # the equal-weighted mean
        return given
    for count in sorted({*range(1, min(end, 8) + 1), end}):
        average = torch.zeros(1, dtype=torch.float64)
        update([average], [torch.ones(1, dtype=torch.float64)], torch.tensor(count))
        given.append(average.item())
    return given
