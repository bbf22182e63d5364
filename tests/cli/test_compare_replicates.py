"""Replicates of a comparison: independent searches, fresh paired seeds, and both tracks."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from cli_runs import QUICK, Cli, Result, rows, summary

OPTIMIZERS = ("sgd", "adam")
TRIALS, REPLICATES, SEEDS = 3, 3, 2
STUDY = (
    *QUICK, "study=s", "epochs=2", f"trials={TRIALS}", f"replicates={REPLICATES}",
    f"seeds={SEEDS}", "seed=10", "optimizers=[sgd,adam]",
)  # fmt: skip
TUNING = {0: "10", 1: "13", 2: "16"}
FINAL = {0: {"11", "12"}, 1: {"14", "15"}, 2: {"17", "18"}}

Shown = tuple[Path, Result]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The folder of a comparison, and what it printed."""
    cli = Cli(tmp_path_factory.mktemp("replicates") / "here")
    result = cli("compare", *STUDY)
    assert result.code == 0, result.err
    return cli.folder / "runs/s", result


def of(study: Path, phase: str, optimizer: str, replicate: int) -> list[dict[str, str]]:
    found = [summary(path.parent) for path in sorted(study.glob(f"{phase}/*/summary.csv"))]
    return [
        row for row in found if (row["contender"], row["replicate"]) == (optimizer, str(replicate))
    ]


def test_every_replicate_is_a_search_of_its_own_with_a_seed_of_its_own(shown: Shown):
    study, _ = shown
    for optimizer in OPTIMIZERS:
        drawn = []
        for replicate in range(REPLICATES):
            trials = of(study, "tune", optimizer, replicate)
            assert sorted(row["trial"] for row in trials) == [str(k) for k in range(TRIALS)]
            assert {row["seed"] for row in trials} == {TUNING[replicate]}
            drawn += [(row["base_lr"], row["optimizer.weight_decay"]) for row in trials]
        assert len(set(drawn)) == REPLICATES * TRIALS


def test_every_replicate_re_runs_its_own_winner_on_fresh_seeds_shared_by_all(shown: Shown):
    study, _ = shown
    for optimizer in OPTIMIZERS:
        for replicate in range(REPLICATES):
            trials = of(study, "tune", optimizer, replicate)
            winner = min(trials, key=lambda row: float(row["final_val_loss"]))
            finals = of(study, "final", optimizer, replicate)
            assert {row["seed"] for row in finals} == FINAL[replicate]
            for column in ("trial", "base_lr", "optimizer.weight_decay"):
                assert {row[column] for row in finals} == {winner[column]}
            assert all(row["test_metric"] for row in finals)
            assert not any(row["test_metric"] for row in trials)


def test_the_defaults_track_runs_every_optimizer_at_its_own_settings(shown: Shown):
    study, _ = shown
    conf = Path(__file__).parents[2] / "conf/optimizer"
    for optimizer in OPTIMIZERS:
        own = yaml.safe_load((conf / f"{optimizer}.yaml").read_text())
        for replicate in range(REPLICATES):
            found = of(study, "defaults", optimizer, replicate)
            assert {row["seed"] for row in found} == FINAL[replicate]
            assert {row["trial"] for row in found} == {""}
            for row in found:
                assert float(row["base_lr"]) == own["lr"]
                assert float(row["optimizer.weight_decay"]) == own["weight_decay"]
                assert row["test_metric"]


def test_the_protocol_says_what_a_replicate_is(shown: Shown):
    written = yaml.safe_load((shown[0] / "study.yaml").read_text())
    assert written["replicates"] == REPLICATES
    assert written["tuning_seeds"] == [10, 13, 16]
    assert written["final_seeds"] == [[11, 12], [14, 15], [17, 18]]
    assert written["tracks"] == ["tuned", "defaults"]
    assert written["protocol"] == "standard"
    assert written["search"]["method"] == "sobol"
    assert set(written["search"]["spaces"]["sgd"]) == {"lr", "optimizer.weight_decay"}


def test_one_line_says_what_the_searches_of_an_optimizer_found(shown: Shown):
    study, result = shown
    out = " ".join(result.out.split())
    for optimizer in OPTIMIZERS:
        rates = [of(study, "final", optimizer, r)[0]["base_lr"] for r in range(REPLICATES)]
        line = f"{optimizer}: 3 searches of 3 trials, chosen by final_val_loss: lr "
        assert line + ", ".join(f"{float(rate)}" for rate in rates) in out


def test_the_verdict_is_about_replicates(shown: Shown):
    study, result = shown
    assert "3 replicates" in " ".join(result.out.split())
    table = {(row["optimizer"], row["track"]): row for row in rows(study / "report/comparison.csv")}
    assert set(table) == {(o, t) for o in OPTIMIZERS for t in ("tuned", "defaults")}
    for optimizer in OPTIMIZERS:
        means = []
        for replicate in range(REPLICATES):
            found = of(study, "final", optimizer, replicate)
            means.append(sum(float(row["test_metric"]) for row in found) / SEEDS)
        row = table[optimizer, "tuned"]
        assert (row["unit"], row["units"]) == ("replicate", "3")
        assert float(row["test_metric_mean"]) == pytest.approx(sum(means) / REPLICATES)


@pytest.mark.slow
def test_the_same_command_again_trains_nothing(shown: Shown):
    study, _ = shown
    before = {p: p.stat().st_mtime_ns for p in study.glob("*/*/steps.csv")}
    result = Cli(study.parents[1])("compare", *STUDY)
    assert result.code == 0, result.err
    assert {p: p.stat().st_mtime_ns for p in study.glob("*/*/steps.csv")} == before
    for phase, count in (("tune", 18), ("final", 12), ("defaults", 12)):
        assert f"{phase}: {count} of {count} runs are finished" in result.err


@pytest.mark.slow
def test_the_defaults_track_alone_needs_no_search(sgdlab: Cli):
    result = sgdlab("compare", *STUDY, "tracks=[defaults]", "seeds=1")
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    assert not (study / "tune").exists()
    assert not (study / "final").exists()
    assert len(list(study.glob("defaults/*/summary.csv"))) == len(OPTIMIZERS) * REPLICATES


@pytest.mark.slow
def test_the_winners_run_without_sgdlab(shown: Shown, tmp_path: Path):
    study, _ = shown
    sources = [study / "report" / f"winner-wine-linear-{name}.py" for name in OPTIMIZERS]
    program = f"""
import runpy, sys
sys.modules["sgdlab"] = None  # importing it fails
import torch
for source in {list(map(str, sources))!r}:
    found = runpy.run_path(source)
    model = torch.nn.Linear(13, 3)
    optimizer = found["make_optimizer"](model)
    found["make_schedule"](optimizer, 10, 2)
    model(torch.ones(1, 13)).sum().backward()
    optimizer.step()
    decays = sorted(group["weight_decay"] for group in optimizer.param_groups)
    print(repr(optimizer.param_groups[0]["lr"]), repr(decays[-1]))
assert "sgdlab" not in [name for name, module in sys.modules.items() if module]
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for optimizer, line in zip(OPTIMIZERS, done.stdout.splitlines(), strict=True):
        finals = [row for r in range(REPLICATES) for row in of(study, "final", optimizer, r)]
        best = min(finals, key=lambda row: float(row["final_val_loss"]))
        lr, decay = map(float, line.split())
        assert lr == pytest.approx(float(best["lr"]), rel=1e-12)
        assert decay == float(best["optimizer.weight_decay"])
