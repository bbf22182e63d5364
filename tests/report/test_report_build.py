import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
from html_page import Page
from run_folders import make_pair, make_run

from sgdlab.commands import report as command
from sgdlab.errors import InputError
from sgdlab.report import Report, build

FIRST = [0.91, 0.93, 0.95]
SECOND = [0.90, 0.90, 0.93]
EVIL = "<script>alert('x')</script>|*b*\"&$"


def make_study(root: Path) -> Path:
    make_pair(root / "final", FIRST, SECOND)
    make_run(root / "final" / "lost", "sgd", seed=7, phase="final", status="diverged")
    for optimizer in ("adam", "sgd"):
        for trial in range(3):
            make_run(
                root / "tune" / f"{optimizer}{trial}", optimizer, lr=10.0 ** -trial, trial=trial,
                phase="tune", test=None, status="completed" if trial else "diverged",
            )  # fmt: skip
    return root


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return make_study(tmp_path / "study")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    root = make_study(tmp_path_factory.mktemp("built"))
    return build([root], root / "report")


def test_all_files_are_written(report: Report) -> None:
    study = report.out.parent
    assert report.html == study / "report" / "report.html"
    assert report.markdown == study / "report" / "report.md"
    assert len(pd.read_csv(study / "report" / "runs.csv")) == 13
    comparison = pd.read_csv(study / "report" / "comparison.csv")
    assert list(comparison["optimizer"]) == ["adam", "sgd"]
    assert list(comparison["diverged"]) == [0, 1]
    assert comparison["test_metric_mean"][0] == report.comparison["test_metric_mean"][0]
    assert list(pd.read_csv(study / "report" / "pairwise.csv")["n_pairs"]) == [3]
    assert sorted(path.name for path in (study / "report" / "figures").iterdir()) == [
        "digits-mlp-gradient-norm.svg",
        "digits-mlp-learning-rate.svg",
        "digits-mlp-loss-seconds.svg",
        "digits-mlp-loss-steps.svg",
        "digits-mlp-seeds.svg",
        "digits-mlp-validation-seconds.svg",
        "digits-mlp-validation-steps.svg",
    ]
    assert report.problems == []


def test_the_page_answers_first_and_needs_nothing_else(report: Report) -> None:
    text = report.html.read_text()
    page = Page(text)
    shown = page.content.replace("\u00a0", " ")
    assert shown.index(report.verdicts[0]) < shown.index("Comparison")
    assert len(page.ids) == len(set(page.ids))
    assert set(page.references) <= set(page.ids)
    assert "script" not in page.tags
    assert not re.search(r"(https?:)?//[a-z]", text.replace("http://www.w3.org", ""))
    assert text.count("<svg") == 7
    assert "currentColor" in text
    assert shown.count("it diverged") == 3


def test_the_command_on_the_page_names_the_run(report: Report) -> None:
    page = Page(report.html.read_text())
    lines = re.findall(r"sgdlab train --config-dir .* --config-name config", page.content)
    assert len(lines) == 7
    folder = Path(shlex.split(lines[0])[3])
    assert (folder / "config.yaml").is_file()


def test_figures_are_well_formed_and_undated(report: Report) -> None:
    for path in (report.out / "figures").iterdir():
        ET.parse(path)
        assert "<dc:date>" not in path.read_text()


def test_a_second_build_writes_the_same_bytes_and_removes_old_figures(report: Report) -> None:
    def written() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in report.out.rglob("*") if path.is_file()}

    first = written()
    (report.out / "figures" / "old.svg").write_text("<svg/>")
    build([report.out.parent], report.out)
    assert written() == first


def test_names_are_escaped(tmp_path: Path) -> None:
    for seed in range(2):
        for name in (EVIL, "sgd"):
            make_run(
                tmp_path / f"r{seed}{name == EVIL}", name, seed=seed, dataset=EVIL, model=EVIL,
                val=(0.1, 0.5 + 0.1 * seed),
            )  # fmt: skip
    make_run(
        tmp_path / "f", EVIL, seed=5, dataset=EVIL, model=EVIL, status="failed",
        summary={"reason": EVIL},
    )  # fmt: skip
    report = build([tmp_path], tmp_path / "report")
    text = report.html.read_text()
    assert "<script" not in text
    page = Page(text)
    assert f"On {EVIL}/{EVIL}," in page.content
    assert "script" not in page.tags
    markdown = report.markdown.read_text()
    assert "<script" not in markdown
    row = next(line for line in markdown.splitlines() if line.startswith("| &lt;script"))
    head = next(line for line in markdown.splitlines() if line.startswith("| Optimizer | Setting"))
    unescaped = re.compile(r"(?<!\\)\|")
    assert len(unescaped.findall(row)) == len(unescaped.findall(head))
    for path in (tmp_path / "report" / "figures").iterdir():
        ET.parse(path)


def test_markdown_shows_the_figures(report: Report) -> None:
    for name in re.findall(r"\]\((figures/[^)]+)\)", report.markdown.read_text()):
        assert (report.out / name).is_file()


@pytest.mark.parametrize("optimizers", [1, 9, 20])
def test_any_number_of_optimizers(tmp_path: Path, optimizers: int) -> None:
    for number in range(optimizers):
        for seed in range(2):
            make_run(
                tmp_path / f"{number}-{seed}", f"o{number:02}", seed=seed, phase="final",
                test=0.9 + number / 1000 + seed / 100,
            )  # fmt: skip
    report = build([tmp_path], tmp_path / "report")
    Page(report.html.read_text())
    assert len(report.comparison) == optimizers
    assert len(report.pairwise) == optimizers * (optimizers - 1) // 2


@pytest.mark.parametrize("status", ["diverged", "failed", "unfinished"])
def test_a_page_without_a_completed_run(tmp_path: Path, status: str) -> None:
    make_run(tmp_path / "a", status=status)
    report = build([tmp_path], tmp_path / "report")
    page = Page(report.html.read_text())
    assert "nothing can be compared" in report.verdicts[0]
    assert f"1 of 1 run: 1 {status}." in page.content


def test_runs_that_say_nothing_of_themselves_are_listed(tmp_path: Path) -> None:
    (make_run(tmp_path / "a", status="unfinished") / "config.yaml").write_text("{}\n")
    report = build([tmp_path], tmp_path / "report")
    assert len(report.comparison) == 0
    assert "unknown" in Page(report.html.read_text()).content


def test_the_command(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    assert command.main(["study"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for part in ("adam", "sgd", "93.00 %", "for these tuned settings", "study/report/report.html"):
        assert part in " ".join(printed.out.split())
    assert (
        "sgdlab train --config-dir study/final/adam-0"
        in (study / "report" / "report.md").read_text()
    )
    assert command.main(["study/final", "study/tune", "--target", "0.5"]) == 0
    assert Path("report/report.html").is_file()
    assert set(pd.read_csv("report/comparison.csv")["target"]) == {0.5}
    assert command.main(["study", "--out", "elsewhere"]) == 0
    assert Path("elsewhere/report.html").is_file()


def test_a_damaged_file_is_said_on_stderr_and_by_the_exit_code(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study / "final" / "adam-0" / "evals.csv"
    path.write_text(path.read_text()[:-20])
    assert command.main([str(study)]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(r"evals\.csv, line \d+: truncated", error)
    page = Page((study / "report" / "report.html").read_text())
    assert "1 file could not be read in whole" in page.content


def test_an_empty_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in it"):
        command.main([str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_neither_torch_nor_hydra_is_imported(study: Path) -> None:
    code = (
        "import sys; from sgdlab.commands.report import main; code = main(sys.argv[1:]); "
        "loaded = {'torch', 'hydra', 'omegaconf'} & set(sys.modules); "
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
