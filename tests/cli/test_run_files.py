"""The files of a run: their names, columns, and numbers checked by arithmetic of our own."""

import csv
import json
import math
from pathlib import Path

import pytest
import torch
import yaml
from cli_runs import QUICK, Cli, rows, summary

TRAIN = 106  # wine has 178 examples; 20 % each are for validation and test

ECONOMY = ["loss_average", "clipped_grad_norm", "clipped_share", "oscillation"]
STEPS = ["step", "epoch", "examples", "lr", "loss", "grad_norm", "clip_coef"]
EVALS = ["step", "epoch", "examples", "train_seconds", "weights", "split", "loss", "accuracy"]
SUMMARY = [
    "run_id",
    "study",
    "phase",
    "trial",
    "status",
    "reason",
    "engine",
    "optimizer",
    "schedule",
    "model",
    "dataset",
    "task",
    "batch_size",
    "accumulate",
    "effective_batch_size",
    "scaling",
    "base_lr",
    "lr",
    "seed",
    "epochs",
    "steps",
    "examples",
    "num_parameters",
    "num_decayed",
    "optimizer_state_bytes",
    "peak_memory_bytes",
    "train_seconds",
    "examples_per_second",
    "final_train_loss",
    "final_val_loss",
    "best_val_loss",
    "metric",
    "metric_direction",
    "gradient_evaluations",
    "function_evaluations",
    "final_val_metric",
    "best_val_metric",
    "best_val_step",
    "test_loss",
    "test_metric",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 3 epochs of 4 updates of 16 + 16 examples; the last update has 10."""
    cli = Cli(tmp_path_factory.mktemp("files") / "here")
    return cli.train(
        "run", "batch_size=16", "accumulate=2", "epochs=3", "lr=0.1", "scaling=linear",
        "clip_norm=0.5", "optimizer=nesterov", "seed=3",
    )  # fmt: skip


def header(path: Path) -> list[str]:
    with path.open(newline="") as file:
        return next(csv.reader(file))


def of_split(run: Path, split: str) -> list[dict[str, str]]:
    return [row for row in rows(run / "evals.csv") if row["split"] == split]


def test_a_run_leaves_the_files_of_the_contract_and_no_other(run: Path):
    names = {path.name for path in run.iterdir()}
    tables = {"steps.csv", "evals.csv", "summary.csv"}
    assert names == {"config.yaml", "environment.json", "manifest.json", *tables}


def test_the_columns_are_those_of_the_contract(run: Path):
    assert header(run / "steps.csv") == [*STEPS, *ECONOMY]
    assert header(run / "evals.csv") == EVALS
    found = header(run / "summary.csv")
    assert found[: len(SUMMARY)] == SUMMARY
    assert {"optimizer.momentum", "schedule.warmup_epochs"} < set(found[len(SUMMARY) :])
    own = [name.partition(".")[0] for name in found[len(SUMMARY) :]]
    techniques = ["average", "clip_norm", "parametrization", "decay", "staleness", "local_sgd"]
    techniques += ["lr_multipliers", "scaling", "contender", "replicate", "loss"]
    assert list(dict.fromkeys(own))[:2] == ["optimizer", "schedule"]
    assert set(own[own.index("average") :]) == {"model", "other_settings", *techniques}


def test_step_epoch_and_examples_count_every_example_once_an_epoch(run: Path):
    counted = [(r["step"], r["epoch"], r["examples"]) for r in rows(run / "steps.csv")]
    expected = [
        (str(4 * epoch + k), str(epoch + 1), str(TRAIN * epoch + min(32 * k, TRAIN)))
        for epoch in range(3)
        for k in range(1, 5)
    ]
    assert counted == expected


def test_evaluations_are_at_initialisation_and_after_each_epoch(run: Path):
    found = [(r["step"], r["epoch"], r["examples"], r["split"]) for r in rows(run / "evals.csv")]
    expected = [
        (str(4 * epoch), str(epoch), str(TRAIN * epoch), split)
        for epoch in range(4)
        for split in ("train", "val")
    ]
    assert found == expected
    assert {row["weights"] for row in rows(run / "evals.csv")} == {"raw"}


def test_the_gradient_norm_is_before_clipping_and_clip_coef_what_clipping_did(run: Path):
    clipped = 0
    for row in rows(run / "steps.csv"):
        norm = float(row["grad_norm"])
        assert float(row["clip_coef"]) == pytest.approx(min(1, 0.5 / (norm + 1e-6)), rel=1e-5)
        clipped += norm > 0.5
    assert 0 < clipped < 12, "the test needs steps with and without clipping"


def test_floats_read_back_exactly(run: Path):
    for row in rows(run / "steps.csv"):
        for column in ("lr", "loss", "grad_norm", "clip_coef"):
            assert repr(float(row[column])) == row[column]
    loss = summary(run)["final_val_loss"]
    assert loss == of_split(run, "val")[-1]["loss"]


def test_the_summary_agrees_with_the_tables(run: Path):
    row, last, val = summary(run), rows(run / "steps.csv")[-1], of_split(run, "val")
    assert row["status"] == "completed"
    assert (row["steps"], row["epochs"], row["examples"]) == ("12", "3", last["examples"])
    assert row["final_train_loss"] == of_split(run, "train")[-1]["loss"]
    assert row["final_val_loss"] == val[-1]["loss"]
    assert row["final_val_metric"] == val[-1]["accuracy"]
    assert float(row["best_val_loss"]) == min(float(r["loss"]) for r in val)
    best = max(float(r["accuracy"]) for r in val)
    assert float(row["best_val_metric"]) == best
    first = next(r["step"] for r in val if float(r["accuracy"]) == best)
    assert row["best_val_step"] == first
    assert row["metric"] == "accuracy"
    assert row["metric_direction"] == "max"
    seconds = float(row["train_seconds"])
    assert float(row["examples_per_second"]) == pytest.approx(3 * TRAIN / seconds)
    assert seconds == float(val[-1]["train_seconds"])


def test_the_summary_records_batch_sizes_learning_rates_and_parameters(run: Path):
    row = summary(run)
    assert (row["batch_size"], row["accumulate"], row["effective_batch_size"]) == ("16", "2", "32")
    assert (row["base_lr"], row["lr"], row["scaling"]) == ("0.1", repr(0.1 * 32 / 64), "linear")
    assert {r["lr"] for r in rows(run / "steps.csv")} == {row["lr"]}
    assert (row["num_parameters"], row["num_decayed"]) == (str(13 * 3 + 3), str(13 * 3))
    assert row["optimizer_state_bytes"] == str(4 * 42)  # one float32 momentum per parameter
    assert int(row["peak_memory_bytes"]) > 10_000_000
    names = ("optimizer", "schedule", "model", "dataset")
    assert [row[n] for n in names] == ["nesterov", "constant", "linear", "wine"]
    assert (row["seed"], row["optimizer.momentum"]) == ("3", "0.9")
    assert (row["gradient_evaluations"], row["function_evaluations"]) == ("12", "12")
    assert (row["study"], row["phase"], row["trial"], row["reason"]) == ("", "", "", "")


def test_the_test_split_is_left_alone(run: Path):
    assert of_split(run, "test") == []
    assert (summary(run)["test_loss"], summary(run)["test_metric"]) == ("", "")


def test_environment_json_says_what_it_ran_on(run: Path):
    found = json.loads((run / "environment.json").read_text())
    assert found["packages"]["torch"] == torch.__version__
    assert set(found["packages"]) >= {"sgdlab", "numpy", "hydra-core"}
    assert found["threads"] == torch.get_num_threads()
    assert found["device"] == "cpu" or torch.cuda.is_available()
    assert found["command"].startswith("sgdlab train dataset=wine")
    assert len(found["dataset_fingerprint"]) >= 8
    assert "git_commit" in found


def test_config_yaml_is_resolved(run: Path):
    config = yaml.safe_load((run / "config.yaml").read_text())
    assert config["lr"] == config["optimizer"]["lr"] == 0.1
    assert config["names"]["optimizer"] == "nesterov"
    assert "${" not in (run / "config.yaml").read_text()


def test_the_test_split_is_evaluated_once_on_request(sgdlab: Cli):
    run = sgdlab.train("run", "evaluate_test=true", "epochs=2")
    (test,) = of_split(run, "test")
    assert test["step"] == summary(run)["steps"] == "4"
    assert summary(run)["test_loss"] == test["loss"]
    assert summary(run)["test_metric"] == test["accuracy"]


def test_square_root_scaling_and_a_full_batch(sgdlab: Cli):
    run = sgdlab.train("run", "batch_size=full", "epochs=2", "scaling=sqrt", "lr=0.1")
    row, steps = summary(run), rows(run / "steps.csv")
    assert (row["batch_size"], row["effective_batch_size"]) == (str(TRAIN), str(TRAIN))
    assert float(row["lr"]) == pytest.approx(0.1 * math.sqrt(TRAIN / 64), rel=1e-15)
    assert [s["step"] for s in steps] == ["1", "2"]
    # The loss of a step is that before its update: here, that of the last evaluation.
    before = [float(r["loss"]) for r in of_split(run, "train")]
    assert [float(s["loss"]) for s in steps] == pytest.approx(before[:2], rel=1e-5)


def test_pure_sgd_makes_a_step_per_example(sgdlab: Cli):
    run = sgdlab.train("run", "batch_size=1", "epochs=1", "optimizer=sgd", "lr=0.01")
    assert summary(run)["steps"] == str(TRAIN)


def test_a_regression_is_measured_by_rmse(sgdlab: Cli):
    run = sgdlab.train("run", "dataset=diabetes", "max_steps=2")
    assert header(run / "evals.csv") == [*EVALS[:-1], "rmse"]
    row = summary(run)
    assert (row["task"], row["metric"], row["metric_direction"]) == ("regression", "rmse", "min")


def test_max_steps_ends_within_an_epoch_and_is_evaluated(sgdlab: Cli):
    run = sgdlab.train("run", "batch_size=16", "max_steps=9")
    assert [r["step"] for r in of_split(run, "val")] == ["0", "7", "9"]
    assert (summary(run)["steps"], summary(run)["epochs"]) == ("9", "2")


def test_a_single_run_goes_to_a_folder_of_its_date_and_prints_its_summary(sgdlab: Cli):
    result = sgdlab("train", *QUICK, "max_steps=1", "optimizer=adam")
    (run,) = sgdlab.folder.glob("runs/train/*-*-*/*")
    assert run.name.endswith(f"-adam-{summary(run)['run_id']}")
    assert str(run.relative_to(sgdlab.folder)) in result.out
    assert "completed" in result.out
