"""What train says of a run besides its result."""

from pathlib import Path
from unittest import mock

from cli.cli_runs import QUICK, Cli
from sgdlab.terminal.numbers import number

HOT = ("lr=3.0", "schedule.warmup_epochs=0", "epochs=5", "hydra.run.dir=hot")


def test_a_loss_that_runs_away_is_said_early_and_at_the_end(tmp_path: Path) -> None:
    result = Cli(tmp_path)("train", *HOT)
    assert result.code == 0
    (early,) = [line for line in result.err.splitlines() if "early warning" in line]
    assert "the loss has risen from 2.3" in early
    assert "lr/10" in early
    diagnosis, action = result.out.splitlines()[-2:]
    assert diagnosis.split(maxsplit=1) == [
        "diagnosis", "The loss explodes within 3 steps: sgdlab diagnose hot",
    ]  # fmt: skip
    assert action.split()[:3] == ["try", "sgdlab", "train"]
    words = action.split()[3:]
    assert "lr=0.3" in words
    better = Cli(tmp_path)("train", *words, "hydra.run.dir=better")
    assert better.code == 0
    assert "explodes" not in better.out


def test_a_healthy_run_gets_a_clean_bill_and_no_early_warning(tmp_path: Path) -> None:
    result = Cli(tmp_path)("train", "hydra.run.dir=run")
    assert result.out.splitlines()[-1].split(maxsplit=1) == ["diagnosis", "nothing wrong"]
    assert "warning" not in result.err


def test_a_diagnosis_that_fails_costs_a_line_and_not_the_run(tmp_path: Path) -> None:
    target = "sgdlab.diagnosis.aftermath.read_run"
    with mock.patch(target, side_effect=ZeroDivisionError("by zero")):
        result = Cli(tmp_path)("train", *QUICK, "epochs=1", "hydra.run.dir=run")
    assert result.code == 0
    assert "sgdlab: note: no diagnosis: ZeroDivisionError: by zero" in result.err
    assert (tmp_path / "run" / "summary.csv").is_file()


def test_a_sweep_prints_no_findings(tmp_path: Path) -> None:
    result = Cli(tmp_path)("train", "-m", *QUICK, "lr=0.01,0.1", "epochs=1", "study=s")
    assert result.code == 0
    assert "diagnosis" not in result.out


def test_what_full_diagnostics_measured_is_said_and_drawn(tmp_path: Path) -> None:
    import pandas as pd

    own = ("diagnostics=full", "diagnostics.every=6", "model.hidden=[8]", "epochs=3")
    result = Cli(tmp_path)("train", "dataset=wine", *own, "optimizer=adamw", "hydra.run.dir=run")
    assert result.code == 0, result.err
    lines = dict(line.split(maxsplit=1) for line in result.out.splitlines() if " " in line)
    steps = pd.read_csv(tmp_path / "run" / "steps.csv")
    last = steps[steps["stability"].notna()].iloc[-1]
    quotient = last["preconditioned_sharpness"] / last["stability_limit"]
    assert lines["stability"].startswith(
        f"{quotient:.2f} at step {last['step']:.0f}: preconditioned sharpness "
        f"{number(last['preconditioned_sharpness'])} against a limit of "
        f"{number(last['stability_limit'])}"
    )
    assert f"about {steps['noise_scale'].median():.3g} examples" in result.out
    assert lines["landscape"] == "run/landscape.svg"
    assert "<svg" in (tmp_path / "run" / "landscape.svg").read_text()
    for table in ("layers", "minimum", "landscape"):
        assert len(pd.read_csv(tmp_path / "run" / f"{table}.csv")) >= 1
