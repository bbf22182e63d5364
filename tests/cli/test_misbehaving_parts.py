"""A part of the user's that misbehaves fails its own run and nothing else."""

import os
import re
import signal
from pathlib import Path

import pytest
from cli_runs import Cli, rows, summary, write

PART = """
    import os, sys, time
    import numpy, torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self, input_shape, num_outputs, how="none"):
            super().__init__()
            self.how, self.calls = how, 0
            if how == "double":
                torch.set_default_dtype(torch.float64)
            self.layer = nn.Linear(int(numpy.prod(input_shape)), num_outputs)

        def forward(self, x):
            self.calls += 1
            if self.calls > 9 and self.how in DEEDS:
                DEEDS[self.how]()
            return self.layer(x.flatten(1))

    class OwnError(BaseException):
        pass

    def fail(error):
        raise error

    DEEDS = {
        "exit": lambda: sys.exit(0),
        "_exit": lambda: os._exit(0),
        "interrupt": lambda: fail(KeyboardInterrupt()),
        "generator": lambda: fail(GeneratorExit()),
        "own": lambda: fail(OwnError("mine")),
        "surrogate": lambda: fail(RuntimeError("cannot read caf\\udce9.txt")),
        "value": lambda: fail(ValueError("Config group override")),
        "long": lambda: fail(RuntimeError("0.123456 " * 20000)),
        "grad": lambda: torch.set_grad_enabled(False),
        "input": lambda: fail(InputError("mine")),
    }
    from sgdlab.errors import InputError
"""
SWEPT = ("dataset=wine", "batch_size=16", "epochs=3", "schedule=constant", "model=net")
REASONS = {
    "exit": "SystemExit: 0",
    "_exit": "EndedProcessError: called os._exit(0), which would end the process",
    "interrupt": "KeyboardInterrupt",
    "generator": "GeneratorExit",
    "own": "OwnError: mine",
    "surrogate": "RuntimeError: cannot read caf\\xe9.txt",
    "value": "ValueError: Config group override",
    "input": "InputError: mine",
}


@pytest.fixture
def parts(sgdlab: Cli) -> Path:
    write(sgdlab.folder / "my/odd.py", PART)
    write(sgdlab.folder / "my/model/net.yaml", "_target_: odd.Net\nhow: none\n")
    return sgdlab.folder / "my"


@pytest.mark.slow
def test_whatever_it_raises_the_other_runs_are_made_as_alone(sgdlab: Cli, parts: Path):
    alone = sgdlab("train", "--config-dir", parts, *SWEPT, "hydra.run.dir=alone")
    assert alone.code == 0, alone.err
    hows = [*REASONS, "long", "double", "grad", "none"]
    swept = sgdlab(
        "train", "-m", "--config-dir", parts, *SWEPT, f"model.how={','.join(hows)}", "study=s"
    )
    assert swept.code == 1, swept.err
    assert "Traceback" not in swept.err
    found = {r["model.how"]: r for r in rows(sgdlab.folder / "runs/s/runs.csv")}
    for how, reason in REASONS.items():
        assert re.fullmatch(rf"{re.escape(reason)} at \S*odd\.py:\d+", found[how]["reason"])
    for how in REASONS:
        assert found[how]["status"] == "failed"
        own = sgdlab.folder / "runs/s" / found[how]["run_id"]
        assert len((own / "steps.csv").read_text().splitlines()) == 1 + int(found[how]["steps"])
    long = found["long"]
    assert len(long["reason"]) == 500
    error = sgdlab.folder / "runs/s" / long["run_id"] / "error.txt"
    assert "0.123456 " * 20000 in error.read_text()
    neighbour = sgdlab.folder / "runs/s" / found["none"]["run_id"]
    assert summary(neighbour)["run_id"] == summary(sgdlab.folder / "alone")["run_id"]
    steps = [(folder / "steps.csv").read_bytes() for folder in (neighbour, sgdlab.folder / "alone")]
    assert steps[0] == steps[1]


@pytest.mark.parametrize("how", ["exit", "surrogate"])
def test_a_single_run_fails_and_says_why(sgdlab: Cli, parts: Path, how: str):
    result = sgdlab("train", "--config-dir", parts, *SWEPT, f"model.how={how}", "hydra.run.dir=one")
    assert result.code == 1
    said = summary(sgdlab.folder / "one")["reason"]
    assert re.fullmatch(rf"{re.escape(REASONS[how])} at \S*odd\.py:\d+", said)
    assert REASONS[how] in result.out


def test_what_ends_at_once_is_refused(sgdlab: Cli, parts: Path):
    write(parts / "odd.py", PART.replace("self.calls > 9 and ", ""))
    result = sgdlab("train", "--config-dir", parts, *SWEPT, "model.how=exit", "hydra.run.dir=one")
    assert result.code == 2
    assert result.err.startswith("sgdlab: model=net: fails on ")
    assert "SystemExit: 0" in result.err
    assert not (sgdlab.folder / "one").exists()


def test_a_run_that_was_under_way_when_a_process_ended_is_tried_last(sgdlab: Cli, monkeypatch):
    sweep = ("train", "-m", "dataset=wine", "model=linear", "epochs=1", "seed=0,1,2", "study=s")
    assert sgdlab(*sweep).code == 0
    found = {r["seed"]: r["run_id"] for r in rows(sgdlab.folder / "runs/s/runs.csv")}
    for seed in "01":  # the first was being made, the second not begun
        (sgdlab.folder / "runs/s" / found[seed] / "summary.csv").unlink()
    (sgdlab.folder / "runs/s" / found["1"] / "config.yaml").unlink()
    made: list[str] = []
    real = os.replace

    def replace(part: str, target: Path) -> None:
        if Path(target).name == "summary.csv":
            made.append(Path(target).parent.name)
        real(part, target)

    monkeypatch.setattr(os, "replace", replace)
    again = sgdlab(*sweep)
    assert again.code == 0, again.err
    assert f"sweep: {found['0']} was under way when an earlier process ended" in again.err
    assert made == [found["1"], found["0"]]


@pytest.mark.slow
def test_with_a_process_of_its_own_a_run_may_do_anything(sgdlab: Cli, parts: Path):

    deed = '"kill": lambda: os.kill(os.getpid(), 9),'
    write(parts / "odd.py", PART.replace('"grad":', f'{deed}\n        "grad":'))
    swept = sgdlab(
        "train", "-m", "--config-dir", parts, *SWEPT, "model.how=kill,none", "isolate=true",
        "study=s",
    )  # fmt: skip
    assert swept.code == 1, swept.err
    found = {r["model.how"]: r for r in rows(sgdlab.folder / "runs/s/runs.csv")}
    assert found["kill"]["reason"] == f"its process was ended by {signal.SIGKILL.name}"
    assert found["none"]["status"] == "completed"
