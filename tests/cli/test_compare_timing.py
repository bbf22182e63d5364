"""The timing pass of a comparison: its winners alone, where their runs were stacked."""

from pathlib import Path
from statistics import median

import pytest
from cli_runs import QUICK, Cli, Result, rows, summary

from sgdlab.comparison import timing
from sgdlab.comparison.solo import SoloProcess
from sgdlab.results import TIME_AND_MEMORY
from trainer_runs import config_of

OPTIMIZERS = ("sgd", "adam")
STUDY = (
    *QUICK, "study=s", "replicates=1", "tracks=[tuned]",
    "epochs=40", "trials=2", "seeds=2", "seed=10", "target=0.5",
    "optimizers=[sgd,adam]", "schedule.warmup_epochs=1",
)  # fmt: skip


@pytest.fixture
def sgdlab(sgdlab: Cli) -> Cli:
    sgdlab.is_timed = True
    return sgdlab


def compare(cli: Cli, *arguments: str) -> Result:
    result = cli("compare", *STUDY, *arguments)
    assert result.code == 0, result.err
    return result


def of_phase(study: Path, phase: str, optimizer: str) -> list[Path]:
    found = [path.parent for path in sorted(study.glob(f"{phase}/*/summary.csv"))]
    return [run for run in found if summary(run)["optimizer"] == optimizer]


def table(study: Path) -> dict[str, dict[str, str]]:
    return {row["optimizer"]: row for row in rows(study / "report" / "comparison.csv")}


def steps_to(study: Path, optimizer: str, value: float) -> list[float]:
    """Return, for each final run, its first step that reached a validation accuracy."""
    steps: list[float] = []
    for run in of_phase(study, "final", optimizer):
        reached = [
            float(row["step"])
            for row in rows(run / "evals.csv")
            if row["split"] == "val" and float(row["accuracy"]) >= value
        ]
        steps.append(min(reached))
    return steps


WIDE = ("model=mlp", "model.hidden=[512,512]", "batch_size=64", "epochs=100")
# Multiplications and additions of a step: three times those of a forward pass.
WIDE_STEP = 3 * 64 * 2 * (64 * 512 + 512 * 512 + 512 * 10)


@pytest.mark.parametrize(
    ("overrides", "steps"),
    [
        (("epochs=5",), 5 * 17),  # the run itself
        (("max_steps=7",), 7),
        (("epochs=100",), 1000),  # of 1,700
        (WIDE, int(2e10 / WIDE_STEP)),
        ((*WIDE, "accumulate=2"), int(1e10 / WIDE_STEP)),
        ((*WIDE, "model.hidden=[2048,2048]"), 50),
    ],
)
def test_a_timing_run_takes_about_a_second_and_no_longer_than_the_run(
    overrides: tuple[str, ...], steps: int
):
    assert timing.steps_of(config_of("dataset=digits", *overrides)) == steps


@pytest.mark.slow
def test_stacked_winners_are_timed_alone_once(sgdlab: Cli):
    first = compare(sgdlab)
    study = sgdlab.folder / "runs/s"
    assert first.err.count("trained in a stack; short runs alone measure time") == 1
    shown = table(study)
    for optimizer in OPTIMIZERS:
        finals = [summary(run) for run in of_phase(study, "final", optimizer)]
        assert {row["engine"] for row in finals} == {"stacked"}
        assert {row[column] for row in finals for column in TIME_AND_MEMORY} == {""}
        timed = of_phase(study, "timing", optimizer)
        cells = [summary(run) for run in timed]
        assert sorted(row["seed"] for row in cells) == ["11", "12", "13"]
        assert {row["engine"] for row in cells} == {"sequential"}
        assert {row["steps"] for row in cells} == {"80"}  # as many as the final runs have
        for column in ("trial", "base_lr", "optimizer.weight_decay"):
            assert {row[column] for row in cells} == {finals[0][column]}
        for run in timed:
            looked_at = [(row["step"], row["split"]) for row in rows(run / "evals.csv")]
            assert looked_at == [("0", "train"), ("0", "val"), ("80", "train"), ("80", "val")]
        pace = median(float(row["train_seconds"]) / float(row["steps"]) for row in cells)
        row = shown[optimizer]
        steps = median(steps_to(study, optimizer, 0.5))
        assert float(row["median_seconds_to_target"]) == pytest.approx(steps * pace)
        rates = [float(row["examples"]) / (float(row["steps"]) * pace) for row in finals]
        assert float(row["examples_per_second"]) == pytest.approx(median(rates))
        most = max(int(row["peak_memory_bytes"]) for row in cells)
        assert float(row["peak_memory_bytes"]) == most
        assert (row["n"], row["tuning_trials"]) == ("2", "2")
    ended = sorted(study.glob("timing/*/summary.csv"), key=lambda path: path.stat().st_mtime_ns)
    assert [summary(path.parent)["optimizer"] for path in ended] == [*OPTIMIZERS] * 3
    phases = [row["phase"] for row in rows(study / "runs.csv")]
    assert [phases.count(p) for p in ("tune", "final", "timing")] == [4, 4, 6]
    page = (study / "report" / "report.md").read_text()
    assert "measured alone, 3 short runs of 80 steps each" in page

    before = {p: p.stat().st_mtime_ns for p in study.glob("*/*/steps.csv")}
    second = compare(sgdlab)
    assert {p: p.stat().st_mtime_ns for p in study.glob("*/*/steps.csv")} == before
    assert "timing: 6 of 6 runs are finished" in second.err
    assert "short runs alone" not in second.err
    assert table(study) == shown

    (gone,) = of_phase(study, "timing", "adam")[1:2]
    (gone / "summary.csv").unlink()
    assert "timing: 5 of 6 runs are finished" in compare(sgdlab).err
    again = {p for p in before if p.stat().st_mtime_ns != before[p]}
    assert again == {gone / "steps.csv"}


@pytest.mark.slow
def test_runs_with_a_time_of_their_own_are_not_timed_again(sgdlab: Cli):
    result = compare(sgdlab, "engine=sequential")
    study = sgdlab.folder / "runs/s"
    assert not (study / "timing").exists()
    assert "timing" not in result.err
    for row in table(study).values():
        assert (row["stacked"], row["timing_runs"]) == ("0", "")
        assert float(row["median_seconds_to_target"]) > 0
    assert "measured alone" not in (study / "report" / "report.md").read_text()


@pytest.mark.slow
def test_a_timing_run_that_cannot_run_fails_and_the_report_is_made(
    sgdlab: Cli, monkeypatch: pytest.MonkeyPatch
):
    def broken(*_: object, **__: object) -> None:
        raise OSError("no process")

    monkeypatch.setattr(SoloProcess, "start", broken)
    result = sgdlab("compare", *STUDY)
    assert result.code == 1
    assert "the process of the timing runs ended: OSError" in result.err
    study = sgdlab.folder / "runs/s"
    assert "there is no time and memory" in (study / "report" / "report.md").read_text()
