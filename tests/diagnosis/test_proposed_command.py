"""The proposed command makes the run that it names: composed by Hydra, it gives its config."""

import shlex

import numpy as np
import pytest
from hydra.core.global_hydra import GlobalHydra
from suite import ENTRIES
from suite_runs import uses_own

from sgdlab.config.compose.one import compose_run
from sgdlab.diagnosis.command import improved
from sgdlab.diagnosis.run import RunRecord
from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS, determining

TYPED = [
    (),
    ("seed=3", "batch_size=full", "dtype=float64", "dataset=quadratic", "dataset.dim=7"),
    ("lr_multipliers={*.bias:2}", "decay.multipliers={1.*:0.1}", "optimizer=adamw"),
    ("model.hidden=[16,8]", "clip_norm=0.5", "average=ema", "average.decay=0.9"),
    ("scaling=linear", "scaling.base_batch_size=32", "optimizer=lion", "schedule=wsd"),
    ("optimizer.betas=[0.8,0.99]", "optimizer=adam", "lr=1e-05", "max_steps=7"),
    ("dataset=rosenbrock", "dataset.start=[0.0,0.5]", "schedule.warmup_steps=3"),
    *(e.overrides for e in ENTRIES[::45] if not uses_own(e.overrides)),
]


def composed(*overrides: str) -> dict:
    GlobalHydra.instance().clear()
    return compose_run(*overrides).plain()


def run_of(config: dict, directory) -> RunRecord:
    steps = {name: np.empty(0) for name in STEP_COLUMNS}
    evaluations = {name: np.empty(0, dtype=object) for name in (*EVAL_COLUMNS, "accuracy")}
    return RunRecord(directory, config, steps, evaluations, "accuracy")


def typed(line: str) -> list[str]:
    words = shlex.split(line)
    assert words[:2] == ["sgdlab", "train"]
    return words[2:]


@pytest.mark.parametrize("overrides", TYPED, ids=" ".join)
def test_a_command_without_changes_makes_the_same_run(tmp_path, overrides):
    config = composed(*overrides)
    line = improved(run_of(config, tmp_path))
    again = composed(*typed(line))
    assert determining(again) == determining(config)
    assert (again["lr"], again["seed"]) == (config["lr"], config["seed"])
    assert len(typed(line)) <= len(overrides)


def test_the_defaults_need_no_words(tmp_path):
    assert improved(run_of(composed(), tmp_path)) == "sgdlab train"


def test_changes_come_last_and_replace_what_was(tmp_path):
    config = composed("optimizer=adam", "lr=0.5", "clip_norm=3.0")
    line = improved(run_of(config, tmp_path), {"lr": 0.05, "schedule.warmup_epochs": 1.0})
    assert line == "sgdlab train optimizer=adam lr=0.05 clip_norm=3.0 schedule.warmup_epochs=1.0"
    assert composed(*typed(line))["optimizer"]["lr"] == 0.05


def test_another_schedule_leaves_the_settings_of_the_old_one(tmp_path):
    config = composed("schedule=step", "schedule.step_size=3", "schedule.warmup_epochs=2.0")
    line = improved(run_of(config, tmp_path), schedule="linear")
    assert line == "sgdlab train schedule=linear schedule.warmup_epochs=2.0"


@pytest.mark.parametrize("schedule", [None, "cosine"])
def test_a_users_own_part_starts_from_the_folder_of_the_run(tmp_path, schedule):
    config = composed("schedule=exponential") | {"import_from": ["my parts"]}
    groups = {"schedule": schedule} if schedule else {}
    line = improved(run_of(config, tmp_path / "a run"), {"lr": 0.5}, **groups)
    folder = shlex.quote(str(tmp_path / "a run"))
    assert line.startswith(f"sgdlab train --config-dir {folder} --config-name config ")
    assert line.endswith("lr=0.5")
