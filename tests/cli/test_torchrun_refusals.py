"""What torchrun is not for is refused in one line, before any file."""

import pytest
from cli_runs import Cli, refused

PLACE = {
    "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29999",
}  # fmt: skip


LOCAL, FSDP = ("distributed.algorithm=local_sgd",), "distributed.strategy=fsdp"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PLACE.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("started")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["train", "-m", "lr=0.1,0.2"], "train -m: torchrun has started 2 processes"),
        (["compare"], "compare: torchrun has started 2 processes"),
        (["report", "."], "report: torchrun has started 2 processes"),
        (["train", "engine=stacked"], "engine=stacked: not with the 2 processes"),
        (["train", "zero_grad=false"], "zero_grad=false: not with the 2 processes"),
        (["train", "local_sgd.workers=2"], "local_sgd.workers=2: not with the 2 processes"),
        (["train", "experiment=lessons/lr_gap"], "lesson"),
        (["train", "distributed.world_size=4"], "torchrun has started 2; torchrun --nproc-per"),
        (["train", "distributed.compression=fp8"], "distributed.compression=fp8"),
        (["train", "distributed.algorithm=asink"], "did you mean async?"),
        (["train", "local_sgd.steps=4"], "counts with distributed.algorithm=local_sgd"),
        (["train", "local_sgd.start=4"], "counts with distributed.algorithm=post_local_sgd"),
        (["train", *LOCAL, "local_sgd.start=4"], "steps first are distributed.algorithm=post_"),
        (["train", "distributed.algorithm=post_local_sgd"], "how many steps first? local_sgd.st"),
        (["train", *LOCAL, "distributed.compression=fp16"], "and this is local_sgd; compression="),
        (["train", FSDP, "distributed.compression=fp16"], "not with distributed.compression=fp16"),
        (["train", FSDP, "distributed.algorithm=async"], "not with distributed.algorithm=async"),
        (["train", FSDP, "average=ema"], "which average=ema asks for"),
        (["train", FSDP, "precision=fp16"], "not with precision=fp16"),
        (["train", FSDP, "compile=true"], "weights in parts are not compiled"),
        (["train", "staleness.correct_lr=true"], "distributed.algorithm=sync has none"),
        (["train", "distributed.max_staleness=2"], "with distributed.algorithm=async; leave it"),
        (
            ["train", "distributed.algorithm=async", "distributed.max_staleness=-1"],
            "distributed.max_staleness=-1: must be a whole number of updates from 0",
        ),
    ],
)
def test_under_torchrun(arguments: list[str], line: str, sgdlab: Cli):
    assert line in refused(sgdlab, *arguments)


def test_without_rendezvous(sgdlab: Cli, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    line = refused(sgdlab, "train")
    assert "WORLD_SIZE=2 without RANK, MASTER_ADDR, MASTER_PORT" in line


def test_without_torchrun(sgdlab: Cli):
    line = refused(sgdlab, "train", "distributed.world_size=2")
    assert "this is one process; torchrun --nproc-per-node=2 -m sgdlab train" in line


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("algorithm=local_sgd", "local_sgd.workers=4 simulates four"),
        ("algorithm=post_local_sgd", "local_sgd.workers=4 local_sgd.start=100 simulates four"),
        ("algorithm=async", "staleness.delay=3 simulates four"),
        ("strategy=fsdp", "distributed.strategy=ddp is that of one"),
    ],
)
def test_ways_of_several_processes_in_one(key: str, instead: str, sgdlab: Cli):
    line = refused(sgdlab, "train", f"distributed.{key}")
    assert f"distributed.{key}: of several processes, and this is one" in line
    assert instead in line
