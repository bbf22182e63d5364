"""What a report compares: values of the settings asked for, else what the sweep varied."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from run_folders import make_run
from swept import make_sweep

from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.questions import MOST_HELD
from sgdlab.errors import InputError


def level(settings: Mapping[str, Any], seed: int) -> float:
    """Batch 32 is far better than 256, lr 0.01 the best; a small noise of seeds."""
    base = 0.9 if settings.get("batch_size", 32) == 32 else 0.3
    rate = {0.001: 0.04, 0.01: 0.0, 0.1: 0.02}[settings.get("lr", 0.01)]
    return base - rate + 0.001 * seed * (1 + settings.get("lr", 0.01))


RATES_AND_SIZES = {"lr": [0.001, 0.01, 0.1], "batch_size": [32, 256]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sweep(tmp_path_factory.mktemp("sweep"), RATES_AND_SIZES, level)


def names(analysis: Analysis) -> list[list[str]]:
    return [[entry.optimizer for entry in result.entries] for result in analysis.results]


def test_one_optimizer_is_compared_by_all_that_its_sweep_varied(folder: Path) -> None:
    (result,) = analyse([folder]).results
    assert result.workload.by == ("batch_size", "lr")
    assert [row["optimizer"] for row in result.rows[:2]] == [
        "batch_size=32 lr=0.01", "batch_size=32 lr=0.1",
    ]  # fmt: skip
    assert len(result.rows) == 6
    assert {row["n"] for row in result.rows} == {3}
    assert {row["settings_tried"] for row in result.rows} == {1}
    assert len(result.primary) == 15
    assert all(pair["n_pairs"] == 3 for pair in result.primary)


def test_what_is_not_compared_is_held_and_never_mixed(folder: Path) -> None:
    analysis = analyse([folder], by=["lr"])
    assert [result.workload.held for result in analysis.results] == [
        "batch_size=32", "batch_size=256",
    ]  # fmt: skip
    for result, base in zip(analysis.results, (0.9, 0.3), strict=True):
        assert result.workload.name == f"digits/mlp with {result.workload.held}"
        means = {row["optimizer"]: row["val_metric_mean"] for row in result.rows}
        for rate in RATES_AND_SIZES["lr"]:
            size = 32 if base > 0.5 else 256
            own = [level({"lr": rate, "batch_size": size}, seed) for seed in range(3)]
            assert means[f"lr={rate:g}"] == pytest.approx(math.fsum(own) / 3)
    held = analysis.comparison["held"]
    assert sorted(set(held)) == ["batch_size=256", "batch_size=32"]
    assert set(analysis.comparison["by"]) == {"lr"}


def test_the_line_of_learning_rates_never_joins_two_batch_sizes(folder: Path) -> None:
    (result,) = analyse([folder]).results
    lines = {one.optimizer: one for one in result.sensitivity}
    assert lines.keys() == {"batch_size=32", "batch_size=256"}
    assert all(value > 0.5 for _, value, _ in lines["batch_size=32"].points)
    assert all(value < 0.5 for _, value, _ in lines["batch_size=256"].points)
    assert {len(one.points) for one in result.sensitivity} == {9}


def test_several_optimizers_have_a_line_for_each_other_setting(tmp_path: Path) -> None:
    make_sweep(tmp_path, {"optimizer": ["sgd", "adamw"], **RATES_AND_SIZES}, level)
    (result,) = analyse([tmp_path]).results
    assert not result.workload.by
    assert len(result.rows) == 2
    assert sorted(one.optimizer for one in result.sensitivity) == [
        "adamw batch_size=256", "adamw batch_size=32", "sgd batch_size=256", "sgd batch_size=32",
    ]  # fmt: skip
    of_chosen = [one.optimizer for one in result.sensitivity if one.compared]
    assert sorted(of_chosen) == ["adamw batch_size=32", "sgd batch_size=32"]


def test_a_group_is_compared_without_what_comes_with_its_choices(tmp_path: Path) -> None:
    grid = {"schedule": ["cosine", "constant"]}
    make_sweep(tmp_path, grid, lambda s, seed: 0.8 + 0.1 * (s["schedule"] == "cosine") + seed / 99)
    (result,) = analyse([tmp_path]).results
    assert result.workload.by == ("schedule",)
    assert names(analyse([tmp_path], by=["schedule"])) == [["schedule=cosine", "schedule=constant"]]


def test_models_of_other_sizes_are_compared_where_that_is_asked(tmp_path: Path) -> None:
    make_sweep(
        tmp_path, {"model.width": [8, 16]}, lambda s, seed: s["model.width"] / 20 + seed / 99
    )
    analysis = analyse([tmp_path])
    assert names(analysis) == [["model.width=16", "model.width=8"]]
    assert analysis.results[0].workload.name == "digits/mlp"


def test_data_sets_are_never_compared_by_themselves(tmp_path: Path) -> None:
    grid = {"dataset": ["digits", "wine"], "model.dropout": [0.0, 0.2]}
    make_sweep(tmp_path, grid, lambda s, seed: 0.9 - s["model.dropout"] + seed / 99)
    analysis = analyse([tmp_path])
    assert [result.workload.name for result in analysis.results] == ["digits/mlp", "wine/mlp"]
    assert names(analysis) == [["model.dropout=0", "model.dropout=0.2"]] * 2


def test_of_too_many_other_settings_the_best_is_shown_and_said(tmp_path: Path) -> None:
    many = [0.001 * k for k in range(1, MOST_HELD + 2)]
    make_sweep(
        tmp_path, {"batch_size": [32, 256], "model.dropout": many},
        lambda s, seed: (0.9 if s["batch_size"] == 32 else 0.5) - s["model.dropout"] + seed / 999,
        seeds=2,
    )  # fmt: skip
    (result,) = analyse([tmp_path], by=["batch_size"]).results
    assert result.workload.pooled == ("model.dropout",)
    assert [entry.picked_from for entry in result.entries] == [len(many)] * 2
    assert [entry.settings["model.dropout"] for entry in result.entries] == [many[0]] * 2


def test_equal_values_are_one_and_close_ones_are_not(tmp_path: Path) -> None:
    for number, rate in enumerate([1, 1.0, 1.00001]):
        make_run(tmp_path / f"r{number}", lr=rate, seed=number)
    assert sorted(names(analyse([tmp_path], by=["lr"]))[0]) == ["lr=1.0", "lr=1.00001"]


def test_a_run_that_diverged_counts_in_its_own_cell(tmp_path: Path) -> None:
    make_sweep(
        tmp_path, {"lr": [0.1, 9.0]}, lambda s, seed: None if s["lr"] > 1 else 0.9 + seed / 99
    )
    (result,) = analyse([tmp_path]).results
    assert [(row["optimizer"], row["completed"], row["diverged"]) for row in result.rows] == [
        ("lr=0.1", 3, 0), ("lr=9", 0, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("by", "said"),
    [
        (["lrr"], "no setting 'lrr' in these runs; did you mean lr"),
        (["seed"], "seeds are what every mean is taken over; what varies: batch_size, lr"),
        (["epochs"], "epochs is 2 in all runs; what varies: batch_size, lr"),
        (["optimizer"], "optimizer is adamw in all runs"),
        (["lr", "optimizer.lr"], "names a setting twice"),
        (["batch_siz"], "did you mean batch_size"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_line(
    folder: Path, by: list[str], said: str
) -> None:
    with pytest.raises(InputError, match=f"--by {','.join(by)}: .*{said}") as refused:
        analyse([folder], by=by)
    assert "\n" not in str(refused.value)


def test_compared_conditions_are_no_fault_of_the_audit(folder: Path) -> None:
    (result,) = analyse([folder]).results
    checks = {check.check: check for check in result.audit}
    assert checks["same conditions"].status == "pass"
    inside = checks["best learning rate inside its range"]
    assert (inside.status, inside.detail) == ("pass", "best 0.01 of 0.001 to 0.1 (3 rates)")
