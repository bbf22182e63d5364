"""Splits that vary: a unit has a split of its own, and only splits that differ widen the error."""

import math
from pathlib import Path

import numpy as np
import pytest
from run_folders import make_run
from scipy import stats

from guarded import guarded
from sgdlab.analysis import Analysis, Hypothesis, analyse
from sgdlab.analysis.statistics import guard
from sgdlab.report.verdict.luck import luck
from sgdlab.report.verdict.next_step import next_step

OVERLAP = 0.2 / 0.6


def study(folder: Path, splits: int, seeds: int, phase: str = "defaults") -> Analysis:
    """Two optimizers over so many replicates, each with a split that its seeds share."""
    rng = np.random.default_rng(2)
    luck = rng.normal(0, 0.02, (2, splits))  # of an optimizer on a split
    for place, name in enumerate(("adam", "sgd")):
        for replicate in range(splits):
            for k in range(seeds):
                seed = replicate * (seeds + 1) + 1 + k
                split = {"vary": True, "seed": replicate, "val": 0.2, "test": 0.2}
                value = 0.9 + luck[place, replicate] + rng.normal(0, 0.001)
                make_run(
                    folder / phase / f"{name}-{seed}", name, seed=seed, phase=phase, test=value,
                    config={"split": split},
                    summary={"study": "s", "contender": name, "replicate": replicate},
                )  # fmt: skip
    return analyse([folder])


def differences(found: Analysis) -> np.ndarray:
    """The differences of the two by replicate and seed, read from the rows of the runs."""
    pair = found.results[0].primary[0]
    rows = sorted(found.runs.rows, key=lambda row: int(row["seed"]))
    own = [
        [float(row["test_metric"]) for row in rows if row["optimizer"] == name]
        for name in (pair["first"], pair["second"])
    ]
    splits = len({row["replicate"] for row in rows})
    return (np.array(own[0]) - np.array(own[1])).reshape(splits, -1)


@pytest.mark.parametrize("phase", ["defaults", "final"])
def test_a_split_that_seeds_share_is_one_unit(tmp_path: Path, phase: str) -> None:
    """Seeds would be taken for so many splits, and split luck for a difference."""
    found = study(tmp_path, splits=5, seeds=4, phase=phase)
    pair, d = found.results[0].primary[0], differences(found).mean(axis=1)
    assert (pair["unit"], pair["n_pairs"]) == ("replicate", 5)
    error = math.sqrt((1 / 5 + OVERLAP) * d.var(ddof=1))
    assert pair["error"] == pytest.approx(error)
    p = 2 * stats.t(4).sf(abs(d.mean()) / (error * guard(5)))
    assert pair["p_value"] == pytest.approx(p)


@pytest.mark.parametrize("phase", ["defaults", "final"])
def test_seeds_of_one_split_have_no_luck_of_splits(tmp_path: Path, phase: str) -> None:
    found = study(tmp_path, splits=1, seeds=5, phase=phase)
    pair, d = found.results[0].primary[0], differences(found)[0]
    assert (pair["unit"], pair["n_pairs"]) == ("seed", 5)
    assert pair["p_value"] == pytest.approx(guarded(d, np.zeros(5)).p)
    assert pair["error"] == pytest.approx(d.std(ddof=1) / math.sqrt(5))
    assert "Outside: the split of the data" in luck(found.runs, found.results[0])


def test_no_number_of_splits_is_said_to_decide(tmp_path: Path) -> None:
    found = study(tmp_path, splits=5, seeds=1, phase="final")
    (pair,) = found.results[0].primary
    assert (pair["verdict"], math.isnan(pair["seeds_needed"])) == ("undecided", True)
    step = next_step(found.runs, found.results[0])
    assert step is not None
    assert step.what == "more replicates may tell them apart"


def test_a_claim_and_times_say_what_splits_do_to_them(tmp_path: Path) -> None:
    study(tmp_path, splits=4, seeds=1, phase="final")
    found = analyse([tmp_path], target=0.8, hypothesis=Hypothesis(target=0.85))
    (claim, _) = found.results[0].claims
    error = claim.sd * math.sqrt(1 / 4 + OVERLAP)
    assert claim.p == pytest.approx(stats.t(3).sf((claim.mean - 0.85) / error))
    notes = found.pairwise.set_index("metric")["note"]
    assert "not corrected for splits that overlap" in notes["steps_to_target"]
    plain = study(tmp_path / "one", splits=1, seeds=4, phase="final")
    notes = plain.pairwise.set_index("metric")["note"]
    assert "overlap" not in str(notes["steps_to_target"])
