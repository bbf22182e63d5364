"""A run repeats from its own config.yaml; its id says what determines it."""

from pathlib import Path

import pytest
import torch
from cli_runs import QUICK, Cli, same_run, summary, write

OWN_MODEL = """
    from torch import nn


    class Narrow(nn.Module):
        def __init__(self, input_shape, num_outputs, width=3):
            super().__init__()
            self.layers = nn.Sequential(
                nn.Linear(input_shape[0], width), nn.Dropout(0.2), nn.Linear(width, num_outputs)
            )

        def forward(self, x):
            return self.layers(x)
"""


def repeat(cli: Cli, run: Path, elsewhere: Path) -> Path:
    there = Cli(elsewhere)
    result = there(
        "train", "--config-dir", str(run), "--config-name", "config", "hydra.run.dir=again"
    )
    assert result.code == 0, result.err
    return elsewhere / "again"


def test_a_run_repeats_byte_for_byte_from_its_own_config(sgdlab: Cli, tmp_path: Path):
    run = sgdlab.train(
        "run", "model=mlp", "model.dropout=0.3", "model.hidden=[8]", "optimizer=adamw",
        "optimizer.betas=[0.8,0.95]", "schedule=cosine", "schedule.warmup_epochs=0.5",
        "batch_size=16", "accumulate=2", "clip_norm=1", "scaling=sqrt", "epochs=3", "seed=5",
        "evaluate_test=true", "lr=0.02", "decay.bias_and_norm=true", "split.seed=4",
    )  # fmt: skip
    again = repeat(sgdlab, run, tmp_path / "elsewhere")
    assert same_run(run, again)
    assert (run / "config.yaml").read_bytes() == (again / "config.yaml").read_bytes()


def test_a_run_of_the_users_own_model_repeats_from_another_folder(
    sgdlab: Cli, parts: Path, tmp_path: Path
):
    write(parts / "own_narrow.py", OWN_MODEL)
    write(parts / "model" / "narrow.yaml", "_target_: own_narrow.Narrow\nwidth: 3\n")
    run = sgdlab.train("run", "model=narrow", "model.width=4", "epochs=2", parts=parts)
    assert summary(run)["model"] == "narrow"
    assert summary(run)["num_parameters"] == str(13 * 4 + 4 + 4 * 3 + 3)
    again = repeat(sgdlab, run, tmp_path / "elsewhere")
    assert same_run(run, again)
    assert (run / "config.yaml").read_bytes() == (again / "config.yaml").read_bytes()


def test_another_seed_is_another_run(sgdlab: Cli):
    one = sgdlab.train("one", "max_steps=2", "seed=0")
    other = sgdlab.train("other", "max_steps=2", "seed=1")
    assert (one / "steps.csv").read_bytes() != (other / "steps.csv").read_bytes()


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """A working directory whose folder ``run`` holds a run with lr=1."""
    cli = Cli(tmp_path_factory.mktemp("ids") / "here")
    cli.train("run", "max_steps=2", "lr=1")
    return cli


def again(cli: Cli, *arguments: str) -> str:
    """Type the run of ``taken`` again with more arguments; return the note or the refusal."""
    return cli("train", *QUICK, "hydra.run.dir=run", "max_steps=2", "lr=1", *arguments).err


@pytest.mark.parametrize(
    "label",
    [
        ("lr=1.0",),
        ("optimizer.lr=1",),
        ("schedule.warmup_epochs=0",),
        ("study=mine", "phase=final", "trial=7"),
        ("checkpoint.every=5",),
        pytest.param(("device=cpu",), marks=pytest.mark.skipif(
            torch.cuda.is_available(), reason="auto is not cpu here")),
    ],
    ids=" ".join,
)  # fmt: skip
def test_what_does_not_determine_the_result_does_not_change_the_id(taken: Cli, label):
    assert "run is finished" in again(taken, *label)


@pytest.mark.parametrize(
    "setting",
    ["seed=1", "lr=0.5", "epochs=7", "optimizer.momentum=0.8", "batch_size=32", "split.seed=1"],
)
def test_what_determines_the_result_changes_the_id(taken: Cli, setting: str):
    assert "run holds another run" in again(taken, setting)


def test_lr_set_inside_the_optimizer_is_the_same_run(sgdlab: Cli):
    run = sgdlab.train("run", "max_steps=1", "optimizer.lr=0.3")
    assert summary(run)["base_lr"] == "0.3"
    result = sgdlab("train", *QUICK, "hydra.run.dir=run", "max_steps=1", "lr=0.3")
    assert "run is finished" in result.err


def test_a_finished_run_trains_again_on_request_only(sgdlab: Cli):
    run = sgdlab.train("run", "max_steps=1")
    written = (run / "steps.csv").stat().st_mtime_ns
    sgdlab.train("run", "max_steps=1")
    assert (run / "steps.csv").stat().st_mtime_ns == written
    identity = summary(run)["run_id"]
    sgdlab.train("run", "max_steps=1", "resume=false")
    assert (run / "steps.csv").stat().st_mtime_ns > written
    assert summary(run)["run_id"] == identity
