"""A part of the user's own that raises is refused with kind, text, file and line of what it did."""

import sys
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, rows, write

TRACE = "; HYDRA_FULL_ERROR=1 shows the traceback\n"

PARTS = """
    import torch
    from torch import nn


    def table():
        return {}


    def data(n=300):
        return table()["zip"]


    class Built(nn.Linear):
        def __init__(self, input_shape, num_outputs):
            super().__init__(input_shape[0], num_outputs)
            table()["zip"]


    class Called(nn.Linear):
        def __init__(self, input_shape, num_outputs):
            super().__init__(input_shape[0], num_outputs)

        def forward(self, x):
            return super().forward(x[:, :-1])


    def loss(output, target):
        return table()["zip"]


    def metric(output, target):
        return table()["zip"]


    def schedule():
        def factor(step, total_steps, steps_per_epoch):
            return table()["zip"]

        return factor


    class Late:
        def __call__(self, step, total_steps, steps_per_epoch):
            return 1.0 if step < 3 else table()["zip"]


    class Rule(torch.optim.SGD):
        def step(self, closure=None):
            table()["zip"]


    class Callback:
        def on_step(self, run):
            if run.step == 2:
                table()["zip"]
"""
LINES = [line.strip() for line in PARTS.strip("\n").splitlines()]


@pytest.fixture
def own(sgdlab: Cli, monkeypatch) -> Path:
    """A folder of parts that fail, below the working directory."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    folder = sgdlab.folder / "my"
    write(folder / "places.py", PARTS)
    for group, name, target in (
        ("dataset", "boom", "data"), ("model", "built", "Built"), ("model", "called", "Called"),
        ("loss", "boom", "loss"), ("schedule", "boom", "schedule"), ("schedule", "late", "Late"),
    ):  # fmt: skip
        write(folder / group / f"{name}.yaml", f"_target_: places.{target}\n")
    write(folder / "dataset" / "boom.yaml", "_target_: places.data\nn: 300\n")
    write(folder / "optimizer" / "boom.yaml", "_target_: places.Rule\nlr: 0.1\n")
    metric = "_target_: places.metric\n_traits_: {direction: max}\n"
    write(folder / "metric" / "boom.yaml", metric)
    return folder


@pytest.mark.parametrize(
    "typed", ["dataset=boom", "model=built", "loss=boom", "metric=boom", "schedule=boom",
              "optimizer=boom"],
)  # fmt: skip
@pytest.mark.parametrize("command", [("train",), ("train", "-m", "seed=0,1")])
def test_the_place_is_that_in_the_users_code(
    sgdlab: Cli, own: Path, typed: str, command: tuple[str, ...]
):
    line = refused(sgdlab, *command, "--config-dir", "my", *QUICK, typed)
    assert typed in line
    places = [n for n, text in enumerate(LINES, 1) if 'table()["zip"]' in text]
    assert any(f"KeyError: 'zip' at my/places.py:{n}" in line for n in places), line
    assert TRACE in line


def test_the_place_is_the_users_own_where_torch_raises(sgdlab: Cli, own: Path):
    line = refused(sgdlab, "train", "--config-dir", "my", *QUICK, "model=called")
    number = LINES.index("return super().forward(x[:, :-1])") + 1
    assert "model=called: fails on a batch of [" in line
    assert f" at my/places.py:{number}" in line


def test_the_traceback_is_not_offered_where_it_is_shown(sgdlab: Cli, own: Path, monkeypatch):
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    result = sgdlab("train", "--config-dir", "my", *QUICK, "dataset=boom")
    assert "in data\n" in result.err
    assert not result.err.endswith(TRACE)


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("schedule=late", 'return 1.0 if step < 3 else table()["zip"]'),
        ("+callbacks.mine._target_=places.Callback", 'table()["zip"]'),
    ],
)
def test_in_the_middle_of_training_the_reason_has_the_place(
    sgdlab: Cli, own: Path, typed: str, text: str
):
    result = sgdlab("train", "--config-dir", "my", *QUICK, typed, "hydra.run.dir=run")
    assert result.code == 1, result.err
    (row,) = rows(sgdlab.folder / "run" / "summary.csv")
    last = max(n for n, line in enumerate(LINES, 1) if line == text)
    assert row["status"] == "failed"
    assert row["reason"].endswith(f"KeyError: 'zip' at my/places.py:{last}")


def test_a_part_of_ours_has_no_place(sgdlab: Cli):
    assert " at " not in refused(sgdlab, "train", *QUICK, "optimizer=adam", "optimizer.eps=-1")
