"""Several processes make the run of one process with the whole batch: real ones, over gloo."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from sgdlab.config.resolve import run_config_of
from sgdlab.config.torchrun import launch
from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.steps.batches import BatchPlan
from sgdlab.training.rendezvous import backend_of
from torchrun_runs import (
    by_script,
    environment,
    kill_after_a_checkpoint,
    process_of,
    start,
    together,
)
from trainer_runs import config_of, train

SHORT = ("dtype=float64", "batch_size=16", "max_steps=50")


def alone(case: tuple[str, ...], processes: int):
    """Train a case in one process, with the whole batch."""
    own = [
        f"batch_size={int(o[11:]) * processes}"
        if o[:11] == "batch_size=" and o[11:] != "full"
        else o
        for o in case
    ]
    return train(*own)


def assert_same(found: dict, case: tuple[str, ...], processes: int, tolerance: float = 1e-9):
    outcome, rows, run = alone(case, processes)
    assert found["status"] == outcome.status
    assert found["lr"] == run.lr
    assert found["effective"] == run.plan.effective_batch_size
    # `sent_bytes` comes last in a step; an evaluation has its seconds in the fourth place.
    steps = [row[:-1] for row in found["steps"]]
    untimed = (
        [[*row[:3], *row[4:]] for row in every] for every in (rows.evaluations, found["evals"])
    )
    for own, kept in ((rows.step_rows, steps), tuple(untimed)):
        assert len(own) == len(kept) > 0
        for one, other in zip(own, kept, strict=True):
            for a, b in zip(one, other, strict=True):
                same = isinstance(a, float) and a == pytest.approx(b, rel=tolerance, abs=tolerance)
                assert a == b or same, (one, other)


def test_two_processes_make_the_run_of_one(tmp_path: Path):
    cases = [
        ("dataset=wine", "model=mlp", *SHORT, "accumulate=2", "clip_norm=0.3", "scaling=linear"),
        ("dataset=wine", "model=mlp", *SHORT, "model.batch_norm=true", "optimizer=adamw",
         "average=ema"),
    ]  # fmt: skip
    for found, case in zip(together(tmp_path, 2, *cases), cases, strict=True):
        assert_same(found, case, 2)
        assert sum(found["examples"]) == 2 * found["train"]  # two epochs
        numbers = sum(p.numel() for p in alone(case, 2)[2].model.parameters())
        assert {row[-1] for row in found["steps"]} == {8 * numbers}


@pytest.mark.slow
def test_every_kind_of_step_is_that_of_one_process(tmp_path: Path):
    (tmp_path / "short.txt").write_text("to be or not to be that is the question " * 30)
    text = ("dataset=text", f"dataset.path={tmp_path / 'short.txt'}", "dataset.context=8",
            "model=gpt", "model.width=8", "model.depth=1", "dtype=float64", "batch_size=4",
            "max_steps=50", "loss=cross_entropy", "loss.ignore_index=32")  # fmt: skip
    digits, wine = ("dataset=digits", "model=mlp", *SHORT), ("dataset=wine", "model=mlp", *SHORT)
    cases = [
        (*digits, "optimizer=muon", "scaling=sqrt"),
        (*digits, "optimizer=lamb"),
        (*digits, "model.batch_norm=true", "accumulate=2", "last_batch=merge", "average=ema"),
        (*digits, "optimizer=schedule_free_adamw", "schedule=constant"),
        (*wine, "last_batch=drop", "clip_value=0.01"),
        # Of few steps on all examples: it amplifies rounding, in one process, too.
        (*wine, "optimizer=lbfgs", "lr=0.05", "max_steps=4", "batch_size=full"),
        (
            "dataset=wine",
            "model=linear",
            *SHORT,
            "optimizer=kiefer_wolfowitz",
            "lr=0.01",
            "max_steps=20",
        ),
        ("dataset=imbalanced", "model=mlp", *SHORT, "loss=weighted_cross_entropy"),
        (*digits, "augment.crop=1", "augment.mixup=0.2", "model=cnn", "max_steps=10"),
        text,
    ]
    for found, case in zip(together(tmp_path, 2, *cases), cases, strict=True):
        assert_same(found, case, 2)


@pytest.mark.slow
def test_diagnostics_are_over_the_whole_batch(tmp_path: Path):
    case = ("dataset=wine", "model=mlp", *SHORT, "diagnostics=business", "diagnostics.every=5",
            "~diagnostics.quantities.dead_units")  # fmt: skip
    (found,) = together(tmp_path, 2, case)
    assert_same(found, case, 2)


@pytest.mark.slow
def test_four_processes_some_without_a_part_of_the_last_batch(tmp_path: Path):
    case = ("dataset=wine", "model=mlp", "dtype=float64", "batch_size=13", "max_steps=50",
            "optimizer=adamw")  # fmt: skip
    assert 106 % (4 * 13) < 4
    (found,) = together(tmp_path, 4, case)
    assert_same(found, case, 4)
    assert sum(found["examples"]) == 2 * found["train"]


@pytest.mark.slow
def test_compressed_gradients_are_smaller_and_near(tmp_path: Path):
    own = ("dataset=digits", "model=mlp", "batch_size=16", "max_steps=50")
    kinds = ("none", "fp16", "bf16", "powersgd")
    cases = [(*own, f"distributed.compression={kind}") for kind in kinds]
    none, *others = together(tmp_path, 2, *cases)
    whole = none["steps"][-1][-1]
    for kind, found in zip(kinds[1:], others, strict=True):
        assert found["steps"][-1][-1] <= whole / 2
        assert found["steps"] != none["steps"]
        last, plain = (run["steps"][-1][4] for run in (found, none))
        assert last == pytest.approx(plain, rel=0.5 if kind == "powersgd" else 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "rank"), [("fp16", 1), ("powersgd", 2)])
def test_compression_is_that_of_torch_under_ddp(tmp_path: Path, kind: str, rank: int):
    """With one matrix both draw PowerSGD's first factor alike; bf16 torch refuses on a CPU."""
    own = ("dataset=digits", "model=linear", "dtype=float64", "batch_size=16", "max_steps=30",
           "optimizer=sgd", "lr=0.5", "schedule=constant", "scaling=none")  # fmt: skip
    case = (*own, f"distributed.compression={kind}", f"distributed.powersgd_rank={rank}")
    (found,) = together(tmp_path, 2, case)
    theirs = by_script(tmp_path, "ddp_hook.py", 2, kind, str(rank), ";".join(own))
    for one, other in zip(found["weights"], theirs, strict=True):
        assert one == pytest.approx(other, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("last", ["keep", "drop", "merge"])
@pytest.mark.parametrize(("size", "accumulate", "world"), [(4, 1, 2), (3, 2, 3), (5, 1, 4)])
def test_shards_are_disjoint_and_cover_the_epoch(last, size: int, accumulate: int, world: int):
    train_ = Split(torch.arange(67.0)[:, None], torch.arange(67))
    plans = [BatchPlan.of(size, accumulate, 67, 1, last, world, rank) for rank in range(world)]
    one = BatchPlan.of(size * world, accumulate, 67, 1, last)
    assert {plan.as_one() for plan in plans} == {one}
    assert {plan.effective_batch_size for plan in plans} == {size * accumulate * world}
    for skip in (0, 2):
        whole = [
            sorted(torch.cat([b.y for b in u]).tolist()) for u in one.epoch(train_, 3, 1, skip)
        ]
        for change in (None, lambda _, update: update):  # both ways to cut
            shares = zip(*(plan.epoch(train_, 3, 1, skip, change) for plan in plans), strict=True)
            for update, parts in zip(whole, shares, strict=True):
                rows = [int(y) for part in parts for batch in part for y in batch.y]
                assert sorted(rows) == update
                sizes = [sum(len(batch.y) for batch in part) for part in parts]
                assert max(sizes) - min(sizes) <= accumulate + 1


def test_what_carries_tensors_is_asked_before_it_fails():
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    assert backend_of(config_of("dataset=wine"), cpu) == "gloo"
    with pytest.raises(InputError, match="nccl: carries tensors between GPUs, and this run is on"):
        backend_of(config_of("distributed.backend=nccl"), cpu)
    config = config_of("distributed.backend=gloo").plain()
    for key, value in (("algorithm", "async"), ("strategy", "fsdp")):
        own = {"distributed": config["distributed"] | {key: value}}
        with pytest.raises(InputError, match=f"{key}={value} sends; use distributed.backend=nccl"):
            backend_of(run_config_of(config | own), gpu)


def test_full_batch_is_shared_out():
    plans = [BatchPlan.of("full", 1, 67, world_size=4, rank=rank) for rank in range(4)]
    assert {(plan.effective_batch_size, plan.steps_per_epoch) for plan in plans} == {(67, 1)}


def test_a_batch_that_all_cannot_take_is_refused():
    with pytest.raises(InputError, match=r"2 processes take 80 examples together.*batch_size=33"):
        BatchPlan.of(40, 1, 67, world_size=2)


def test_what_torchrun_says_is_read_and_its_absence_too():
    said = {
        "RANK": "1",
        "WORLD_SIZE": "4",
        "LOCAL_RANK": "1",
        "MASTER_ADDR": "a",
        "MASTER_PORT": "1",
    }
    assert launch(said) == (1, 4, 1)
    assert launch({}) is None
    with pytest.raises(InputError, match="WORLD_SIZE=4 without MASTER_ADDR, MASTER_PORT"):
        launch({"RANK": "1", "WORLD_SIZE": "4"})
    with pytest.raises(InputError, match="no place"):
        launch(said | {"RANK": "4"})


LONG = ("dataset=digits", "model=mlp", "dtype=float64", "epochs=30", "checkpoint.every=20")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_is_named_and_the_run_goes_on(tmp_path: Path, rank: int):
    own = (*LONG, "batch_size=8", "hydra.run.dir=run")
    torchrun = start(tmp_path, 2, *own)
    kill_after_a_checkpoint(torchrun, tmp_path / "run", rank)
    began = time.monotonic()
    _, err = torchrun.communicate(timeout=60)
    assert time.monotonic() - began < 30
    assert torchrun.returncode != 0
    assert f"sgdlab: lost rank {rank} (" in err
    assert not (tmp_path / "run" / "summary.csv").exists()
    # Four with half the batch each make the same updates, on from the checkpoint.
    other = start(tmp_path, 4, *LONG, "batch_size=4", "hydra.run.dir=run")
    _, err = other.communicate(timeout=120)
    assert other.returncode == 0, err
    assert "of 2 processes with 4, exactly but for rounding" in err


@pytest.mark.slow
def test_torchrun_restarts_and_ends_with_the_same_tables(tmp_path: Path):
    own = (*LONG, "batch_size=8")
    torchrun = start(tmp_path, 2, *own, options=("--max-restarts", "1"))
    end = time.monotonic() + 60
    while not (found := list(tmp_path.glob("runs/train/*/*/checkpoint.pt"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process_of(1, torchrun.pid), signal.SIGKILL)
    _, err = torchrun.communicate(timeout=120)
    assert torchrun.returncode == 0, err
    whole = start(tmp_path, 2, *own, "hydra.run.dir=whole")
    whole.communicate(timeout=120)
    assert len(list(tmp_path.glob("runs/train/*/*"))) == 1
    rows = [(d / "steps.csv").read_bytes() for d in (found[0].parent, tmp_path / "whole")]
    assert rows[0] == rows[1]


@pytest.mark.slow
def test_another_number_of_processes_is_refused_where_they_draw(tmp_path: Path):
    own = (*LONG, "model.dropout=0.1", "hydra.run.dir=run")
    torchrun = start(tmp_path, 2, *own, "batch_size=8")
    kill_after_a_checkpoint(torchrun, tmp_path / "run", 1)
    torchrun.communicate(timeout=60)
    other = start(tmp_path, 4, *own, "batch_size=4")
    _, err = other.communicate(timeout=120)
    assert other.returncode != 0
    assert "cannot go on exactly: something in it draws at random (dropout)" in err


@pytest.mark.slow
def test_processes_that_are_started_unlike_are_refused(tmp_path: Path):
    own = ("dataset=wine", "model=linear", "batch_size=8", "epochs=1", "schedule=constant")
    folders = []
    for name in "ab":
        folders.append(tmp_path / name)
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "net.py").write_text(
            f"import torch\ndef net(num_outputs):\n    '{name}'\n"
            "    return torch.nn.Linear(13, num_outputs)\n"
        )
        (tmp_path / name / "model" / "own.yaml").write_text("_target_: net.net\n")
    code = [(f"--config-dir={folder}", "model=own") for folder in folders]
    lines = [_line_of(tmp_path, own, ("lr=0.1",), ("lr=0.2",)), _line_of(tmp_path, own, *code)]
    assert "rank 1 has optimizer.lr=0.2, rank 0 has 0.1" in lines[0]
    assert "rank 1 has other code (net.py changed)" in lines[1]
    assert not (tmp_path / "runs").exists()


def _line_of(folder: Path, common: tuple[str, ...], *each: tuple[str, ...]) -> str:
    port = str(40_000 + (os.getpid() + len(each[0])) % 20_000)
    place = {"WORLD_SIZE": str(len(each)), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    started = [
        subprocess.Popen(
            (sys.executable, "-m", "sgdlab", "train", *common, *own), cwd=folder,
            env=environment() | place | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE, text=True,
        )
        for rank, own in enumerate(each)
    ]  # fmt: skip
    ends = [(process.communicate(timeout=150)[1], process.returncode) for process in started]
    assert [code for _, code in ends] == [2] * len(each)
    return ends[0][0]
