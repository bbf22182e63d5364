"""A comparison in memory that passes every check, to be spoilt in one point by a test."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sgdlab.analysis.audit import Case, DeclaredPlan, audit
from sgdlab.analysis.entries import Entry
from sgdlab.analysis.load import Runs
from sgdlab.analysis.workloads import WorkloadRuns
from sgdlab.results import LABEL_COLUMNS, SUMMARY_COLUMNS

RATES = (0.01, 0.03, 0.1, 0.3)
"""Learning rates of the trials; the third one is the best."""
LOSSES = (0.30, 0.25, 0.20, 0.22)
METRICS = (0.945, 0.948, 0.955, 0.951)
TARGETS = {"adamw": "torch.optim.AdamW", "sgd": "torch.optim.SGD"}
SPACE = {"low": 0.001, "high": 1.0, "scale": "log"}
COLUMNS = ("directory", *SUMMARY_COLUMNS, *LABEL_COLUMNS)


class Study:
    """Contenders ``adamw`` and ``sgd``, 4 trials in each of 3 replicates, 2 final seeds each.

    Replicate r tunes with seed 3 r and ends with seeds 3 r + 1 and 3 r + 2.
    """

    def __init__(self, replicates: int = 3, names: Sequence[str] = ("adamw", "sgd")) -> None:
        self.names = list(names)
        self.rows: list[dict[str, Any]] = []
        self.configs: list[dict[str, Any]] = []
        self.evals: dict[int, dict[str, np.ndarray]] = {}
        self.environments: dict[int, dict[str, Any]] = {}
        self.pairs: list[dict[str, Any]] = []
        self.column = "test_metric"
        self.metric = "accuracy"
        self.picked_from = 1
        self.tried: dict[str, int] = {}
        self.others: dict[str, list[int]] = {}
        finals = [[3 * r + 1, 3 * r + 2] for r in range(replicates)]
        self.plan: dict[str, Any] | None = {
            "contenders": self.names,
            "replicates": replicates,
            "seeds": 2,
            "budget": {"unit": "trials", "per_search": 4},
            "select_by": "final_val_loss",
            "search": {"method": "sobol", "spaces": {n: {"lr": dict(SPACE)} for n in names}},
            "tuning_seeds": [3 * r for r in range(replicates)],
            "final_seeds": finals,
        }
        for place, name in enumerate(self.names):
            for r in range(replicates):
                for trial, rate in enumerate(RATES):
                    shift = 0.001 * r + 0.0001 * place
                    self.add(
                        name, "tune", 3 * r, rate * (1 + shift), replicate=r, trial=trial,
                        final_val_loss=LOSSES[trial] + shift,
                        final_val_metric=METRICS[trial] + shift,
                    )  # fmt: skip
                for seed in finals[r]:
                    rate = RATES[2] * (1 + (0.001 * r + 0.0001 * place))
                    self.add(
                        name, "final", seed, rate, replicate=r, trial=2,
                        final_val_loss=0.2 + 0.01 * seed + 0.1 * place,
                        final_val_metric=0.95 - 0.001 * seed - 0.02 * place,
                        test_metric=0.94 - 0.001 * seed - 0.02 * place,
                        test_loss=0.21 + 0.01 * seed,
                    )  # fmt: skip
        self.judge("first better", 0.02, 0.015, 0.025)

    def judge(self, verdict: str, mean: float, low: float, high: float, **more: Any) -> None:
        """Set the verdict of the first pair."""
        self.pairs = [
            {
                "first": self.names[0], "second": self.names[-1], "metric": self.column,
                "n_pairs": 3, "mean_difference": mean, "ci_low": low, "ci_high": high,
                "verdict": verdict, "seeds_needed": float("nan"), "note": "", **more,
            }
        ]  # fmt: skip

    def add(self, name: str, phase: str | None, seed: int, lr: float, **cells: Any) -> int:
        """Add a completed run; return its row."""
        row = dict.fromkeys(COLUMNS) | {
            "directory": f"runs/{len(self.rows)}", "phase": phase, "status": "completed",
            "engine": "sequential", "optimizer": name, "contender": name, "schedule": "cosine",
            "model": "mlp", "dataset": "digits", "base_lr": lr, "lr": lr, "seed": seed,
            "epochs": 20, "steps": 340, "num_parameters": 1000, "optimizer_state_bytes": 8000,
            "train_seconds": 2.0, "metric": "accuracy", "metric_direction": "max",
            "gradient_evaluations": 340, "function_evaluations": 340,
        } | cells  # fmt: skip
        config = {
            "optimizer._target_": TARGETS.get(name, name), "optimizer.lr": lr, "batch_size": 64,
            "schedule._target_": "sgdlab.schedules.cosine.Cosine", "schedule.warmup_epochs": 3.0,
            "schedule.warmup_steps": None, "epochs": 20, "max_steps": None, "eval.every": 1,
            "model.hidden": "[64, 64]", "dtype": "float32",
        }  # fmt: skip
        number = len(self.rows)
        self.rows.append(row)
        self.configs.append(config)
        self.evals[number] = {
            "step": np.array([0, 170, 340]),
            "train_seconds": np.array([0.0, 1.0, 2.0]),
            "examples": np.array([0, 10_880, 21_760]),
            "epoch": np.array([0, 10, 20]),
            "weights": np.array(["raw"] * 3),
            "split": np.array(["val"] * 3),
            "loss": np.array([2.3 + 0.01 * seed, 0.5, 0.3]),
            "accuracy": np.array([0.1, 0.8, 0.9]),
        }
        self.environments[number] = {
            "packages": {"sgdlab": "0.1.0", "torch": "2.6.0", "numpy": "2.0.0"},
            "platform": "Linux", "device": "cpu", "threads": 1, "git_commit": "abcdef0123",
            "dataset_fingerprint": "7921b06db0840b3b",
        }  # fmt: skip
        return number

    def find(self, **cells: Any) -> list[int]:
        """Return the rows whose cells are these."""
        return [
            number
            for number, row in enumerate(self.rows)
            if all(row[column] == cell for column, cell in cells.items())
        ]

    def change(self, rows: Sequence[int], **cells: Any) -> None:
        """Set cells of some rows."""
        for number in rows:
            self.rows[number] |= cells

    def configure(self, rows: Sequence[int], settings: dict[str, Any]) -> None:
        """Set settings in the configs of some rows."""
        for number in rows:
            self.configs[number] |= settings

    def remove(self, rows: Sequence[int]) -> None:
        """Take the phase and name of runs, so that no contender has them."""
        self.change(rows, phase="gone", contender="gone")

    @property
    def runs(self) -> Runs:
        """What was loaded."""
        return Runs(
            list(COLUMNS),
            self.rows,
            self.configs,
            self.evals,
            [],
            environments=dict(self.environments),
        )

    @property
    def workload(self) -> WorkloadRuns:
        """What is compared on."""
        rows = list(range(len(self.rows)))
        return WorkloadRuns("digits", "mlp", self.metric, self.metric == "accuracy", rows)

    def entry(self, name: str) -> Entry:
        """Return what a contender is, as the contract of entries has it."""
        trials = self.find(contender=name, phase="tune")
        others = self.others.get(name, [])
        phases = ("final", "defaults", None)
        chosen = [r for p in phases for r in self.find(contender=name, phase=p) if r not in others]
        replicates = {self.rows[row]["replicate"] for row in (*chosen, *trials)}
        apart = len(replicates) > 1 and not self.find(contender=name, phase="defaults")
        units: dict[float, list[int]] = {}
        trials_of: dict[float, list[int]] = {}
        for row in chosen:
            units.setdefault(float(self.rows[row]["replicate" if apart else "seed"]), []).append(
                row
            )
        for row in trials:
            trials_of.setdefault(float(self.rows[row]["replicate"]), []).append(row)
        tuned = bool(trials) or bool(self.find(contender=name, phase="final"))
        unit = "replicate" if apart else "seed"
        return Entry(
            name, tuned, chosen, trials, others, {}, "",
            self.tried.get(name, self.picked_from), self.picked_from, [], unit,
            units, trials_of, {},
        )  # fmt: skip

    @property
    def entries(self) -> list[Entry]:
        """What is compared."""
        return [self.entry(name) for name in self.names]

    def audit(self) -> dict[str, tuple[str, str]]:
        """Return status and detail of every check by its name."""
        known = self.runs, self.workload, self.entries, self.pairs, self.column
        checks = audit(Case(*known, DeclaredPlan(self.plan)))
        assert {check.workload for check in checks} == {"digits/mlp"}
        return {check.check: (check.status, check.detail) for check in checks}


def defaults() -> Study:
    """Return the track of published settings: seeds 1 to 3, no trials."""
    study = Study(0)
    study.plan = {"contenders": study.names, "final_seeds": [[1, 2, 3]], "search": {}}
    _runs(study, "defaults")
    return study


def sweep(rates: Sequence[float] = (0.1,)) -> Study:
    """Return a sweep over ``rates`` and seeds 1 to 3 of both contenders; the last rate is best."""
    study = Study(0)
    study.plan = None
    for rate in rates[:-1]:
        for name, rows in _runs(study, None, rate).items():
            study.others.setdefault(name, []).extend(rows)
    _runs(study, None, rates[-1])
    study.picked_from = len(rates)
    return study


def _runs(study: Study, phase: str | None, lr: float = 0.1) -> dict[str, list[int]]:
    return {
        name: [
            study.add(
                name, phase, seed, lr, final_val_loss=0.2 + 0.01 * seed,
                final_val_metric=0.95 - 0.001 * seed, test_metric=0.94 - 0.001 * seed,
            )
            for seed in (1, 2, 3)
        ]
        for name in study.names
    }  # fmt: skip
