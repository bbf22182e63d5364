"""``target=study:PATH``: fixed beforehand by a longer study, and never by the contenders."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from cli_runs import QUICK, Cli, refused, rows

pytestmark = pytest.mark.slow

SHORT = (*QUICK, "trials=1", "replicates=2", "optimizers=[sgd,adam]", "tracks=[tuned]")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("outside") / "here")
    result = cli("compare", *SHORT[:3], "optimizers=[lion,nesterov]", "study=long", "epochs=6",
                 "trials=2", "replicates=3", "tracks=[tuned]")  # fmt: skip
    assert result.code == 0, result.err
    return cli


def expected(study: Path) -> float:
    """Return the median best validation metric of the contender with the best mean."""
    finals = [row for row in rows(study / "runs.csv") if row["phase"] == "final"]
    names = sorted({row["contender"] for row in finals})
    means = {
        name: np.mean([float(r["test_metric"]) for r in finals if r["contender"] == name])
        for name in names
    }
    best = max(names, key=lambda name: means[name])
    values = sorted(
        (float(r["best_val_metric"]) for r in finals if r["contender"] == best), reverse=True
    )
    return values[(len(values) - 1) // 2 if len(values) % 2 else len(values) // 2]


def test_its_best_contender_sets_the_target_and_the_page_says_so(cli: Cli) -> None:
    result = cli("compare", *SHORT, "study=short", "epochs=2", "target=study:runs/long")
    assert result.code == 0, result.err
    study = cli.folder / "runs/short"
    written = yaml.safe_load((study / "study.yaml").read_text())
    value = expected(cli.folder / "runs/long")
    assert written["target"] == {"wine/linear": pytest.approx(value)}
    assert written["target_from"] == "study:runs/long"
    table = rows(study / "report/comparison.csv")
    assert [float(row["target"]) for row in table] == pytest.approx([value] * len(table))
    page = (study / "report/report.md").read_text()
    assert "fixed beforehand by another study (study:runs/long)" in page
    again = cli("compare", *SHORT, "study=short", "epochs=2", "target=study:runs/long")
    assert again.code == 0, again.err


def test_a_report_may_take_it_too(cli: Cli) -> None:
    done = cli("compare", *SHORT, "study=other", "epochs=2")
    assert done.code == 0, done.err
    args = ("runs/other", "--out", "out", "--target", "study:runs/long")
    assert cli("report", *args).code == 0
    value = expected(cli.folder / "runs/long")
    table = rows(cli.folder / "out/comparison.csv")
    assert [float(row["target"]) for row in table] == pytest.approx([value] * len(table))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("epochs=9", "target=study:runs/long"), "have 6 epochs, those that are to reach it 9"),
        (("model=mlp", "target=study:runs/long"), "has no final runs of wine/mlp"),
        (("target=study:runs/nowhere",), "nowhere"),
        (("target={wine/mlp: 0.9}",), "no workload wine/mlp"),
        (("target={wine/linear: high}",), "must be a number"),
        (("target={wine/linear: 7}",), "fraction from 0 to 1"),
    ],
)
def test_what_cannot_be_one_is_refused(cli: Cli, changes: tuple[str, ...], said: str) -> None:
    assert said in refused(cli, "compare", *SHORT, "study=x", *changes)
