"""Run folders written by hand, in which every number is known."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from sgdlab.diagnosis import Diagnosis, judge, read_run
from sgdlab.diagnosis.siblings import Siblings
from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS, SUMMARY_COLUMNS

CONFIG: dict[str, Any] = {
    "names": {"optimizer": "sgd", "schedule": "cosine", "model": "mlp", "dataset": "digits"},
    "lr": 0.1,
    "batch_size": 64,
    "accumulate": 1,
    "epochs": 10,
    "max_steps": None,
    "clip_norm": None,
    "optimizer": {"_target_": "torch.optim.SGD", "lr": 0.1, "momentum": 0.0, "weight_decay": 0.0},
    "schedule": {"_target_": "sgdlab.schedules.cosine.Cosine", "warmup_epochs": 0.0},
    "model": {"_target_": "sgdlab.models.mlp.MLP", "hidden": [64, 64], "activation": "relu"},
    "decay": {"bias_and_norm": False, "mode": None, "multipliers": None},
}


def config(**changes: Any) -> dict[str, Any]:
    """Return the config with other values; ``schedule__warmup_epochs`` reaches into a section."""
    made = {key: dict(v) if isinstance(v, dict) else v for key, v in CONFIG.items()}
    for key, value in changes.items():
        section, _, inner = key.partition("__")
        if inner:
            made[section][inner] = value
        else:
            made[section] = value
    return made


def write_run(
    folder: Path,
    loss: Sequence[float],
    *,
    settings: Mapping[str, Any] | None = None,
    evaluations: Sequence[tuple[float, float]] | None = None,
    metric: str = "accuracy",
    accuracy: Sequence[float] | None = None,
    status: str | None = "completed",
    reason: str = "",
    per_epoch: int | None = None,
    **columns: Sequence[float],
) -> Path:
    """Write a run whose step ``i`` has ``loss[i]``.

    Args:
        folder: Created.
        loss: By step.
        settings: The config; by default `CONFIG` with as many epochs as fit.
        evaluations: Training and validation loss, of step 0 and after every epoch.
        metric: Name of the last column of ``evals.csv``.
        accuracy: Its values of the validation split.
        status: None: there is no summary.
        reason: Of the summary.
        per_epoch: Steps of an epoch; by default a tenth of all.
        columns: Of ``steps.csv``, those of every run too; NaN is an empty cell.
    """
    folder.mkdir(parents=True)
    count = len(loss)
    per_epoch = per_epoch or max(1, count // 10)
    made = dict(settings or config())
    made["epochs"] = -(-count // per_epoch)
    (folder / "config.yaml").write_text(yaml.safe_dump(made, sort_keys=False))
    step = np.arange(1, count + 1)
    known: dict[str, Sequence[Any] | np.ndarray] = {
        "step": step,
        "epoch": (step - 1) // per_epoch + 1,
        "examples": step * 64,
        "lr": 0.05 * (1 + np.cos(np.pi * (step - 1) / count)),
        "loss": loss,
        "grad_norm": np.ones(count),
        "clip_coef": np.ones(count),
        **columns,
    }
    names = (*STEP_COLUMNS, *(name for name in known if name not in STEP_COLUMNS))
    with (folder / "steps.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(names)
        for row in zip(*(known[name] for name in names), strict=True):
            writer.writerow(["" if v != v and n not in STEP_COLUMNS else _cell(v)
                             for n, v in zip(names, row, strict=True)])  # fmt: skip
    with (folder / "evals.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*EVAL_COLUMNS, metric))
        for epoch, losses in enumerate(evaluations or ()):
            at = min(epoch * per_epoch, count)
            value = accuracy[epoch] if accuracy is not None else 0.5
            for split, own in zip(("train", "val"), losses, strict=True):
                writer.writerow((at, epoch, at * 64, 0.0, "raw", split, repr(float(own)), value))
    if status is not None:
        row = dict.fromkeys(SUMMARY_COLUMNS, "") | {"status": status, "reason": reason}
        with (folder / "summary.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, SUMMARY_COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerow(row)
    return folder


def _cell(value: Any) -> str:
    number = float(value)
    return str(int(number)) if number.is_integer() else repr(number)


def diagnosed(folder: Path, *siblings: Path) -> Diagnosis:
    return judge(read_run(folder), [Siblings(read_run(other) for other in siblings)])


def alarms(folder: Path, *siblings: Path) -> set[str]:
    return {finding.symptom for finding in diagnosed(folder, *siblings).alarms}


def notes(folder: Path, *siblings: Path) -> set[str]:
    found = diagnosed(folder, *siblings).findings
    return {finding.symptom for finding in found if not finding.is_alarm}
