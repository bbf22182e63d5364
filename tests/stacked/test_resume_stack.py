"""Stacks that are killed and started again, and runs that fail."""

from pathlib import Path

import pytest
from stacked_runs import grouped, jobs, train_one_by_one, train_stacked

from sgdlab.config.job import Job
from sgdlab.results import read_summary
from sgdlab.stacked import fit
from sgdlab.stacked.launch import train_group
from sgdlab.training.folder import RunFolder

COMMON = (
    "dataset=wine", "model.hidden=[6]", "batch_size=16", "max_steps=40", "eval.every=2",
    "checkpoint.every=7",
)  # fmt: skip
FOUR = [["seed=0"], ["seed=1"], ["seed=0", "lr=0.2"], ["seed=1", "lr=1e7"]]
TABLES = ("steps.csv", "evals.csv", "summary.csv", "config.yaml")


def _bytes(runs: list[Job]) -> list[list[bytes]]:
    return [[(run.directory / name).read_bytes() for name in TABLES] for run in runs]


@pytest.mark.parametrize(
    "own",
    [
        (),
        ("optimizer=nadam", "lr=0.01"),
        ("schedule=plateau", "eval.every=1", "schedule.patience=0"),
        ("model.dropout=0.3", "model.batch_norm=true"),
        ("schedule=one_cycle", "optimizer=adam", "lr=0.01"),
        ("optimizer=asgd", "optimizer.t0=5"),
        ("optimizer=muon", "model.hidden=[6,5]"),
        ("optimizer=adafactor",),
        ("optimizer=swats", "optimizer.switch_tolerance=0.1"),
        ("optimizer=schedule_free_adamw", "lr=0.01", "model.batch_norm=true"),
        ("average=swa", "average.start=0.2", "model.batch_norm=true", "model.dropout=0.3"),
        ("average=ema", "optimizer=rprop", "lr=0.001"),
    ],
    ids=lambda own: " ".join(own) or "plain",
)
@pytest.mark.parametrize("killed_at", [0, 20])
def test_a_killed_stack_ends_with_the_same_bytes(
    own: tuple[str, ...], killed_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jobs(tmp_path / "a", (*COMMON, *own), FOUR)
    train_stacked(whole)
    runs = jobs(tmp_path / "b", (*COMMON, *own), FOUR)

    real = fit.StackFit._block

    def killed(self: fit.StackFit, epoch: int, done: int, stop: int) -> None:
        if self.step >= killed_at:
            raise KeyboardInterrupt
        real(self, epoch, done, stop)

    monkeypatch.setattr(fit.StackFit, "_block", killed)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    assert read_summary(runs[0].directory) is None
    assert (runs[0].directory / "checkpoint.pt").is_file() == (killed_at > 7)
    monkeypatch.undo()
    # In another order, and without the one that had diverged before.
    left = [run for run in reversed(runs) if read_summary(run.directory) is None]
    train_stacked(left)
    assert _bytes(runs) == _bytes(whole)
    assert not list(tmp_path.glob("b/*/checkpoint.pt"))


def test_runs_at_different_steps_go_on_in_stacks_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = jobs(tmp_path / "a", COMMON, FOUR)
    train_stacked(whole)
    runs = jobs(tmp_path / "b", COMMON, FOUR)
    real = fit.StackFit._save
    saved: list[int] = []

    def killed_while_saving(self: fit.StackFit) -> None:
        saved.append(self.step)
        if len(saved) == 2:
            self.live = self.live[:1]
            real(self)
            raise KeyboardInterrupt
        real(self)

    monkeypatch.setattr(fit.StackFit, "_save", killed_while_saving)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    assert saved == [7, 14]
    monkeypatch.undo()
    train_stacked([run for run in runs if read_summary(run.directory) is None])
    assert _bytes(runs) == _bytes(whole)


def test_a_checkpoint_of_the_other_engine_is_not_taken(tmp_path: Path) -> None:
    whole = jobs(tmp_path / "a", COMMON, FOUR[:2])
    train_stacked(whole)
    runs = jobs(tmp_path / "b", COMMON, FOUR[:2])
    runs[0].directory.mkdir(parents=True)
    folder = RunFolder(runs[0].directory, runs[0].run_id, "sequential")
    folder.save({"progress": {"step": 7}, "model": {}, "optimizer": {}})
    train_stacked(runs)
    assert _bytes(runs) == _bytes(whole)


def test_the_ordinary_trainer_does_not_take_a_stacks_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = jobs(tmp_path / "b", COMMON, FOUR[:2])
    monkeypatch.setattr(
        fit.StackFit, "finish", lambda self: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    monkeypatch.undo()
    assert (runs[0].directory / "checkpoint.pt").is_file()
    fresh = train_one_by_one(tmp_path / "a", runs)
    (again,) = train_one_by_one(tmp_path / "b", runs[:1])
    steps = [(run.directory / "steps.csv").read_bytes() for run in (fresh[0], again)]
    assert steps[0] == steps[1]


def test_a_stack_that_fails_leaves_its_runs_failed_and_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = jobs(tmp_path / "a", COMMON, FOUR)

    def broken(self: fit.StackFit) -> None:
        raise RuntimeError("a nail in the machine")

    monkeypatch.setattr(fit.StackFit, "_save", broken)
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    for run in runs[:3]:
        summary = read_summary(run.directory)
        assert summary is not None
        assert summary["status"] == "failed"
        assert str(summary["reason"]).startswith("RuntimeError: a nail in the machine at ")
        assert "broken" in (run.directory / "error.txt").read_text()
    diverged = read_summary(runs[3].directory)
    assert diverged is not None
    assert diverged["status"] == "diverged"  # it had ended before


def _whole_and_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[Job], list[Job]]:
    """Train three runs to their end, and the same three until a kill before it."""
    whole = jobs(tmp_path / "a", COMMON, FOUR[:3])
    train_stacked(whole)
    runs = jobs(tmp_path / "b", COMMON, FOUR[:3])

    def killed(self: fit.StackFit) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit.StackFit, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        train_stacked(runs)
    monkeypatch.undo()
    return whole, runs


def test_a_damaged_checkpoint_costs_one_run_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, runs = _whole_and_killed(tmp_path, monkeypatch)
    path = runs[1].directory / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:100])
    train_stacked(runs)
    assert _bytes(runs) == _bytes(whole)
    assert f"{path} is damaged" in capsys.readouterr().err


def test_a_damaged_run_does_not_take_its_stack_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, runs = _whole_and_killed(tmp_path, monkeypatch)
    steps, evals = runs[0].directory / "steps.csv", runs[1].directory / "evals.csv"
    steps.write_bytes(steps.read_bytes()[:150] + b"\xa6" + steps.read_bytes()[151:])
    evals.write_bytes(evals.read_bytes()[:-40])
    checkpoint = runs[2].directory / "checkpoint.pt"
    checkpoint.write_bytes(b"\0" * 100)
    train_stacked(runs)
    assert _bytes(runs) == _bytes(whole)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 3 - ("evals.csv" not in "".join(said))
    assert f"{steps} is damaged" in said[0]
    assert "goes on from step 28 of checkpoint.previous.pt" in said[-1]


def test_a_run_whose_folder_cannot_be_opened_fails_alone(tmp_path: Path) -> None:
    whole = jobs(tmp_path / "a", COMMON, FOUR[:3])
    train_stacked(whole)
    runs = jobs(tmp_path / "b", COMMON, FOUR[:3])
    (runs[1].directory / "steps.csv").mkdir(parents=True)
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    assert _bytes(runs[::2]) == _bytes(whole[::2])
    failed = read_summary(runs[1].directory)
    assert failed is not None
    assert failed["status"] == "failed"
    assert "steps.csv: a folder" in str(failed["reason"])


def test_the_steps_before_a_failure_belong_to_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = jobs(tmp_path / "a", COMMON, FOUR[:2])
    real = fit.Stack.step
    made = 0

    def failing(self, micros, coefficients):
        nonlocal made
        made += 1
        if made == 5:
            raise RuntimeError("the fifth")
        return real(self, micros, coefficients)

    monkeypatch.setattr(fit.Stack, "step", failing)
    planner, group = grouped(runs)
    train_group(planner, group, runs)
    for run in runs:
        summary = read_summary(run.directory)
        assert summary is not None
        assert (summary["status"], summary["steps"]) == ("failed", 4)
        assert len((run.directory / "steps.csv").read_text().splitlines()) == 5
        assert len((run.directory / "evals.csv").read_text().splitlines()) == 3
