"""The report of a comparison that was stopped early: whole replicates only, and what is missing."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml
from html_page import Page
from studies import make_study

from quick_reports import leave_undrawn
from sgdlab.analysis import Analysis, analyse
from sgdlab.analysis.progress import Share
from sgdlab.report import build
from sgdlab.report.verdict.unfinished import caveats_of


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_undrawn(monkeypatch)


def study(root: Path, **options: int) -> Path:
    """A study of sgd and adam: folders digi-PLACE-REPLICATE, with tune0…, final…, defaults…."""
    return make_study(root / "s", ["sgd", "adam"], **{"replicates": 4, "trials": 3, **options})


def unended(folder: Path) -> None:
    """Make a run one that was killed: everything but its summary is there."""
    summary = pd.read_csv(folder / "summary.csv").iloc[0]
    labels = {key: str(summary[key]) for key in ("study", "phase", "contender")}
    labels |= {key: int(summary[key]) for key in ("replicate", "trial")}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | labels))
    (folder / "summary.csv").unlink()


def finals(root: Path, place: int, replicate: int) -> list[Path]:
    return sorted(root.glob(f"digi-{place}-{replicate}/final*"))


def values(root: Path, place: int) -> dict[int, float]:
    """The test metric of each whole replicate, read from the files without sgdlab."""
    found: dict[int, list[float]] = {}
    for path in root.glob(f"digi-{place}-*/final*/summary.csv"):
        table = pd.read_csv(path)
        found.setdefault(int(table["replicate"][0]), []).append(float(table["test_metric"][0]))
    return {replicate: sum(own) / len(own) for replicate, own in found.items()}


def tuned(analysis: Analysis):
    return next(result for result in analysis.results if result.track == "tuned")


def test_a_finished_comparison_has_nothing_missing(tmp_path: Path) -> None:
    root = study(tmp_path)
    analysis = analyse([root])
    assert analysis.unfinished == []
    assert all(not result.progress for result in analysis.results)
    report = build([root], tmp_path / "out")
    page = report.html.read_text()
    assert "Not finished" not in page
    assert "What is missing" not in page
    assert 'name="reload"' not in page


def test_a_replicate_counts_once_all_of_its_final_runs_have_ended(tmp_path: Path) -> None:
    root = study(tmp_path, seeds=2)
    unended(finals(root, 0, 3)[1])  # one of two runs of sgd's last replicate
    shutil.rmtree(finals(root, 1, 2)[0])  # one that adam has not begun
    result = tuned(analyse([root]))
    units = {entry.optimizer: sorted(entry.units) for entry in result.entries}
    assert units == {"sgd": [0, 1, 2], "adam": [0, 1, 3]}
    of_sgd, of_adam = values(root, 0), values(root, 1)
    means = {row["optimizer"]: row["test_metric_mean"] for row in result.rows}
    assert means["sgd"] == pytest.approx(sum(of_sgd[r] for r in (0, 1, 2)) / 3)
    assert means["adam"] == pytest.approx(sum(of_adam[r] for r in (0, 1, 3)) / 3)
    (pair,) = result.primary
    assert pair["n_pairs"] == 2
    sign = 1 if pair["first"] == "sgd" else -1
    mean = sum(of_sgd[r] - of_adam[r] for r in (0, 1)) / 2
    assert pair["mean_difference"] == pytest.approx(sign * mean)


def test_what_has_ended_is_counted_by_search_and_phase(tmp_path: Path) -> None:
    root = study(tmp_path)
    unended(root / "digi-0-3/tune2")
    for folder in (*finals(root, 0, 3), *finals(root, 1, 3)):
        shutil.rmtree(folder)
    found = {(p.contender, p.replicate): p for p in analyse([root]).unfinished}
    assert len(found) == 8
    assert found["sgd", 3].shares["tune"] == Share(2, 3)
    assert found["sgd", 3].shares["final"] == Share(0, 1)
    assert found["adam", 3].shares == {
        "tune": Share(3, 3), "final": Share(0, 1), "defaults": Share(1, 1),
    }  # fmt: skip
    assert found["adam", 0].is_whole
    assert [key for key, p in found.items() if not p.is_whole] == [("sgd", 3), ("adam", 3)]


def test_the_page_says_plainly_that_it_is_not_finished_and_what_is_missing(tmp_path: Path) -> None:
    root = study(tmp_path)
    for folder in (*finals(root, 0, 3), *finals(root, 1, 3)):
        shutil.rmtree(folder)
    report = build([root], tmp_path / "out")
    page = Page(report.html.read_text())
    assert "Not finished: 24 of 24 trials and 6 of 8 final runs have ended" in page.content
    assert "Only whole replicates count" in page.content
    assert "p-values hold for the plan as a whole" in page.content
    text = (tmp_path / "out/report.md").read_text()
    section = text.partition("## What is missing")[2].partition("\n## ")[0]
    assert "| sgd | 3 | 3 of 3 | 0 of 1 | 1 of 1 |" in section
    assert "| adam | 3 | 3 of 3 | 0 of 1 | 1 of 1 |" in section
    assert "Of 6 searches nothing is missing." in section
    assert "| sgd | 0 |" not in section
    answer = json.loads((tmp_path / "out/verdict.json").read_text())["answers"][0]
    assert answer["caveats"][0].startswith("Not finished: ")
    assert report.answers[0].where == "On digits/mlp so far"


def test_while_it_tunes_nothing_is_compared_and_the_page_is_there(tmp_path: Path) -> None:
    root = study(tmp_path)
    for pattern in ("final*", "defaults*", "tune2"):
        for folder in root.glob(f"digi-*/{pattern}"):
            shutil.rmtree(folder)
    shutil.rmtree(root / "digi-1-3")
    report = build([root], tmp_path / "out")
    (answer,) = report.answers
    assert answer.headline == "nothing can be compared"
    assert answer.caveats[0] == ("Not finished: 14 of 24 trials and 0 of 8 final runs have ended")
    assert (tmp_path / "out/comparison.csv").is_file()


def test_a_workload_that_has_not_begun_is_named(tmp_path: Path) -> None:
    pairs = (("digits", "mlp"), ("wine", "linear"))
    root = make_study(tmp_path / "s", ["sgd", "adam"], trials=3, workloads=pairs)
    for folder in root.glob("wine-*"):
        shutil.rmtree(folder)
    report = build([root], tmp_path / "out")
    text = (tmp_path / "out/report.md").read_text()
    assert "| wine/linear | adam | 2 | 0 of 3 | 0 of 1 | 0 of 1 |" in text
    assert "digits/mlp | adam" not in text.partition("## What is missing")[2].partition("\n## ")[0]
    assert report.answers[0].where == "On digits/mlp"


def test_seeds_are_units_of_their_own_where_there_is_one_search(tmp_path: Path) -> None:
    root = study(tmp_path, replicates=1, seeds=4)
    unended(finals(root, 0, 0)[3])
    result = tuned(analyse([root]))
    assert {entry.optimizer: len(entry.units) for entry in result.entries} == {"sgd": 3, "adam": 4}
    assert result.primary[0]["n_pairs"] == 3


def test_a_search_without_a_completed_trial_has_no_final_runs_to_come(tmp_path: Path) -> None:
    root = study(tmp_path, replicates=2)
    for path in root.glob("digi-0-1/tune*/summary.csv"):
        path.write_text(path.read_text().replace("completed", "diverged"))
    for folder in finals(root, 0, 1):
        shutil.rmtree(folder)
    assert analyse([root]).unfinished == []


def edit_plan(root: Path, **changes: object) -> None:
    path = root / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))


def edit(run: Path, **changes: object) -> None:
    """Change settings of a run in its config and its summary."""
    path = run / "config.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | changes))
    table = pd.read_csv(run / "summary.csv", dtype=str, keep_default_na=False)
    table.assign(**{key: str(value) for key, value in changes.items()}).to_csv(
        run / "summary.csv", index=False
    )


def test_a_point_of_an_axis_that_has_not_begun_is_missing(tmp_path: Path) -> None:
    root = study(tmp_path, replicates=2)
    axes = {"values": {"batch_size": [64, 128]}, "base": {"digits/mlp": {"batch_size": 64}}}
    edit_plan(root, axes={"design": "one_at_a_time", **axes})
    found = analyse([root]).unfinished
    assert [p.point["batch_size"] for p in found if not p.is_whole] == [128] * 4
    assert {p.shares["final"] for p in found if p.point["batch_size"] == 128} == {Share(0, 1)}
    build([root], tmp_path / "out")
    text = (tmp_path / "out/report.md").read_text()
    section = text.partition("## What is missing")[2].partition("\n## ")[0]
    assert "| batch_size=128 | adam | 1 | 0 of 3 | 0 of 1 | 0 of 1 |" in section
    assert "batch_size=64 |" not in section


def test_the_runs_of_each_point_are_counted_by_themselves(tmp_path: Path) -> None:
    root = study(tmp_path, trials=1, replicates=3)
    edit_plan(
        root,
        axes={
            "design": "grid",
            "values": {"batch_size": [64.0, "128"], "epochs": [2, 4]},  # numbers, however written
            "base": {"digits/mlp": {"batch_size": 64, "epochs": 2}},
        },
    )
    for number, moved in enumerate(
        ({"batch_size": 128}, {"epochs": 4}, {"batch_size": 128, "epochs": 4})
    ):
        for folder in root.glob("digi-*"):
            copy = root / f"moved{number}-{folder.name}"
            shutil.copytree(folder, copy)
            for run in copy.iterdir():
                edit(run, **moved)
    assert analyse([root]).unfinished == []
    (lost,) = root.glob("moved0-digi-0-2/final*")
    shutil.rmtree(lost)
    analysis = analyse([root])
    (short,) = [p for p in analysis.unfinished if not p.is_whole]
    assert (short.contender, short.replicate, short.shares["final"]) == ("sgd", 2, Share(0, 1))
    pairs = {
        r.workload.held: r.primary[0]["n_pairs"] for r in analysis.results if r.track == "tuned"
    }
    assert pairs == {"": 3, "batch_size=128": 2, "epochs=4": 3, "batch_size=128 epochs=4": 3}
    unfinished = {r.workload.held for r in analysis.results if r.progress}
    assert unfinished == {"batch_size=128"}


def test_the_track_of_one_setting_is_counted_by_its_own_runs(tmp_path: Path) -> None:
    root = study(tmp_path, seeds=2)
    edit_plan(root, tracks=["tuned", "one"])
    for run in root.glob("digi-*/defaults*"):
        edit(run, phase="one")
    assert analyse([root]).unfinished == []
    shutil.rmtree(sorted(root.glob("digi-0-3/defaults*"))[1])
    analysis = analyse([root])
    whole, one = analysis.results
    assert (whole.track, whole.progress, whole.primary[0]["n_pairs"]) == ("tuned", [], 4)
    assert one.track == "one"
    assert {entry.optimizer: len(entry.units) for entry in one.entries} == {"sgd": 3, "adam": 4}
    assert one.primary[0]["n_pairs"] == 3
    assert caveats_of(one)[0] == "Not finished: 15 of 16 runs with one setting have ended"
    build([root], tmp_path / "out")
    text = (tmp_path / "out/report.md").read_text()
    assert "| Trials | Final runs | Runs with one setting |" in text
    assert "| sgd | 3 | 3 of 3 | 2 of 2 | 1 of 2 |" in text


def test_a_replicate_beyond_the_plan_counts_once_it_is_whole(tmp_path: Path) -> None:
    """As where a comparison that adds replicates was stopped, and is begun again."""
    root = study(tmp_path, seeds=2)
    plan = yaml.safe_load((root / "study.yaml").read_text())
    edit_plan(root, replicates=3, final_seeds=plan["final_seeds"][:3])
    assert analyse([root]).unfinished == []
    shutil.rmtree(finals(root, 0, 3)[1])
    analysis = analyse([root])
    (short,) = [p for p in analysis.unfinished if not p.is_whole]
    assert (short.contender, short.replicate, short.shares["final"]) == ("sgd", 3, Share(1, 2))
    assert tuned(analysis).primary[0]["n_pairs"] == 3


@pytest.mark.parametrize(
    "line",
    ["final_seeds: 3", "workloads: [1, {}]", "contenders: {a: b}", "budget: x", "tracks: 4",
     "final_seeds: [[a], 5]", "workloads: x"],
)  # fmt: skip
def test_a_plan_that_was_edited_into_nonsense_stops_no_report(tmp_path: Path, line: str) -> None:
    root = study(tmp_path, replicates=2)
    unended(finals(root, 0, 1)[0])
    path = root / "study.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(path.read_text()) | yaml.safe_load(line)))
    assert build([root], tmp_path / "out").html.is_file()
