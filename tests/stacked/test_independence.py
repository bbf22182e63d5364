"""The bytes of a run do not depend on the runs beside it."""

import threading
import weakref
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stacked_runs import grouped, jobs, train_stacked

from sgdlab import signals
from sgdlab.config.job import Job
from sgdlab.results import read_summary
from sgdlab.stacked import fit
from sgdlab.stacked.launch import torch_state, train_group
from sgdlab.stacked.runner import StackRunner

TABLES = ("steps.csv", "evals.csv", "summary.csv")


def _bytes(runs: list[Job]) -> dict[str, list[bytes]]:
    return {run.run_id: [(run.directory / name).read_bytes() for name in TABLES] for run in runs}


COMMON = ("dataset=wine", "batch_size=13", "max_steps=25", "eval.every=2")
SIX = [
    ["seed=0"], ["seed=1", "clip_norm=0.1"], ["seed=0", "lr=0.3"], ["seed=2", "optimizer=sgd"],
    ["seed=1", "optimizer=momentum", "optimizer.weight_decay=0"], ["seed=3", "lr=1e6"],
]  # fmt: skip


@pytest.mark.parametrize(
    "own",
    [
        ("model.hidden=[8,6]",),
        ("model.hidden=[7,1]", "model.activation=silu"),
        ("model.hidden=[16]", "model.activation=gelu", "dtype=float64"),
        ("model.hidden=[5]", "model.batch_norm=true", "model.activation=elu"),
        ("model.hidden=[9]", "model.dropout=0.4", "model.activation=sigmoid"),
        ("model.hidden=[3]", "accumulate=3", "loss=mse", "model.activation=tanh"),
        ("model.hidden=[7]", "loss=hinge"),
        ("model.hidden=[7]", "average=polyak", "model.batch_norm=true"),
        ("model.hidden=[5]", "average=ema", "average.decay=0.7", "evaluate_test=true"),
    ],
    ids=lambda own: " ".join(own),
)
def test_alone_in_pairs_and_in_any_order(own: tuple[str, ...], tmp_path: Path) -> None:
    everything = jobs(tmp_path / "a", (*COMMON, *own), SIX)
    train_stacked(everything)
    expected = _bytes(everything)
    assert b"diverged" in expected[everything[-1].run_id][2]
    for folder, order in (("b", [[0], [3]]), ("c", [[4, 1], [5, 2, 0, 3]])):
        runs = jobs(tmp_path / folder, (*COMMON, *own), SIX)
        for indices in order:
            train_stacked([runs[i] for i in indices])
        done = [runs[i] for indices in order for i in indices]
        assert _bytes(done) == {run.run_id: expected[run.run_id] for run in done}


@pytest.mark.parametrize(
    "optimizer",
    [
        "adamax", "radam", "adadelta", "rprop", "asgd", "schedule_free_sgd", "schedule_free_adamw",
        "muon", "adafactor", "swats",
    ],
)  # fmt: skip
def test_with_any_rule(optimizer: str, tmp_path: Path) -> None:
    common = (*COMMON, "model.hidden=[7]", f"optimizer={optimizer}")
    varied = [["seed=0"], ["seed=1", "lr=0.003"], ["seed=2", "lr=1e30"], ["seed=3"], ["seed=4"]]
    runs = jobs(tmp_path / "a", common, varied)
    train_stacked(runs)
    for index in (0, 1, 4):
        alone = jobs(tmp_path / "b", common, [varied[index]])
        train_stacked(alone)
        assert _bytes(alone) == _bytes([runs[index]])


def test_convolutions_too(tmp_path: Path) -> None:
    common = (
        "model=cnn",
        "model.channels=[3,5]",
        "model.hidden=[7]",
        "max_steps=6",
        "eval.every=9",
    )
    varied = [["seed=0"], ["seed=1"], ["seed=2"], ["seed=0", "lr=0.1"], ["seed=0", "clip_norm=1"]]
    runs = jobs(tmp_path / "a", common, varied)
    train_stacked(runs)
    for index in (0, 4):
        alone = jobs(tmp_path / "b", common, [varied[index]])
        train_stacked(alone)
        assert _bytes(alone) == _bytes([runs[index]])


@pytest.mark.slow
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(
    hidden=st.lists(st.integers(1, 33), min_size=0, max_size=2),
    batch=st.integers(1, 40),
    count=st.integers(2, 5),
    threads=st.sampled_from([1, 2]),
)
def test_for_any_widths(
    hidden: list[int],
    batch: int,
    count: int,
    threads: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    common = (
        "dataset=wine", f"model.hidden={hidden}".replace(" ", ""), f"batch_size={batch}",
        "max_steps=5", f"threads={threads}", "optimizer=adam",
    )  # fmt: skip
    varied = [[f"seed={i}", f"lr={0.001 * (i + 1)}"] for i in range(count)]
    folder = tmp_path_factory.mktemp("runs")
    runs = jobs(folder / "a", common, varied)
    train_stacked(runs)
    for index in (0, count - 1):
        alone = jobs(folder / "b", common, [varied[index]])
        train_stacked(alone)
        assert _bytes(alone) == _bytes([runs[index]])


def test_memory_splits_a_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sgdlab.stacked import begin, launch

    sizes: list[int] = []
    real = begin.Stack

    def counting(group, stacked, *rest):
        sizes.append(len(stacked))
        return real(group, stacked, *rest)

    monkeypatch.setattr(begin, "Stack", counting)
    whole = jobs(tmp_path / "a", COMMON, SIX)
    train_stacked(whole)
    assert sizes == [6]
    sizes.clear()
    _, group = grouped(whole)
    room = 2 * launch.bytes_per_run(group) + 10
    small = jobs(tmp_path / "b", (*COMMON, f"stacked.max_memory={room}"), SIX)
    train_stacked(small)
    assert sizes == [2, 2, 2]
    assert _bytes(small) == _bytes(whole)


def test_running_out_of_memory_halves_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sgdlab.stacked.fit import StackFit

    real = StackFit.advance

    def hungry(self, until: int) -> None:
        if len(self.stack.runs) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        real(self, until)

    whole = jobs(tmp_path / "a", COMMON, SIX)
    train_stacked(whole)
    monkeypatch.setattr(StackFit, "advance", hungry)
    runs = jobs(tmp_path / "b", COMMON, SIX)
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    assert _bytes(runs) == _bytes(whole)
    assert "out of memory with 6 runs in one stack: going on with 3" in capsys.readouterr().err


def test_a_stack_that_is_halved_lets_go_of_the_failed_one_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the error refers to itself, and where it comes at the second advance."""
    from sgdlab.stacked import begin

    made: list[weakref.ref[object]] = []
    alive: list[int] = []
    real = begin.Stack

    def watched(group, stacked, *rest):
        alive.append(sum(ref() is not None for ref in made))
        stack = real(group, stacked, *rest)
        made.extend(weakref.ref(p) for p in [stack, *stack.params])
        return stack

    real_block = fit.StackFit._block

    def hungry(self: fit.StackFit, *where: int) -> None:
        if len(self.stack.runs) > 2 and self.step:
            error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            error.args = (*error.args, error)
            raise error
        real_block(self, *where)

    monkeypatch.setattr(begin, "Stack", watched)
    monkeypatch.setattr(fit.StackFit, "_block", hungry)
    runs = jobs(tmp_path, COMMON, SIX[:4])
    planner, group = grouped(runs)
    runner = StackRunner(planner, group, runs, None)
    with torch_state(group):
        runner.advance(1)
        runner.advance(group.total_steps)
    assert alive == [0, 0, 0]
    found = [read_summary(run.directory) for run in runs]
    assert [row and row["status"] for row in found] == ["completed"] * 4


@pytest.mark.slow
def test_stacks_side_by_side_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    varied = [[f"seed={i % 4}", f"lr={0.01 * (i + 1)}"] for i in range(18)]
    common = (*COMMON, "model.dropout=0.3", "model.batch_norm=true")
    threads: set[int] = set()
    real = fit.StackFit.advance

    def watched(self: fit.StackFit, until: int) -> None:
        threads.add(threading.get_ident())
        real(self, until)

    monkeypatch.setattr(fit.StackFit, "advance", watched)
    together = jobs(tmp_path / "a", (*common, "threads=2"), varied)
    train_stacked(together)
    assert len(threads) == 2
    threads.clear()
    one = jobs(tmp_path / "b", (*common, "threads=1"), varied)
    train_stacked(one)
    assert len(threads) == 1
    for a, b in zip(together, one, strict=True):
        for name in ("steps.csv", "evals.csv"):
            assert (a.directory / name).read_bytes() == (b.directory / name).read_bytes()


def test_an_interrupt_ends_all_stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    varied = [[f"seed={i}"] for i in range(16)]
    runs = jobs(tmp_path, (*COMMON, "threads=2", "max_steps=2000"), varied)
    real = fit.StackFit._block
    waiting = threading.Barrier(2)

    def interrupted(self: fit.StackFit, epoch: int, done: int, stop: int) -> None:
        if self.step == 0:
            waiting.wait()
            if self.runs[0].config.seed == 0:
                raise KeyboardInterrupt
        real(self, epoch, done, stop)

    monkeypatch.setattr(fit.StackFit, "_block", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    assert not list(tmp_path.glob("*/summary.csv"))
    assert not signals.threads_end.is_set()
