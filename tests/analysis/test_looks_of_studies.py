"""Looks that study.yaml records: what a report makes of them."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from run_folders import make_replicates
from scipy import stats

from answer_text import verdicts
from guarded import guarded, widening
from sgdlab.analysis import Analysis, Hypothesis, analyse
from sgdlab.analysis.looks import WHENEVER, looks_of
from sgdlab.analysis.statistics import (
    ANYTIME,
    ONE_LOOK,
    PLANNED,
    Looks,
    anytime_p,
    overall_p,
)
from sgdlab.report.verdict import answers, is_settled, joint
from sgdlab.report.verdict.along import along

PLAN = [5, 10, 15]


def study(folder: Path, gap: float, count: int, **looks: object) -> Analysis:
    """Return the analysis of two optimizers over so many replicates, and of a study.yaml."""
    noise = np.random.default_rng(4).normal(0, 0.01, 15)[:count]
    make_replicates(folder, {"a": [[0.9 + gap + v] for v in noise], "b": [[0.9]] * count})
    content = {"study": "study", "replicates": count, "margin": 0.01, **looks}
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return analyse([folder])


@pytest.mark.parametrize(
    ("content", "known"),
    [
        ({}, ONE_LOOK),
        ({"looks": [5]}, ONE_LOOK),
        ({"looks": []}, ONE_LOOK),
        ({"looks": [5, 12]}, Looks(ANYTIME, (5, 12))),
        ({"looks": [5, 10], "planned_looks": PLAN}, Looks(PLANNED, (5, 10), (5, 10, 15))),
        ({"looks": [5], "planned_looks": PLAN}, Looks(PLANNED, (5,), (5, 10, 15))),
        ({"looks": [5, 12], "planned_looks": PLAN}, Looks(ANYTIME, (5, 12), ())),
        ({"looks": [], "planned_looks": PLAN}, WHENEVER),
        ({"looks": [5, "x"]}, ONE_LOOK),
        ({"looks": [9, 5]}, ONE_LOOK),
        ({"looks": 5}, ONE_LOOK),
    ],
)
def test_the_looks_of_a_study(content: dict[str, object], known: Looks) -> None:
    assert looks_of([content]) == known
    assert looks_of([content, {"looks": [5]}]) == (ONE_LOOK if known == ONE_LOOK else WHENEVER)


def test_one_look_is_the_fixed_test(tmp_path: Path) -> None:
    pair = study(tmp_path, 0.006, 10, looks=[10]).pairwise.iloc[0]
    noise = np.random.default_rng(4).normal(0, 0.01, 15)[:10]
    assert pair["p_value"] == pytest.approx(guarded(0.006 + noise, np.zeros(10)).p)
    assert (pair["looks"], pair["design"]) == (1, "fixed")


def test_a_second_look_that_nobody_planned_is_judged_at_any_time(tmp_path: Path) -> None:
    found = study(tmp_path, 0.006, 10, looks=[5, 10])
    pair = found.pairwise.iloc[0]
    d = 0.006 + np.random.default_rng(4).normal(0, 0.01, 15)
    t = [d[:n].mean() / (d[:n].std(ddof=1) / np.sqrt(n) * widening(n)) for n in (5, 10)]
    assert pair["p_value"] == pytest.approx(min(anytime_p(t[0], 5), anytime_p(t[1], 10)))
    assert (pair["looks"], pair["design"]) == (2, "anytime")
    assert pair["p_value"] > guarded(d[:10], np.zeros(10)).p
    assert "look 2, not planned" in verdicts(found)[0]
    (answer,) = answers(found)
    assert any("This is look 2 at this study" in note for note in answer.notes)
    assert not any(note.startswith("Wilcoxon's test cannot") for note in answer.notes)


def test_planned_looks_are_judged_by_their_plan(tmp_path: Path) -> None:
    found = study(tmp_path, 0.03, 10, looks=[5, 10], planned_looks=PLAN)
    pair = found.pairwise.iloc[0]
    d = 0.03 + np.random.default_rng(4).normal(0, 0.01, 15)
    p = []
    for place, n in enumerate((5, 10)):
        wider = (1 + min(0.13, 3 / n)) / widening(n)
        plain = guarded(d[:n], np.zeros(n))
        p.append(
            overall_p(2 * float(stats.t.sf(abs(plain.t) / wider, n - 1)), (1 / 3, 2 / 3, 1), place)
        )
    assert pair["p_value"] == pytest.approx(min(p))
    assert (pair["looks"], pair["design"], pair["verdict"]) == (2, "planned", "first better")
    assert "look 2 of 3 planned" in verdicts(found)[0]
    assert is_settled(found)
    assert any("group-sequential" in note for note in answers(found)[0].notes)


def test_what_is_undecided_is_not_settled(tmp_path: Path) -> None:
    assert not is_settled(study(tmp_path, 0.0, 5, looks=[5], planned_looks=PLAN))


def test_equivalence_settles_too(tmp_path: Path) -> None:
    noise = np.random.default_rng(4).normal(0, 0.001, 10)
    make_replicates(tmp_path, {"a": [[0.9 + v] for v in noise], "b": [[0.9]] * 10})
    content = {"study": "study", "margin": 0.01, "looks": [5, 10], "planned_looks": PLAN}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    found = analyse([tmp_path])
    assert found.pairwise.iloc[0]["verdict"] == "equivalent"
    assert is_settled(found)


def test_judged_at_any_time_whatever_the_study_says(tmp_path: Path) -> None:
    study(tmp_path, 0.006, 10, looks=[10])
    found = analyse([tmp_path], hypothesis=Hypothesis(anytime=True))
    pair = found.pairwise.iloc[0]
    d = 0.006 + np.random.default_rng(4).normal(0, 0.01, 15)[:10]
    t = d.mean() / (d.std(ddof=1) / np.sqrt(10) * widening(10))
    assert pair["p_value"] == pytest.approx(anytime_p(t, 10))
    assert (pair["looks"], pair["design"]) == (None, "anytime")


@pytest.mark.parametrize("plan", [{"planned_looks": PLAN}, {}])
def test_what_was_begun_after_the_last_look_waits_for_the_next(
    tmp_path: Path, plan: dict[str, object]
) -> None:
    """Killed during replicates 6 to 10 and retyped: the look at 5 is that of the first 5 again."""
    known = study(tmp_path / "s", 0.006, 5, looks=[5], **plan)
    noise = np.random.default_rng(4).normal(0, 0.01, 15)
    later = {"a": [[0.906 + v] for v in noise[:7]], "b": [[0.9]] * 6}  # b is a replicate behind
    make_replicates(tmp_path / "s", later)
    found = analyse([tmp_path / "s"])
    assert found.pairwise.iloc[0]["n_pairs"] == 5
    columns = ["n_pairs", "p_value", "p_adjusted", "ci_low", "looks", "verdict"]
    pd.testing.assert_frame_equal(found.pairwise[columns], known.pairwise[columns])
    assert found.comparison["units"].tolist() == [5, 5]
    assert is_settled(found) == is_settled(known)
    # Judged at any time, all that there is counts.
    anytime = analyse([tmp_path / "s"], hypothesis=Hypothesis(anytime=True))
    assert anytime.pairwise.iloc[0]["n_pairs"] == 6


@pytest.mark.parametrize("looks", [[5], [3, 5]])
def test_what_is_of_one_look_alone_says_so(tmp_path: Path, looks: list[int]) -> None:
    """The joint test, speed-ups and changes along an axis have no p-values over looks."""
    note = "not corrected for looks"
    noise = np.random.default_rng(6).normal(0, 0.01, 5)
    for number, model in enumerate(("mlp", "cnn", "linear")):
        samples = {"a": [[0.93 + v] for v in noise], "b": [[0.9]] * 5}
        make_replicates(tmp_path / f"w{number}", samples, model=model)
    content = {"study": "study", "replicates": 5, "margin": 0.01, "looks": looks}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    found = analyse([tmp_path])
    assert len(found.joint) > 0
    assert all((note in str(text)) == (len(looks) > 1) for text in found.joint["note"])
    speeds = [row["note"] for result in found.results for row in result.speed_ups]
    assert speeds
    assert all((note in text) == (len(looks) > 1) for text in speeds)
    whole = joint(found)
    assert whole is not None
    assert "is better than" in whole.headline
    assert (f"The test of all together is {note}" in whole.number) == (len(looks) > 1)
    axes = {"values": {"epochs": [2, 4]}, "base": {}}
    make_replicates(tmp_path / "w0/longer", samples, model="mlp", config={"epochs": 4}, base=500)
    for number in (1, 2):
        shutil.rmtree(tmp_path / f"w{number}")
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**content, "axes": axes}))
    (line,) = [line for line in analyse([tmp_path]).lines if line.axis == "epochs"]
    assert (line.rows()[0]["note"] == note) == (len(looks) > 1)
    assert (note in along(line)) == (len(looks) > 1)
