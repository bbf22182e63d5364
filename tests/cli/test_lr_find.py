"""``sgdlab lr-find`` as typed: its files, what it says, what it refuses, what it leaves alone."""

import shlex
from pathlib import Path

import pytest
import torch
from cli_runs import QUICK, Cli, Result, rows, write

from sgdlab.results import has_run

TEST = (*QUICK, "range.steps=40")


def lr_find(sgdlab: Cli, *arguments: object) -> Result:
    """Make a range test; it must succeed."""
    result = sgdlab("lr-find", *arguments)
    assert result.code == 0, result.err
    return result


def command_in(result: Result) -> list[str]:
    """Return the words of the one command that is printed."""
    (line,) = [line for line in result.out.splitlines() if line.startswith("  sgdlab train")]
    return shlex.split(line)


def test_one_range_test(sgdlab: Cli):
    result = lr_find(sgdlab, *TEST, "optimizer=adamw", "lr=0.5", "hydra.run.dir=here")
    folder = sgdlab.folder / "here"
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "lr_find.csv", "lr_find.svg", "suggestions.csv", "config.yaml", "environment.json",
        "written.sha256",
    }  # fmt: skip
    points = rows(folder / "lr_find.csv")
    assert list(points[0]) == ["lr", "loss", "smoothed"]
    assert len(points) == 40
    assert points[0]["lr"] == "1e-07"
    advice = {row["rule"]: row for row in rows(folder / "suggestions.csv")}
    assert list(advice) == ["steepest", "minimum/10", "valley", "slide", "median"]
    take = float(advice["median"]["lr"])
    assert command_in(result) == [
        "sgdlab", "train", *QUICK, "optimizer=adamw", f"lr={take:.2g}",
    ]  # fmt: skip
    assert "lr=0.5 does not count" in result.err
    for name in advice:
        assert name in result.out
        assert name in (folder / "lr_find.svg").read_text()
    assert "⠀" in result.out
    assert "files: here" in result.out
    assert not has_run(sgdlab.folder)  # nothing for `sgdlab report`


@pytest.mark.slow
def test_what_it_prints_can_be_typed(sgdlab: Cli):
    result = lr_find(sgdlab, *TEST, "model=mlp", "model.hidden=[8]")
    trained = sgdlab(*command_in(result)[1:], "epochs=3", "hydra.run.dir=run")
    assert trained.code == 0, trained.err
    assert rows(sgdlab.folder / "run" / "summary.csv")[0]["status"] == "completed"
    assert len(list(sgdlab.folder.glob("runs/lr-find/*/*-nesterov/lr_find.csv"))) == 1


@pytest.mark.slow
def test_rates_are_those_to_type_where_scaling_makes_others(sgdlab: Cli):
    result = lr_find(
        sgdlab, *TEST, "scaling=linear", "batch_size=32", "range.val=true", "hydra.run.dir=here"
    )
    points = rows(sgdlab.folder / "here" / "lr_find.csv")
    assert list(points[0]) == ["lr", "loss", "smoothed", "val_loss", "lr_used"]
    assert all(float(p["lr_used"]) == pytest.approx(float(p["lr"]) / 2) for p in points)
    (take,) = [r for r in rows(sgdlab.folder / "here" / "suggestions.csv") if r["rule"] == "median"]
    assert float(take["lr_used"]) == pytest.approx(float(take["lr"]) / 2)
    assert "lr used" in result.out
    assert command_in(result)[-1] == f"lr={float(take['lr']):.2g}"
    assert "evaluates 40 times 36 validation examples, beside 40 updates of 32" in result.err


def test_several_side_by_side(sgdlab: Cli):
    result = lr_find(sgdlab, "-m", *TEST, "optimizer=nesterov,adamw", "hydra.sweep.dir=both")
    folder = sgdlab.folder / "both"
    advice = rows(folder / "suggestions.csv")
    assert [row["job"] for row in advice] == ["nesterov"] * 5 + ["adamw"] * 5
    assert {row["job"] for row in rows(folder / "lr_find.csv")} == {"nesterov", "adamw"}
    assert (folder / "lr_find.svg").is_file()
    for name in ("nesterov", "adamw"):
        own = rows(folder / name / "suggestions.csv")
        assert [row["lr"] for row in own] == [r["lr"] for r in advice if r["job"] == name]
        assert f"sgdlab train {' '.join(QUICK)} optimizer={name} lr=" in result.out


@pytest.mark.slow
def test_jobs_are_named_by_all_that_varies(sgdlab: Cli):
    lr_find(sgdlab, "-m", *TEST, "optimizer=sgd,adamw", "batch_size=16,32", "hydra.sweep.dir=four")
    names = list(dict.fromkeys(r["job"] for r in rows(sgdlab.folder / "four" / "lr_find.csv")))
    assert names == [f"optimizer={o} batch_size={b}" for o in ("sgd", "adamw") for b in (16, 32)]
    assert (sgdlab.folder / "four" / "optimizer=sgd-batch_size=16" / "config.yaml").is_file()


def test_no_suggestion_is_said_and_no_command(sgdlab: Cli):
    result = lr_find(sgdlab, *TEST, "range.start=1000", "range.stop=1e8", "hydra.run.dir=here")
    assert "no suggestion" in result.out
    assert "lower range.start=1000" in result.out
    assert "sgdlab train" not in result.out
    assert {row["lr"] for row in rows(sgdlab.folder / "here" / "suggestions.csv")} == {""}


@pytest.mark.slow
@pytest.mark.parametrize("dataset", ["rosenbrock", "beale", "noisy_quadratic"])
def test_a_test_problem(sgdlab: Cli, dataset: str):
    result = lr_find(sgdlab, f"dataset={dataset}", "optimizer=adam", "dtype=float64")
    assert f"sgdlab train dataset={dataset} optimizer=adam dtype=float64 lr=" in result.out


@pytest.mark.slow
def test_a_full_batch_and_a_line_search(sgdlab: Cli):
    result = lr_find(sgdlab, *TEST, "optimizer=lbfgs", "batch_size=full", "range.steps=10")
    assert "lr is only where each search begins" in result.err


@pytest.mark.slow
def test_the_config_of_a_run_can_be_looked_at(sgdlab: Cli):
    sgdlab.train("run", "optimizer=sgd", "max_steps=1")
    result = lr_find(
        sgdlab, "--config-dir", "run", "--config-name", "config", "range.steps=20", "seed=3"
    )
    assert command_in(result)[:-1] == [
        "sgdlab", "train", "--config-dir", "run", "--config-name", "config", "seed=3",
    ]  # fmt: skip
    assert len(list(sgdlab.folder.glob("runs/lr-find/*/*-sgd/lr_find.csv"))) == 1
    assert sgdlab(*command_in(result)[1:], "max_steps=2", "hydra.run.dir=next").code == 0


@pytest.mark.slow
def test_parts_of_the_users_own(sgdlab: Cli, parts: Path):
    write(parts / "optimizer" / "plain.yaml", "_target_: torch.optim.SGD\nlr: 0.1\n")
    result = lr_find(sgdlab, "--config-dir", parts, *TEST, "optimizer=plain")
    assert f"sgdlab train --config-dir {parts} " in result.out
    assert sgdlab(*command_in(result)[1:], "max_steps=1").code == 0


def test_nothing_else_changes(sgdlab: Cli):
    alone = sgdlab.train("alone", "model=mlp", "model.dropout=0.5", "epochs=2")
    torch.manual_seed(5)
    state = torch.random.get_rng_state()
    lr_find(sgdlab, *TEST, "model=mlp", "model.dropout=0.5")
    assert torch.equal(torch.random.get_rng_state(), state)
    after = sgdlab.train("after", "model=mlp", "model.dropout=0.5", "epochs=2")
    for name in ("steps.csv", "config.yaml"):
        assert (alone / name).read_bytes() == (after / name).read_bytes()


@pytest.mark.slow
def test_it_repeats_byte_for_byte(sgdlab: Cli):
    for name in ("one", "two"):
        lr_find(sgdlab, *TEST, "model=mlp", "model.dropout=0.5", f"hydra.run.dir={name}")
    for file in ("lr_find.csv", "suggestions.csv", "lr_find.svg", "config.yaml"):
        one, two = ((sgdlab.folder / name / file).read_bytes() for name in ("one", "two"))
        assert one == two


@pytest.mark.slow
def test_a_failure_is_said_and_kept(sgdlab: Cli, parts: Path):
    write(
        parts / "broken.py",
        """
        import torch

        class Net(torch.nn.Linear):
            def __init__(self, input_shape, num_outputs):
                super().__init__(input_shape[0], num_outputs)
                self.calls = 0

            def forward(self, x):
                self.calls += self.training
                if self.calls > 3:
                    raise RuntimeError("it broke")
                return super().forward(x)
        """,
    )
    write(parts / "model" / "net.yaml", "_target_: broken.Net\n")
    wine = ("dataset=wine", "schedule=constant", "model=net")
    result = sgdlab("lr-find", "--config-dir", parts, *wine, "hydra.run.dir=here")
    assert result.code == 1
    assert f"RuntimeError: it broke at {parts / 'broken.py'}:11; see here" in result.err
    assert "it broke" in (sgdlab.folder / "here" / "error.txt").read_text()
    both = sgdlab("lr-find", "--config-dir", parts, "-m", *wine[:2], "model=net,linear")
    assert both.code == 1
    assert "model=linear" in both.out


REFUSED = [
    ("range.start=1 range.stop=0.1", "range.start=1 range.stop=0.1: start must be below stop"),
    ("range.steps=1", "range.steps=1: must be a whole number from 10"),
    ("range.steps=2.5", "range.steps=2.5: expected a whole number"),
    ("range.strat=1", "range.strat=1: no such key in range; did you mean range.start=1?"),
    ("rnage.start=1", "rnage.start=1: no such key; did you mean range.start=1?"),
    ("optimizer=rprop", "optimizer=rprop: reads lr before its first step only"),
    ("accumulate=1000", "at most accumulate=17"),
    ("-m lr=0.1,0.2", "lr: lr-find goes through the rates by itself"),
    ("-m optimizer=sgd,sgd", "twice"),
    ("-m range.steps=20,1", "range.steps=1: must be a whole number from 10"),
]


@pytest.mark.parametrize(("typed", "says"), REFUSED, ids=[typed for typed, _ in REFUSED])
def test_bad_input_is_refused_in_one_line(sgdlab: Cli, typed: str, says: str):
    result = sgdlab("lr-find", *typed.split())
    assert (result.code, result.out) == (2, "")
    (line,) = result.err.splitlines()
    assert line.startswith("sgdlab: ")
    assert says in line
    assert not list(sgdlab.folder.rglob("*"))


def test_a_folder_that_holds_a_run_is_refused(sgdlab: Cli):
    run = sgdlab.train("run", "max_steps=1")
    before = {path: path.read_bytes() for path in run.iterdir()}
    result = sgdlab("lr-find", *TEST, "hydra.run.dir=run")
    assert result.code == 2
    assert "run holds a run: choose another hydra.run.dir" in result.err
    assert {path: path.read_bytes() for path in run.iterdir()} == before
