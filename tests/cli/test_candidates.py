"""``scaling.candidates``: a run per factor under -m and in compare, and nowhere else."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import yaml
from cli_runs import QUICK, Cli, Result, rows, same_run, summary, write
from hydra import compose, initialize_config_dir

from sgdlab.config.catalogue import conf_dir
from sgdlab.config.run_id import study_name

pytestmark = pytest.mark.slow

CANDIDATES = "scaling.candidates=[0.5,1,2]"


def sweep(cli: Cli, *arguments: object) -> Result:
    return cli("train", "-m", *QUICK, "max_steps=3", *arguments)


def runs_of(folder: Path) -> dict[str, Path]:
    """Return the run folders below a folder by their names."""
    return {p.parent.name: p.parent for p in folder.rglob("summary.csv")}


def rates(folder: Path) -> list[tuple[float, float]]:
    """Return base and used learning rate of each run, sorted."""
    found = [summary(run) for run in runs_of(folder).values()]
    return sorted((float(r["base_lr"]), float(r["lr"])) for r in found)


def config_of(run: Path) -> dict:
    return yaml.safe_load((run / "config.yaml").read_text())


def test_each_job_becomes_one_per_candidate_of_the_scaled_rate(sgdlab: Cli):
    result = sweep(sgdlab, "study=s", "scaling=linear", "batch_size=16", "lr=0.1,0.4", CANDIDATES)
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    # B / B0 = 16 / 64
    expected = [(0.1, 0.0125), (0.1, 0.025), (0.1, 0.05), (0.4, 0.05), (0.4, 0.1), (0.4, 0.2)]
    assert np.allclose(rates(study), expected, rtol=1e-12)
    for run in runs_of(study).values():
        row, section = summary(run), config_of(run)["scaling"]
        assert section["candidates"] == []
        assert float(row["lr"]) == section["candidate"] * 0.25 * float(row["base_lr"])
    assert len(rows(study / "runs.csv")) == 6
    ranked = [line.split()[1:3] for line in result.out.splitlines() if line[:1].isdigit()]
    assert sorted(ranked[:6]) == sorted([str(b), f"{u:.4g}"] for b, u in rates(study))


def test_a_candidate_is_the_run_that_its_factor_gives_alone(sgdlab: Cli):
    assert sweep(sgdlab, "study=s", CANDIDATES).code == 0
    swept = runs_of(sgdlab.folder / "runs/s")
    twice = sgdlab.train("twice", "max_steps=3", "scaling.candidate=2")
    assert same_run(swept[summary(twice)["run_id"]], twice, "study")
    plain = sgdlab.train("plain", "max_steps=3")
    assert same_run(swept[summary(plain)["run_id"]], plain, "study")
    assert (summary(twice)["base_lr"], summary(twice)["lr"]) == ("0.01", "0.02")


def test_another_candidate_extends_the_study_and_the_same_ones_train_nothing(sgdlab: Cli):
    assert sweep(sgdlab, CANDIDATES).code == 0
    (study,) = (sgdlab.folder / "runs").iterdir()
    before = {p: p.stat().st_mtime_ns for p in study.glob("*/steps.csv")}
    assert "3 of 3 runs are finished; resume=false repeats them" in sweep(sgdlab, CANDIDATES).err
    longer = sweep(sgdlab, "scaling.candidates=[0.5,1,2,4]")
    assert "3 of 4 runs are finished; resume=false repeats them" in longer.err
    assert list((sgdlab.folder / "runs").iterdir()) == [study]
    assert len(runs_of(study)) == 4
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_jobs_may_have_candidates_of_their_own(sgdlab: Cli, parts: Path):
    """From a file of the user's, from the command line, or none."""
    section = "_target_: sgdlab.scaling.SquareRoot\nbase_batch_size: 16\ncandidates: [1, 3]\n"
    write(parts / "scaling" / "own.yaml", section + "candidate: 1.0\n")
    result = sweep(
        sgdlab, "--config-dir", parts, "study=s", "lr=0.01", "scaling=own,none", "batch_size=16"
    )
    assert result.code == 0, result.err
    assert rates(sgdlab.folder / "runs/s") == [(0.01, 0.01)] * 2 + [(0.01, 0.03)]
    lists = sweep(sgdlab, "study=t", "scaling.candidates=[1,2],[4]")
    assert lists.code == 0, lists.err
    assert [used / base for base, used in rates(sgdlab.folder / "runs/t")] == [1, 2, 4]


def test_bad_candidates_are_refused_before_any_run(sgdlab: Cli):
    for command, value, said in (
        (("train",), "[1,1.0]", "scaling.candidates=[1,1.0]: names a factor twice"),
        (("train", "-m", "lr=0.1,0.2"), "[1,0]", "scaling.candidates=[1,0]: must be a list of"),
        (("compare", "optimizers=[sgd]"), "2", "scaling.candidates=2: must be a list of positive"),
    ):
        result = sgdlab(*command, *QUICK, f"scaling.candidates={value}")
        assert result.code == 2, command
        assert result.err.count("\n") == 1
        assert said in result.err
    assert not (sgdlab.folder / "runs").exists()


def test_a_single_run_says_that_it_uses_the_rule_alone(sgdlab: Cli):
    result = sgdlab("train", *QUICK, "max_steps=3", "hydra.run.dir=one", CANDIDATES)
    assert result.code == 0
    (line,) = [line for line in result.err.splitlines() if "candidates" in line]
    assert line.startswith("sgdlab: note: scaling.candidates counts under -m and in compare only")
    plain = sgdlab.train("plain", "max_steps=3")
    assert same_run(sgdlab.folder / "one", plain)


def test_with_another_sweeper_one_line_says_what_to_do_instead(sgdlab: Cli):
    result = sweep(sgdlab, "hydra/sweeper=basic", "study=s", CANDIDATES)
    assert result.code == 2
    # The first line is Hydra's own, which names the job.
    assert result.err.count("\n") == 2
    assert "sweep scaling.candidate=0.5,1,2" in result.err.splitlines()[1]
    instead = sweep(sgdlab, "hydra/sweeper=basic", "study=s", "scaling.candidate=0.5,1,2")
    assert instead.code == 0, instead.err
    assert [used for _, used in rates(sgdlab.folder / "runs/s")] == [0.005, 0.01, 0.02]


def test_a_comparison_tries_every_candidate_of_every_drawn_trial(sgdlab: Cli):
    common = (
        *QUICK, "replicates=1", "tracks=[tuned]", "epochs=2", "trials=2", "seeds=1",
        "optimizers=[sgd,adam]",
    )  # fmt: skip
    result = sgdlab("compare", *common, "study=s", CANDIDATES)
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    trials = [(summary(r), config_of(r)) for r in runs_of(study / "tune").values()]
    for optimizer in ("sgd", "adam"):
        own = [(row, config) for row, config in trials if row["optimizer"] == optimizer]
        assert sorted(int(row["trial"]) for row, _ in own) == list(range(6))
        assert set(Counter(row["base_lr"] for row, _ in own).values()) == {3}
        for row, config in own:
            factor = [0.5, 1.0, 2.0][int(row["trial"]) % 3]
            assert config["scaling"] | {"candidates": [], "candidate": factor} == config["scaling"]
            assert float(row["lr"]) == factor * float(row["base_lr"])
        best = min(own, key=lambda pair: float(pair[0]["final_val_loss"]))[0]
        finals = [summary(r) for r in runs_of(study / "final").values()]
        (final,) = (row for row in finals if row["optimizer"] == optimizer)
        assert (final["base_lr"], final["lr"]) == (best["base_lr"], best["lr"])
    protocol = yaml.safe_load((study / "study.yaml").read_text())
    assert protocol["budget"] == {
        "unit": "trials",
        "per_search": 6,
        "drawn_per_search": 2,
        "candidates_per_draw": [0.5, 1.0, 2.0],
    }
    # Without candidates it is another comparison, whose drawn settings are the same.
    refused = sgdlab("compare", *common, "study=s")
    assert refused.code == 2
    assert "choose another study=NAME" in refused.err


def test_a_comparison_with_candidates_has_a_name_of_its_own():
    names = set()
    for candidates in ("[]", "[1,2]", "[1,3]"):
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            overrides = [*QUICK, f"scaling.candidates={candidates}"]
            names.add(study_name(compose("compare", overrides, return_hydra_config=True)))
    assert len(names) == 3
