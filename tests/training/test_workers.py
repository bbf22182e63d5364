"""Workers that are processes make the run of those that one process simulates."""

from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from scipy import stats
from test_distributed import assert_same

from sgdlab.steps.server import ServerUpdate, Work
from torchrun_runs import kill_after_a_checkpoint, start, together
from trainer_runs import built, train

WINE = ("dataset=wine", "model=mlp", "dtype=float64", "batch_size=8", "max_steps=30")
FSDP = "distributed.strategy=fsdp"
ASYNC = "distributed.algorithm=async"
NORM, RUNNING = 5, slice(8, 10)
"""Columns of a step that are not the simulation's: no process has the mean of all gradients."""


def assert_simulated(found: dict, case: tuple[str, ...], workers: int):
    plain = [o for o in case if not o.startswith("distributed.")]
    _, rows, run = train(*plain, f"local_sgd.workers={workers}")
    assert found["effective"] == run.plan.effective_batch_size
    for own, kept in zip(rows.evaluations, found["evals"], strict=True):
        assert kept[4:6] == list(own[4:6])
        assert kept[:3] == list(own[:3])
        assert kept[6:] == pytest.approx(own[6:], rel=1e-9)
    start_ = run.config.local_sgd.start
    for own, kept in zip(rows.step_rows, found["steps"], strict=True):
        columns = {*range(len(own))} - ({NORM, 8, 9} if own[0] > start_ else set())
        for i in columns:
            assert kept[i] == (None if own[i] is None else pytest.approx(own[i], rel=1e-9)), i


@pytest.mark.slow
def test_two_processes_are_two_workers_and_a_server_with_one(tmp_path: Path):
    local = (*WINE, "distributed.algorithm=post_local_sgd", "local_sgd.steps=3",
             "local_sgd.start=4", "optimizer=momentum")  # fmt: skip
    server = (*WINE, ASYNC, "optimizer=adamw")
    found = together(tmp_path, 2, local, server)
    assert_simulated(found[0], local, 2)
    numbers = sum(p.numel() for p in built(*WINE).model.parameters())
    sent = [row[-1] for row in found[0]["steps"]]
    # Gradients in four steps; then weights and momenta every third.
    assert sent[:7] == [8 * numbers] * 4 + [0, 0, 16 * numbers]
    one = train(*(o for o in server if o != ASYNC))[1]
    for own, kept in zip(one.step_rows, found[1]["steps"], strict=True):
        assert kept[:-2] == [None if v is None else pytest.approx(v, rel=1e-12) for v in own]
        assert kept[-2:] == [16 * numbers, 0]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, 4])
def test_local_sgd_is_the_simulated_one(tmp_path: Path, workers: int):
    local, post = "distributed.algorithm=local_sgd", "distributed.algorithm=post_local_sgd"
    cases = [
        (*WINE, local, "local_sgd.steps=5", "optimizer=adamw", "model.batch_norm=true"),
        (*WINE, local, "local_sgd.steps=4", "average=ema", "optimizer=nesterov", "clip_norm=0.2"),
        (*WINE, post, "local_sgd.steps=2", "local_sgd.start=9", "model.batch_norm=true",
         "optimizer=adamw", "clip_norm=0.5"),
        (*WINE, local, "local_sgd.steps=3", "accumulate=2", "last_batch=merge", "batch_size=5"),
        (*WINE, local, "optimizer=sgd", "augment.mixup=0.3", "model.dropout=0.0"),
    ]  # fmt: skip
    for found, case in zip(together(tmp_path, workers, *cases), cases, strict=True):
        assert_simulated(found, case, workers)


@pytest.mark.slow
def test_weights_in_parts_make_the_run_of_one_process(tmp_path: Path):
    (tmp_path / "short.txt").write_text("to be or not to be that is the question " * 30)
    text = ("dataset=text", f"dataset.path={tmp_path / 'short.txt'}", "dataset.context=8",
            "model=gpt", "model.width=8", "model.depth=2", "dtype=float64", "batch_size=4",
            "max_steps=30", "last_batch=drop")  # fmt: skip
    cases = [
        (*WINE, "optimizer=adamw", "accumulate=2", "model.batch_norm=true", "clip_norm=0.3"),
        (*WINE, "optimizer=lamb", "clip_value=0.01", "freeze=[*.bias]"),
        (*WINE, "optimizer=adagrad", "model.hidden=[7,5,3]", "decay.mode=decoupled"),
        ("dataset=digits", "model=cnn", "dtype=float64", "batch_size=16", "max_steps=20",
         "last_batch=merge", "optimizer=momentum"),
        text,
    ]  # fmt: skip
    found = together(tmp_path, 2, *((*case, FSDP) for case in cases))
    for kept, case in zip(found, cases, strict=True):
        assert_same(kept, case, 2)
    (kept,) = together(tmp_path, 4, (*cases[2], FSDP))  # layers of three rows: one has none
    assert_same(kept, cases[2], 4)


@pytest.mark.slow
def test_a_run_in_parts_goes_on_with_another_number_of_processes(tmp_path: Path):
    long = ("dataset=digits", "model=mlp", "dtype=float64", "epochs=8", "checkpoint.every=20",
            "optimizer=adamw", FSDP, "hydra.run.dir=run", "save_final=true")  # fmt: skip
    torchrun = start(tmp_path, 2, *long, "batch_size=8")
    kill_after_a_checkpoint(torchrun, tmp_path / "run", 1)
    torchrun.communicate(timeout=60)
    other = start(tmp_path, 4, *long, "batch_size=4")
    _, err = other.communicate(timeout=200)
    assert other.returncode == 0, err
    assert "of 2 processes with 4, exactly but for rounding" in err
    whole = (*(o for o in long if o not in (FSDP, long[-1], long[-2])), "batch_size=16")
    _, _, run = train(*whole)
    saved = torch.load(tmp_path / "run" / "final.pt")
    for name, p in run.model.state_dict().items():
        torch.testing.assert_close(saved[name], p, rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_workers_go_on_between_two_averages(tmp_path: Path):
    own = ("dataset=digits", "model=mlp", "dtype=float64", "epochs=8", "optimizer=adamw",
           "local_sgd.steps=7", "batch_size=8")  # fmt: skip
    long = (*own, "distributed.algorithm=local_sgd", "checkpoint.every=20", "hydra.run.dir=run")
    torchrun = start(tmp_path, 2, *long)
    kill_after_a_checkpoint(torchrun, tmp_path / "run", 1)
    torchrun.communicate(timeout=60)
    other = start(tmp_path, 4, *long, "batch_size=4")
    assert "each worker of local SGD steps for itself" in other.communicate(timeout=120)[1]
    again = start(tmp_path, 2, *long)
    _, err = again.communicate(timeout=200)
    assert again.returncode == 0, err
    _, rows, _ = train(*own, "local_sgd.workers=2")
    last = (tmp_path / "run" / "evals.csv").read_text().splitlines()[-1].split(",")
    assert [float(v) for v in last[6:]] == pytest.approx(rows.evaluations[-1][6:], rel=1e-9)
    steps = (tmp_path / "run" / "steps.csv").read_text().splitlines()[1:]
    for line, own_row in zip(steps, rows.step_rows, strict=True):
        assert [float(v) for v in line.split(",")[:5]] == pytest.approx(own_row[:5], rel=1e-9)


def replayed(case: tuple[str, ...], applied: list[list[int]]) -> list[torch.Tensor]:
    """Apply each gradient of a server's schedule by hand, SGD at parameters as old as it says."""
    run = built(*case)
    parameters = run.objective.parameters
    past = [[p.detach().clone() for p in parameters]]
    correct = run.config.staleness.correct_lr
    for step, (index, version) in enumerate(applied):
        with torch.no_grad():
            for p, old in zip(parameters, past[version], strict=True):
                p.copy_(old)
        (batch,) = run.batches_of(index)
        loss = torch.nn.functional.cross_entropy(run.model(batch.x), batch.y)
        gradients = torch.autograd.grad(loss, parameters)
        lr = run.lr * run.schedule(step, run.total_steps, run.plan.steps_per_epoch)
        lr /= max(1, step - version) if correct else 1
        past.append([p - lr * g for p, g in zip(past[-1], gradients, strict=True)])
    return past[-1]


@pytest.mark.slow
@pytest.mark.parametrize("processes", [3, 4])
def test_a_server_applies_the_late_gradients_that_it_says(tmp_path: Path, processes: int):
    plain = (*WINE, "optimizer=sgd", "optimizer.weight_decay=0", "lr=0.2", "schedule=constant")
    cases = [(*plain, ASYNC), (*plain, ASYNC, "staleness.correct_lr=true"),
             (*plain, ASYNC, "distributed.max_staleness=1")]  # fmt: skip
    for found, case in zip(together(tmp_path, processes, *cases), cases, strict=True):
        late = [row[-1] for row in found["steps"]]
        assert late == [step - version for step, (_, version) in enumerate(found["applied"])]
        assert sorted(index for index, _ in found["applied"]) == [*range(30)]
        assert sum(late) > 0
        if "distributed.max_staleness=1" in case:
            assert max(late) == 1
        own = [o for o in case if not o.startswith("distributed.")]
        for kept, p in zip(found["weights"], replayed(tuple(own), found["applied"]), strict=True):
            assert kept == pytest.approx(p.flatten().tolist(), rel=1e-9, abs=1e-12)


@pytest.mark.slow
def test_asynchronous_runs_are_spread_as_simulated_ones(tmp_path: Path):
    """A bound of one update lets two workers take turns: all but the first are one late.

    Which of the two begins is this machine's, and with it which batch comes when.
    """
    own = ("dataset=digits", "model=linear", "batch_size=16", "max_steps=60", "lr=0.1",
           "schedule=constant", "optimizer=sgd", "dtype=float64")  # fmt: skip
    cases = [(*own, ASYNC, "distributed.max_staleness=1", f"seed={seed}") for seed in range(20)]
    found = together(tmp_path, 3, *cases)
    late = Counter(row[-1] for run in found for row in run["steps"])
    assert late == {0: 20, 1: 20 * 59}
    real = [run["evals"][-1][6] for run in found]
    others = [(*own, "staleness.delay=1", f"seed={100 + seed}") for seed in range(20)]
    simulated = [train(*case)[1].evaluations[-1][6] for case in others]
    assert stats.ks_2samp(real, simulated).pvalue > 0.001
    # What it could have shown: gradients that are lost move the losses by more than their spread.
    shorter = [train(*case[:-2], case[-1], "max_steps=30")[1] for case in others]
    assert stats.ks_2samp([r.evaluations[-1][6] for r in shorter], simulated).pvalue < 1e-6


@pytest.mark.slow
def test_a_lost_worker_ends_an_asynchronous_run_which_goes_on(tmp_path: Path):
    own = ("dataset=digits", "model=mlp", "epochs=30", "checkpoint.every=20", "batch_size=8",
           ASYNC, "hydra.run.dir=run")  # fmt: skip
    torchrun = start(tmp_path, 3, *own)
    kill_after_a_checkpoint(torchrun, tmp_path / "run", 2)
    _, err = torchrun.communicate(timeout=60)
    assert torchrun.returncode != 0
    assert "sgdlab: lost rank 2 (" in err
    other = start(tmp_path, 2, *own)
    assert "belongs to the number of workers" in other.communicate(timeout=60)[1]
    again = start(tmp_path, 3, *own)
    _, err = again.communicate(timeout=120)
    assert again.returncode == 0, err
    steps = (tmp_path / "run" / "steps.csv").read_text().splitlines()
    last = [line.split(",") for line in steps[1:]]
    assert [int(row[0]) for row in last] == [*range(1, len(last) + 1)]
    assert int(last[-1][2]) == 30 * 1079  # every example once an epoch, over the restart, too


@pytest.mark.parametrize("most", [None, 0, 1, 2, 5])
@pytest.mark.parametrize("workers", [1, 2, 4])
def test_no_gradient_is_later_than_its_bound_and_none_waits_for_ever(most, workers: int):
    """Whatever worker is slow: which gradient arrives next is drawn, at every turn."""
    generator = torch.Generator().manual_seed(workers)
    server = ServerUpdate(None, None, False, most)  # type: ignore[arg-type]
    idle, step, given, ages = workers, 0, 0, list[int]()
    names = iter(range(10_000))
    while step < 300:
        while idle and (most is None or len(server._out) <= most):
            server._out[next(names)] = Work(given, step)
            idle, given = idle - 1, given + 1
        while (worker := server._first_to_apply(step)) is None:
            missing = [w for w in server._out if w not in server._arrived]
            assert missing, "a gradient that has come is never applied"
            drawn = int(torch.randint(len(missing), (), generator=generator))
            server._arrived[missing[drawn]] = ()  # type: ignore[assignment]
        ages.append(step - server._out.pop(worker).version)
        del server._arrived[worker]
        idle, step = idle + 1, step + 1
    assert max(ages) <= (300 if most is None else most)
    if workers > 1 and most != 0:
        assert max(ages) > 0
    assert all(a >= 0 for a, _ in pairwise(ages))
