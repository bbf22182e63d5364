"""Runs of a stack against the same runs alone, in the ordinary trainer."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from pandas.api.types import is_numeric_dtype
from stacked_runs import jobs, table, train_one_by_one, train_stacked

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.job import Job
from sgdlab.config.run_id import run_id
from sgdlab.optimizers.traits import shipped_as
from sgdlab.results import TIME_AND_MEMORY, read_summary

# Small, with a smaller last batch in each epoch (142 examples), 7 epochs of 9 steps.
SMALL = (
    "dataset=wine", "split.val=0.1", "split.test=0.1", "model.hidden=[8,6]", "batch_size=16",
    "max_steps=60", "eval.every=9",
)  # fmt: skip
EXACT = ("step", "epoch", "examples", "lr")
FLOAT64 = (*SMALL, "dtype=float64")


def _agree(runs: list[Job], alone: list[Job], tolerance: float) -> None:
    for stacked, single in zip(runs, alone, strict=True):
        for name in ("steps.csv", "evals.csv"):
            ours, theirs = table(stacked, name), table(single, name)
            assert list(ours.columns) == list(theirs.columns)
            assert len(ours) == len(theirs)
            for column in ours.columns:
                if column == "train_seconds":
                    assert ours[column].isna().all()
                elif not is_numeric_dtype(ours[column]) or column in EXACT:
                    pd.testing.assert_series_equal(ours[column], theirs[column])
                else:
                    np.testing.assert_allclose(
                        ours[column], theirs[column], rtol=tolerance, atol=1e-14
                    )
        mine, other = read_summary(stacked.directory), read_summary(single.directory)
        assert mine is not None
        assert other is not None
        assert list(mine) == list(other)
        assert mine.pop("engine") == "stacked"
        assert other.pop("engine") == "sequential"
        for key in TIME_AND_MEMORY:
            assert mine.pop(key) is None
            other.pop(key)
        for name in ("final.pt", "final_average.pt"):
            paths = [run.directory / name for run in (stacked, single)]
            assert paths[0].is_file() == paths[1].is_file()
            if paths[0].is_file():
                torch.testing.assert_close(
                    *(torch.load(path) for path in paths), rtol=tolerance, atol=1e-12
                )
        # The text of a reason holds rounded numbers; all else agrees exactly or within rounding.
        for key, value in other.items():
            if isinstance(value, float):
                assert mine[key] == pytest.approx(value, rel=tolerance, abs=1e-14), key
            else:
                assert mine[key] == value, key


RULES: dict[str, tuple[str, ...]] = {
    "sgd": ("lr=0.1", "optimizer.weight_decay=0.01"),
    "momentum": ("lr=0.05", "optimizer.momentum=0.8", "optimizer.dampening=0.3"),
    "nesterov": ("lr=0.05",),
    "adam": ("lr=0.01", "optimizer.weight_decay=0.02"),
    "adamw": ("lr=0.01", "optimizer.weight_decay=0.1", "optimizer.amsgrad=true"),
    "nadam": ("lr=0.005",),
    "rmsprop": ("lr=0.001", "optimizer.centered=true", "optimizer.momentum=0.5"),
    "adagrad": ("lr=0.02", "optimizer.lr_decay=0.01"),
    "adadelta": ("lr=1.0", "optimizer.weight_decay=0.01"),
    "adamax": ("lr=0.01",),
    "radam": ("lr=0.01", "optimizer.weight_decay=0.1"),
    "rprop": ("lr=0.001",),
    "asgd": ("lr=0.1", "optimizer.t0=10"),
    "keras_sgd": ("lr=0.05", "schedule=one_cycle"),
    "lars": ("lr=1.0",),
    "lamb": ("lr=0.01",),
    "lion": ("lr=0.0003",),
    "schedule_free_sgd": ("lr=0.5", "optimizer.weight_decay=0.01"),
    "schedule_free_adamw": ("lr=0.01", "optimizer.weight_decay=0.01", "optimizer.warmup_steps=5"),
    "adafactor": ("lr=0.05", "optimizer.weight_decay=0.1"),
    "muon": ("lr=0.02",),
    "swats": ("lr=0.01", "optimizer.switch_tolerance=0.05", "lr_multipliers={*.bias:2}"),
    "signsgd": ("lr=0.001", "optimizer.momentum=0.9"),
}
if find_spec("pytorch_optimizer"):
    RULES |= {
        "adabelief": ("lr=0.01",),
        "adan": ("lr=0.01", "optimizer.weight_decay=0.1"),
        "ademamix": ("lr=0.01",),
        "diffgrad": ("lr=0.01",),
        "laprop": ("lr=0.01", "optimizer.weight_decay=0.1"),
        "novograd": ("lr=0.01", "optimizer.grad_averaging=true"),
        "qhadam": ("lr=0.01",),
        "tiger": ("lr=0.001",),
        "yogi": ("lr=0.01", "optimizer.weight_decay=0.1"),
    }


def test_every_stacked_optimizer_is_among_them() -> None:
    sections = {path.stem: shipped_as(path.stem) for path in (conf_dir() / "optimizer").iterdir()}
    assert set(RULES) == {
        name
        for name, section in sections.items()
        if section["_traits_"]["stacked"] and find_spec(section["_target_"].split(".")[0])
    }


@pytest.mark.parametrize(
    "steps", [60, pytest.param(200, marks=pytest.mark.slow)], ids=lambda steps: f"{steps} steps"
)
@pytest.mark.parametrize("optimizer", RULES)
def test_every_rule_agrees_over_many_epochs(optimizer: str, steps: int, tmp_path: Path) -> None:
    own = (f"optimizer={optimizer}", *RULES[optimizer], f"max_steps={steps}")
    runs = jobs(tmp_path / "a", (*FLOAT64, *own), [["seed=0"], ["seed=1", "clip_norm=0.5"]])
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)


VARIANTS: dict[str, tuple[str, ...]] = {
    "accumulation, its last update shorter": ("accumulate=3",),
    "full batch": ("batch_size=full", "max_steps=30"),
    "single examples": ("batch_size=1", "max_steps=150"),
    "coupled decay": ("optimizer=adamw", "lr=0.01", "decay.mode=coupled"),
    "decoupled decay": ("decay.mode=decoupled", "optimizer.weight_decay=0.1"),
    "independent decay": ("decay.mode=independent", "optimizer.weight_decay=0.01"),
    "decay everything": ("decay.bias_and_norm=true", "optimizer.weight_decay=0.1"),
    "multipliers": ("decay.multipliers={1.*:0.1}", "lr_multipliers={*.bias:2}"),
    "warm-up": ("schedule.warmup_epochs=2", "schedule.warmup_shape=exponential"),
    "plateau": ("schedule=plateau", "eval.every=1", "schedule.patience=0"),
    "one-cycle": ("schedule=one_cycle",),
    "one-cycle with adam": ("schedule=one_cycle", "optimizer=adam", "lr=0.01"),
    "linear scaling": ("scaling=linear", "lr=0.1"),
    "test split": ("evaluate_test=true",),
    "squared error on classes": ("loss=mse",),
    "label smoothing": ("loss=cross_entropy", "loss.label_smoothing=0.1"),
    "hinge loss": ("loss=hinge", "accumulate=2"),
    "perceptron loss": ("loss=perceptron",),
    "huber loss": ("dataset=diabetes", "loss=huber"),
    "linear model": ("model=linear", "~model.hidden", "model.bias=false"),
    "regression": ("dataset=diabetes",),
    "one unit": ("model.hidden=[1]",),
    "mup": ("parametrization=mup", "model.mup_base_width=4"),
    "batch norm": ("model.batch_norm=true",),
    "average of its own with batch norm": (
        "optimizer=schedule_free_sgd",
        "model.batch_norm=true",
        "model.dropout=0.3",
        "eval.every=2",
        "save_final=true",
    ),
    "ema": ("average=ema", "eval.every=2", "evaluate_test=true"),
    "ema of a given memory": ("average=ema", "average.decay=0.8", "model.batch_norm=true"),
    "polyak": ("average=polyak", "average.start=0.3", "evaluate_test=true", "save_final=true"),
    "swa": (
        "average=swa",
        "average.start=0.5",
        "model.batch_norm=true",
        "model.dropout=0.3",
        "eval.every=1",
        "save_final=true",
        "evaluate_test=true",
    ),
    "dropout": ("model.dropout=0.3",),
    **{
        name: (f"model.activation={name}",)
        for name in ("tanh", "gelu", "silu", "sigmoid", "leaky_relu", "elu")
    },
}


def _overrides(variant: str) -> list[str]:
    own = VARIANTS[variant]
    gone = [o.lstrip("~") for o in own if o.startswith("~")]
    kept = [o for o in FLOAT64 if o.partition("=")[0] not in gone]
    return [*kept, *(o for o in own if not o.startswith("~"))]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_agrees_over_many_epochs(variant: str, tmp_path: Path) -> None:
    runs = jobs(tmp_path / "a", _overrides(variant), [["seed=0"], ["seed=1", "lr=0.02"]])
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)


def test_a_convolutional_network_agrees(tmp_path: Path) -> None:
    common = (
        "dtype=float64", "model=cnn", "model.channels=[3,4]", "model.hidden=[5]", "max_steps=25",
        "model.batch_norm=true", "model.dropout=0.2", "eval.every=1", "batch_size=128",
    )  # fmt: skip
    runs = jobs(tmp_path / "a", common, [["seed=0"], ["seed=1"], ["seed=0", "lr=0.03"]])
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)


def test_a_loss_of_the_users_own_agrees(tmp_path: Path) -> None:
    runs = jobs(tmp_path / "a", FLOAT64, [["seed=0"], ["seed=1", "lr=0.02"]])
    section = {"_target_": "own_models.confident"}
    configs = [replace(run.config, loss=section) for run in runs]
    runs = [Job(c, run_id(c), tmp_path / "a" / run_id(c)) for c in configs]
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)


def test_each_run_of_a_stack_switches_for_itself(tmp_path: Path) -> None:
    common = (*FLOAT64, "optimizer=swats", "lr=0.01", "model.activation=tanh")
    varied = [
        ["seed=1", "optimizer.switch_tolerance=0.01"],
        ["seed=2", "optimizer.switch_tolerance=0.005"],
        ["seed=0", "optimizer.switch_tolerance=1e-9"],
    ]  # fmt: skip
    runs = jobs(tmp_path / "a", common, varied)
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)
    found = [(read_summary(run.directory) or {})["optimizer.switch_step"] for run in runs]
    assert found[2] is None
    assert None not in found[:2]
    assert found[0] != found[1]


@pytest.mark.parametrize("optimizer", ["adafactor", "muon", "schedule_free_adamw"])
def test_kernels_of_convolutions_have_their_own_shape_in_a_rule(
    optimizer: str, tmp_path: Path
) -> None:
    common = (
        "dtype=float64", "model=cnn", "model.channels=[3,4]", "model.hidden=[5]", "max_steps=9",
        "eval.every=1", "batch_size=128", f"optimizer={optimizer}", "lr=0.02",
    )  # fmt: skip
    runs = jobs(tmp_path / "a", common, [["seed=0"], ["seed=1"]])
    train_stacked(runs)
    _agree(runs, train_one_by_one(tmp_path / "b", runs), 1e-9)


def test_in_float32_runs_differ_by_rounding_only(tmp_path: Path) -> None:
    runs = jobs(tmp_path / "a", SMALL, [["seed=0"], ["seed=1", "lr=0.003"]])
    train_stacked(runs)
    for ours, theirs in zip(runs, train_one_by_one(tmp_path / "b", runs), strict=True):
        a, b = table(ours, "steps.csv"), table(theirs, "steps.csv")
        off = np.abs(a["loss"] / b["loss"] - 1)
        assert off[0] < 1e-6
        assert off.max() < 1e-3
        assert off.max() > 0  # else this compares a run with itself


def test_a_run_is_stopped_early_where_it_is_alone(tmp_path: Path) -> None:
    common = (*FLOAT64, "schedule=constant", "eval.every=1", "lr=0.3")
    varied = [
        ["seed=0"], ["seed=1", "stop.patience=1"], ["seed=2", "stop.patience=2"],
        ["seed=3", "stop.patience=1", "stop.metric=val_metric", "evaluate_test=true"],
        ["seed=0", "stop.patience=1", "stop.min_delta=5", "evaluate_test=true"],
    ]  # fmt: skip
    runs = jobs(tmp_path / "a", common, varied)
    train_stacked(runs)
    alone = train_one_by_one(tmp_path / "b", runs)
    _agree(runs, alone, 1e-6)
    for run, other in zip(runs, alone, strict=True):
        ours, theirs = read_summary(run.directory), read_summary(other.directory)
        for column in ("status", "reason", "steps", "epochs"):
            assert ours[column] == theirs[column]
        assert ours["final_val_loss"] == pytest.approx(theirs["final_val_loss"], rel=1e-6)
        assert (ours["test_loss"] is None) == (theirs["test_loss"] is None)
    ended = [read_summary(run.directory)["status"] for run in runs]
    assert ended[0] == "completed"
    assert ended.count("stopped") >= 2
    assert read_summary(runs[4].directory)["epochs"] == 2


@pytest.mark.parametrize("lr", [3.0, 300.0, 1e30])
def test_a_run_diverges_at_the_step_at_which_it_does_alone(lr: float, tmp_path: Path) -> None:
    common = (*FLOAT64, "optimizer=sgd", "limits.loss_factor=3")
    varied = [["seed=0", "lr=0.01"], ["seed=0", f"lr={lr}"], ["seed=1", "lr=0.01"]]
    runs = jobs(tmp_path / "a", common, varied)
    train_stacked(runs)
    alone = train_one_by_one(tmp_path / "b", runs)
    _agree(runs, alone, 1e-6)
    summary = read_summary(runs[1].directory)
    assert summary is not None
    assert summary["status"] == "diverged"
    assert summary["final_val_loss"] is None
