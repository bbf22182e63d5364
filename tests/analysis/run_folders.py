"""Hand-made run folders, written by the writer that the trainer uses."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from sgdlab.results import OTHER_SETTINGS, RunWriter, other_settings, write_summary

_DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def make_run(
    folder: Path,
    optimizer: str = "sgd",
    *,
    seed: int = 0,
    lr: float = 0.1,
    val: Sequence[float] = (0.1, 0.6, 0.9),
    test: float | None = 0.9,
    status: str = "completed",
    phase: str | None = None,
    trial: int | None = None,
    dataset: str = "digits",
    model: str = "mlp",
    metric: str = "accuracy",
    summary: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | None = None,
    train_loss: bool = True,
    seconds: float | None = 0.25,
    told: bool = False,
) -> Path:
    """Write a run of 10 steps per evaluation; ``status="unfinished"`` leaves out the summary.

    ``told``: the summary has the hash of the settings that have no column.
    """
    names = {"dataset": dataset, "model": model, "optimizer": optimizer, "schedule": "constant"}
    whole: dict[str, Any] = {
        "defaults": ["train_schema", "app", "_self_"],
        "names": names,
        "dataset": {"_target_": "data"},
        "optimizer": {"_target_": "torch.optim.SGD", "lr": lr, "momentum": 0.9},
        "lr": lr,
        "batch_size": 64,
        "epochs": 2,
        "seed": seed,
        "phase": phase,
        "trial": trial,
        "evaluate_test": phase != "tune",
    }
    whole |= config or {}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yaml").write_text(yaml.dump(whole, Dumper=_DUMPER))
    writer = RunWriter(folder, metric)
    best = max if metric == "accuracy" else min
    for number, value in enumerate(val):
        step, clock = 10 * number, None if seconds is None else seconds * number
        for split in ("train", "val") if train_loss else ("val",):
            row = [step, number, 64 * step, clock, "raw", split, 2.0 / (number + 1), value]
            writer.evaluation(row)
        if number:
            writer.steps(
                [s, number, 64 * s, lr, 2.0 / s, 1.0 / s, 1.0] for s in range(step - 9, step + 1)
            )
    if status == "unfinished":
        writer.close()
        return folder
    done = status == "completed"
    cells: dict[str, Any] = {
        "run_id": folder.name,
        "phase": phase,
        "trial": trial,
        "status": status,
        "reason": None if done else f"it {status}",
        "engine": "sequential",
        "optimizer": optimizer,
        "schedule": "constant",
        "model": model,
        "dataset": dataset,
        "batch_size": 64,
        "accumulate": 1,
        "scaling": "none",
        "base_lr": lr,
        "lr": lr,
        "seed": seed,
        "epochs": 2,
        "steps": 10 * (len(val) - 1),
        "num_parameters": 4810,
        "optimizer_state_bytes": 19240,
        "peak_memory_bytes": 300_000_000 + seed,
        "train_seconds": None if seconds is None else seconds * (len(val) - 1),
        "examples_per_second": None if seconds is None else 1000.0 + seed,
        "final_val_loss": 1.0 - val[-1] if done and metric == "accuracy" else None,
        "metric": metric,
        "metric_direction": "max" if metric == "accuracy" else "min",
        "final_val_metric": val[-1] if done else None,
        "best_val_metric": best(val),
        "test_metric": test if done else None,
        "optimizer.momentum": 0.9,
    }
    cells |= summary or {}
    if told:
        cells[OTHER_SETTINGS] = other_settings(whole, cells)
    writer.close()
    write_summary(folder, cells)
    return folder


def make_pair(root: Path, first: Sequence[float], second: Sequence[float]) -> None:
    """Write final runs of ``adam`` and ``sgd`` with these test metrics, a seed each."""
    for optimizer, values in (("adam", first), ("sgd", second)):
        for seed, value in enumerate(values):
            make_run(root / f"{optimizer}-{seed}", optimizer, seed=seed, test=value, phase="final")


def make_replicates(
    root: Path,
    samples: Mapping[str, Sequence[Sequence[float]]],
    *,
    trials: int = 2,
    base: int = 0,
    study: str = "study",
    **changes: Any,
) -> Path:
    """Write a comparison with a search per replicate; return its folder.

    ``samples`` are, by contender, the test metrics of the final runs of each replicate; a replicate
    without any has trials that all diverged. Replicate r tunes with seed ``base + r (S + 1)``.
    """
    seeds = max(len(values) for found in samples.values() for values in found)
    for name, replicates in samples.items():
        for number, values in enumerate(replicates):
            cells = {"study": study, "contender": name, "replicate": number}
            first = base + number * (seeds + 1)
            own = {**changes, "summary": {**cells, **changes.get("summary", {})}}
            for trial in range(trials):
                make_run(
                    root / "tune" / f"{name}-{number}-{trial}", name, seed=first, phase="tune",
                    trial=trial, lr=0.01 * (1 + trial + number), test=None,
                    status="completed" if values else "diverged", **own,
                )  # fmt: skip
            for k, value in enumerate(values):
                make_run(
                    root / "final" / f"{name}-{number}-{k}", name, seed=first + 1 + k,
                    phase="final", trial=0, lr=0.01 * (1 + number), test=value, **own,
                )  # fmt: skip
    return root
