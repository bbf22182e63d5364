"""Looking again: a comparison that is continued, and one that adds replicates by itself."""

from pathlib import Path

import pytest
import yaml
from cli_runs import QUICK, Cli, Result, rows

STUDY = (
    *QUICK, "study=s", "epochs=2", "trials=2", "seeds=1", "optimizers=[sgd,nesterov]",
    "tracks=[tuned]",
)  # fmt: skip

Shown = tuple[Path, Result, Result]


def primary(study: Path) -> dict[str, str]:
    return next(r for r in rows(study / "report/pairwise.csv") if r["metric"] == "test_metric")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Shown:
    """The folder of a comparison of two replicates that was continued to three."""
    cli = Cli(tmp_path_factory.mktemp("looks") / "here")
    study = cli.folder / "runs/s"
    first = cli("compare", *STUDY, "replicates=2")
    assert first.code == 0, first.err
    assert primary(study)["design"] == "fixed"
    assert yaml.safe_load((study / "study.yaml").read_text())["looks"] == [2]
    kept = {path: path.stat().st_mtime_ns for path in study.glob("*/*/summary.csv")}
    second = cli("compare", *STUDY, "replicates=3")
    assert second.code == 0, second.err
    assert all(path.stat().st_mtime_ns == before for path, before in kept.items())
    return study, first, second


@pytest.mark.slow
def test_going_on_is_offered_in_the_same_study(shown: Shown) -> None:
    _, first, _ = shown
    out = " ".join(first.out.split())
    assert "is better than" in out or "study=s replicates=" in out


@pytest.mark.slow
def test_a_second_look_is_recorded_and_judged_as_one(shown: Shown) -> None:
    study, _, second = shown
    written = yaml.safe_load((study / "study.yaml").read_text())
    assert (written["looks"], written["replicates"]) == ([2, 3], 3)
    assert len(list(study.glob("final/*/summary.csv"))) == 6
    row = primary(study)
    assert (row["n_pairs"], row["looks"], row["design"]) == ("3", "2", "anytime")
    assert row["verdict"] == "undecided"  # fewer than five decide nothing at any time
    assert "look 2, not planned" in " ".join(second.out.split())
    assert "This is look 2 at this study" in (study / "report/report.md").read_text()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("replicates=2", "replicates=2: {study} has 3 replicates already; give 3 or more"),
        ("replicates=auto max_replicates=2", "max_replicates=2: {study} has 3 replicates already"),
        ("replicates=atuo", "replicates=atuo: must be a whole number from 1, or auto"),
        ("replicates=auto max_replicates=0", "max_replicates=0: must be a whole number from 1"),
        ("replicates=auto max_replicates=100000", "max_replicates=100000: 400,000 trials in all"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(shown: Shown, words: str, line: str) -> None:
    study, _, _ = shown
    before = (study / "study.yaml").read_bytes()
    result = Cli(study.parents[1])("compare", *STUDY, *words.split())
    assert result.code == 2
    assert line.format(study=study) in result.err
    assert len(result.err.strip().splitlines()) == 1
    assert (study / "study.yaml").read_bytes() == before


@pytest.mark.slow
def test_replicates_are_added_until_the_budget_ends_or_the_question_is_decided(
    sgdlab: Cli,
) -> None:
    words = (*STUDY, "replicates=auto", "max_replicates=7")
    result = sgdlab("compare", *words)
    assert result.code == 0, result.err
    study = sgdlab.folder / "runs/s"
    written, row = yaml.safe_load((study / "study.yaml").read_text()), primary(study)
    assert written["planned_looks"] == [5, 7]
    assert written["looks"] == [5, 7][: int(row["looks"])]
    assert row["design"] == "planned"
    assert int(row["n_pairs"]) == written["replicates"] == written["looks"][-1]
    ended = "decided" if row["verdict"] != "undecided" else "the budget of replicates ends"
    assert ended in result.out
    trained = {path: path.stat().st_mtime_ns for path in study.glob("*/*/summary.csv")}
    again = sgdlab("compare", *words)
    assert again.code == 0, again.err
    assert {p: p.stat().st_mtime_ns for p in study.glob("*/*/summary.csv")} == trained
    assert yaml.safe_load((study / "study.yaml").read_text()) == written
