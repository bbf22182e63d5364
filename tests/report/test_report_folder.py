from pathlib import Path

import pytest
from run_folders import make_pair

from sgdlab.errors import InputError
from sgdlab.report import build
from sgdlab.report.folder import ReportFolder

NAMES = ("report.md", "report.html", "runs.csv", "figures/a.svg")


def put(out: Path, content: str = "new") -> Path | None:
    folder = ReportFolder(out, [])
    folder.refuse_others(NAMES)
    with folder.replacement() as replacement:
        for name in NAMES:
            replacement.write(name, content)
        return folder.commit(replacement)


def test_the_report_of_an_older_version_is_kept_aside_once(tmp_path: Path) -> None:
    tmp_path.joinpath("report.html").write_text("<title>Nine runs · sgdlab</title>")
    tmp_path.joinpath("report.md").write_text("with notes of mine")
    tmp_path.joinpath("thesis.tex").write_text("mine")
    aside = tmp_path / "earlier"
    assert put(tmp_path) == aside
    assert (aside / "report.md").read_text() == "with notes of mine"
    assert {path.name for path in aside.rglob("*")} == {"report.md", "report.html"}
    assert put(tmp_path) is None
    assert (tmp_path / "thesis.tex").read_text() == "mine"


def test_a_page_of_someone_else_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("report.html").write_text("<title>My thesis</title>")
    with pytest.raises(InputError, match=r"report.html: not sgdlab's.*--out"):
        put(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_refused_report_has_written_nothing(tmp_path: Path) -> None:
    make_pair(tmp_path / "study", [0.91, 0.93], [0.90, 0.90])
    out = tmp_path / "paper"
    out.mkdir()
    (out / "comparison.csv").write_text("mine")
    with pytest.raises(InputError, match=r"comparison.csv: not sgdlab's"):
        build([tmp_path / "study"], out, formats=("svg",))
    assert [path.name for path in out.iterdir()] == ["comparison.csv"]


def test_a_link_among_the_runs_leads_no_report_elsewhere(tmp_path: Path) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    study.mkdir()
    elsewhere.mkdir()
    (study / "report").symlink_to(elsewhere)
    with pytest.raises(InputError, match="report: a link; name the folder"):
        ReportFolder(study / "report", [study])
    ReportFolder(study / "report", [elsewhere])  # named by whoever typed it
