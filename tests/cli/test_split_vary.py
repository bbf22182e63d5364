"""``split.vary``: a split for every replicate, the same for all contenders, and its luck said."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from cli_runs import QUICK, Cli, refused, rows
from scipy import stats

from sgdlab.analysis.statistics import guard

REPLICATES = 3


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cli = Cli(tmp_path_factory.mktemp("vary") / "here")
    result = cli(
        "compare", *QUICK, "study=s", "epochs=2", "trials=2", f"replicates={REPLICATES}",
        "split.seed=4", "split.vary=true", "optimizers=[sgd,adam]",
    )  # fmt: skip
    assert result.code == 0, result.err
    return cli.folder / "runs/s"


@pytest.mark.slow
def test_every_replicate_has_a_split_that_all_contenders_and_phases_share(study: Path) -> None:
    splits: dict[str, set[tuple[int, str]]] = {}
    for path in study.glob("*/*/config.yaml"):
        config = yaml.safe_load(path.read_text())
        told = json.loads((path.parent / "environment.json").read_text())
        assert told["examples"] == {"train": 106, "val": 36, "test": 36}
        assert "official_splits" not in told
        mark = config["split"]["seed"], told["dataset_fingerprint"]
        splits.setdefault(str(config["replicate"]), set()).add(mark)
    assert {r: {seed for seed, _ in own} for r, own in splits.items()} == {
        str(r): {4 + r} for r in range(REPLICATES)
    }
    assert len(set().union(*splits.values())) == REPLICATES


def test_the_interval_has_the_corrected_variance(study: Path) -> None:
    finals = [row for row in rows(study / "runs.csv") if row["phase"] == "final"]
    values = {
        name: np.array(
            [
                float(row["test_metric"])
                for row in sorted(finals, key=lambda row: int(row["replicate"]))
                if row["contender"] == name
            ]
        )
        for name in ("sgd", "adam")
    }
    pairs = rows(study / "report/pairwise.csv")
    pair = next(p for p in pairs if p["metric"] == "test_metric" and p["track"] == "tuned")
    assert pair["unit"] == "replicate"
    d = values[pair["first"]] - values[pair["second"]]
    error = math.sqrt((1 / REPLICATES + 36 / 106) * d.var(ddof=1))
    half = guard(REPLICATES) * stats.t(REPLICATES - 1).ppf(0.975) * error
    ends = max(d.mean() - half, -1), min(d.mean() + half, 1)
    assert (float(pair["ci_low"]), float(pair["ci_high"])) == pytest.approx(ends)
    assert pair["p_wilcoxon"] == ""


def test_it_is_one_workload_and_the_audit_looks_within_replicates(study: Path) -> None:
    tables = rows(study / "report/comparison.csv")
    assert {(row["dataset"], row["model"]) for row in tables} == {("wine", "linear")}
    audit = rows(study / "report/audit.csv")
    (same,) = [
        row for row in audit if (row["check"], row["workload"]) == ("same data", "wine/linear")
    ]
    assert same["status"] == "pass"
    assert same["detail"].startswith(f"{REPLICATES} units, each with a split of its own")


@pytest.mark.slow
def test_the_report_says_which_luck_is_inside(study: Path, tmp_path: Path) -> None:
    page = (study / "report/report.md").read_text()
    assert (
        "Luck inside the interval: seeds, searches and the split, drawn for every replicate" in page
    )
    cli = Cli(tmp_path / "here")
    done = cli("compare", *QUICK, "epochs=1", "trials=1", "replicates=2", "optimizers=[sgd,adam]")
    assert done.code == 0, done.err
    assert (
        "Luck inside the interval: seeds and searches. Outside: the split of the data"
        in " ".join(done.out.split())
    )


def test_a_sweep_may_vary_its_split_with_its_seeds(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "here")
    done = cli(
        "train", "-m", *QUICK, "epochs=1", "study=s", "optimizer=sgd,adam", "seed=0,1,2",
        "split.vary=true", "split.seed=${seed}",
    )  # fmt: skip
    assert done.code == 0, done.err
    assert cli("report", "runs/s").code == 0
    table = rows(tmp_path / "here/runs/s/report/comparison.csv")
    assert [(row["n"], row["unit"], row["settings_tried"]) for row in table] == [
        ("3", "seed", "1")
    ] * 2


def test_what_is_no_flag_is_refused(tmp_path: Path) -> None:
    line = refused(Cli(tmp_path / "here"), "train", *QUICK, "split.vary=often")
    assert "split.vary" in line
