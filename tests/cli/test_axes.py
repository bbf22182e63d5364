"""``axes``: the comparison at every point, held apart, and nothing claimed beyond the ends."""

import math
from pathlib import Path

import numpy as np
import pytest
import yaml
from cli_runs import QUICK, Cli, refused, rows
from scipy import stats

from sgdlab.analysis.statistics import guard

BASE = (
    *QUICK, "optimizers=[sgd,adam]", "trials=1", "replicates=3", "tracks=[tuned]", "epochs=4",
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cli = Cli(tmp_path_factory.mktemp("axes") / "here")
    result = cli("compare", *BASE, "study=s", "axes={epochs:[2,4,8],batch_size:[16,64]}")
    assert result.code == 0, result.err
    return cli.folder / "runs/s"


@pytest.mark.slow
def test_one_key_moves_at_a_time_from_the_base_point(study: Path) -> None:
    finals = [yaml.safe_load(path.read_text()) for path in study.glob("final/*/config.yaml")]
    points = {(config["epochs"], config["batch_size"]) for config in finals}
    assert points == {(4, 64), (2, 64), (8, 64), (4, 16)}
    assert len(finals) == 4 * 2 * 3
    written = yaml.safe_load((study / "study.yaml").read_text())
    assert written["workloads"] == ["wine/linear"]
    assert written["axes"] == {
        "design": "one_at_a_time",
        "values": {"epochs": [2, 4, 8], "batch_size": [16, 64]},
        "base": {"wine/linear": {"epochs": 4, "batch_size": 64}},
    }


def test_points_are_held_apart_and_lines_have_them_in_order(study: Path) -> None:
    held = {row["held"] for row in rows(study / "report/comparison.csv")}
    assert held == {"", "epochs=2", "epochs=8", "batch_size=16"}
    lines = rows(study / "report/axes.csv")
    assert [(row["axis"], row["value"]) for row in lines] == [
        ("epochs", "2"), ("epochs", "4"), ("epochs", "8"),
        ("batch_size", "16"), ("batch_size", "64"),
    ]  # fmt: skip
    assert {row["others"] for row in lines} == {""}
    assert not (study / "report/joint.csv").exists()  # points are no sample of workloads


def test_every_number_of_a_line_is_recomputed(study: Path) -> None:
    finals = [row for row in rows(study / "runs.csv") if row["phase"] == "final"]

    def gaps(epochs: str, first: str, second: str) -> np.ndarray:
        own = {
            (row["contender"], int(row["replicate"])): float(row["test_metric"])
            for row in finals
            if (row["epochs"], row["batch_size"]) == (epochs, "64")
        }
        return np.array([own[first, r] - own[second, r] for r in range(3)])

    lines = [row for row in rows(study / "report/axes.csv") if row["axis"] == "epochs"]
    pair = lines[0]["first"], lines[0]["second"]
    for row in lines:
        d = gaps(row["value"], *pair)
        half = guard(3) * stats.t(2).ppf(0.975) * d.std(ddof=1) / math.sqrt(3)
        assert float(row["difference"]) == pytest.approx(d.mean())
        if d.std(ddof=1) > 0:
            assert float(row["ci_low"]) == pytest.approx(max(d.mean() - half, -1))
    change = gaps("8", *pair) - gaps("2", *pair)
    if change.std(ddof=1) > 0:
        t = change.mean() * math.sqrt(3) / (guard(3) * change.std(ddof=1))
        assert float(lines[0]["change_p"]) == pytest.approx(2 * stats.t(2).sf(abs(t)))


def test_the_page_refuses_to_extrapolate(study: Path) -> None:
    page = (study / "report/report.md").read_text()
    assert "Below 2 and above 8 nothing was run, and nothing is claimed" in page
    assert "## Along axes" in page
    assert "figures/along-epochs-wine-linear.svg" in page


@pytest.mark.slow
def test_it_repeats_from_its_folder(study: Path, tmp_path: Path) -> None:
    cli = Cli(tmp_path / "here")
    args = ("compare", "--config-dir", study, "--config-name", "config")
    result = cli(*args, "hydra.run.dir=again")
    assert result.code == 0, result.err
    ours, theirs = (
        sorted(row["run_id"] for row in rows(folder / "runs.csv"))
        for folder in (study, tmp_path / "here/again")
    )
    assert ours == theirs


@pytest.mark.slow
def test_a_grid_has_every_combination(tmp_path: Path) -> None:
    cli = Cli(tmp_path / "here")
    result = cli(
        "compare", *BASE[:3], "optimizers=[sgd,adam]", "trials=1", "replicates=2", "study=g",
        "tracks=[tuned]", "axes={epochs:[1,2],batch_size:[16,64]}", "axes_design=grid",
    )  # fmt: skip
    assert result.code == 0, result.err
    lines = rows(cli.folder / "runs/g/report/axes.csv")
    assert len({(row["axis"], row["others"]) for row in lines}) == 4
    assert len(lines) == 8


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("axes={epochs:[5]}",), "axes.epochs=[5]: write axes={epochs:[5,10,20]}"),
        (("axes={epochs:[5,5]}",), "axes.epochs"),
        (("axes={epochs:5}",), "axes.epochs=5"),
        (("axes={lr:[0.1,1]}",), "axes.lr: a comparison decides or searches lr"),
        (("axes={optimizer.weight_decay:[0,1]}",), "decides or searches optimizer.weight_decay"),
        (("axes={clip_norm:[1,2]}", "search.sgd.clip_norm=1"), "sgd has it in its search space"),
        (("axes={epochs:[1,2]}", "seconds=3"), "axes with seconds"),
        (("axes={epochs:[1,2]}", "axes_design=cube"), "axes_design=cube"),
        (("axes={epoch:[1,2]}",), "epoch"),
        (("axes={epochs:[1,0]}",), "epochs=0"),
    ],
)
def test_what_is_no_axis_is_refused(tmp_path: Path, changes: tuple[str, ...], said: str) -> None:
    assert said in refused(Cli(tmp_path / "here"), "compare", *BASE, "study=x", *changes)


def test_studies_without_axes_keep_their_names(tmp_path: Path) -> None:
    """The name of a comparison is a hash of its settings, from before there were axes."""
    cli = Cli(tmp_path / "here")
    result = cli("compare", *QUICK, "optimizers=[sgd]", "trials=1", "replicates=1", "epochs=1")
    assert result.code == 0, result.err
    (folder,) = (cli.folder / "runs").iterdir()
    assert "axes" not in yaml.safe_load((folder / "study.yaml").read_text())
