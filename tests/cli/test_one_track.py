"""``tracks=[tuned,one]``: a single setting for all workloads, by the least mean rank."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, refused, rows
from scipy.stats import rankdata

WORKLOADS = ("wine/linear", "breast_cancer/linear")
COMMON = (
    QUICK[2], "optimizers=[sgd,adam]", "trials=3", "replicates=2", "epochs=2",
    f"workloads=[{','.join(WORKLOADS)}]", "tracks=[tuned,one]",
)  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cli = Cli(tmp_path_factory.mktemp("one") / "here")
    result = cli("compare", *COMMON, "study=s")
    assert result.code == 0, result.err
    return cli.folder / "runs/s"


def of(study: Path, phase: str, contender: str, replicate: str) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows(study / "runs.csv"):
        if (row["phase"], row["contender"], row["replicate"]) == (phase, contender, replicate):
            found.setdefault(row["dataset"], []).append(row)
    return found


@pytest.mark.parametrize("contender", ["sgd", "adam"])
@pytest.mark.parametrize("replicate", ["0", "1"])
def test_the_setting_has_the_least_mean_rank(study: Path, contender: str, replicate: str) -> None:
    trials = of(study, "tune", contender, replicate)
    ordered = {name: sorted(own, key=lambda row: int(row["trial"])) for name, own in trials.items()}
    settings = [[row["base_lr"] for row in own] for own in ordered.values()]
    assert settings[0] == settings[1]  # all workloads try the same
    ranks = [rankdata([float(row["final_val_loss"]) for row in own]) for own in ordered.values()]
    mean = sum(ranks)
    best = min(range(3), key=lambda number: (mean[number], number))
    for own in of(study, "one", contender, replicate).values():
        assert {row["trial"] for row in own} == {str(best)}
        assert {row["base_lr"] for row in own} == {settings[0][best]}
        assert all(row["test_metric"] for row in own)


def test_it_is_a_track_of_its_own_with_replicates_as_units(study: Path) -> None:
    table = rows(study / "report/comparison.csv")
    assert {row["track"] for row in table} == {"tuned", "one"}
    assert {(row["unit"], row["units"]) for row in table} == {("replicate", "2")}
    joint = rows(study / "report/joint.csv")
    assert {row["track"] for row in joint} == {"tuned", "one"}
    page = (study / "report/report.md").read_text()
    assert "One setting for all workloads" in page
    for track in ("", "-one"):  # no track's figure takes the place of another's
        found = list((study / "report/figures").glob(f"joint-difference-*adam*{track}.*"))
        assert {path.stem.endswith("-one") for path in found} >= {track == "-one"}, track
    assert "chosen by the mean rank in validation" in page


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (("tracks=[one]",), "one chooses among the trials of tuned"),
        (("workloads=[wine/linear]",), "name workloads"),
        (("search.method=tpe",), "search.method=tpe"),
        (("search.recentre=true",), "search.recentre=true"),
        (("tracks=[tuned,won]",), "valid: defaults, one, tuned"),
    ],
)
def test_where_no_setting_is_tried_on_all_it_is_refused(
    tmp_path: Path, changes: tuple[str, ...], said: str
) -> None:
    assert said in refused(Cli(tmp_path / "here"), "compare", *COMMON, "study=x", *changes)
