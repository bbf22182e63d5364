import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pandas as pd
import pytest
import studies
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
    assert len(pd.read_csv(study / "report" / "runs.csv")) == 13
    comparison = pd.read_csv(study / "report" / "comparison.csv")
    assert list(comparison["optimizer"]) == ["adam", "sgd"]
    assert list(comparison["diverged"]) == [0, 1]
    assert comparison["test_metric_mean"][0] == report.analysis.comparison["test_metric_mean"][0]
    pairwise = pd.read_csv(study / "report" / "pairwise.csv")
    assert list(pairwise[pairwise["metric"] == "test_metric"]["n_pairs"]) == [3]
    names = [
        "gradient-norm", "learning-rate", "loss-examples", "loss-seconds", "loss-steps", "pairs",
        "seeds", "tuning-adam", "tuning-sgd", "validation-examples", "validation-seconds",
        "validation-steps",
    ]  # fmt: skip
    found = {path.name for path in (study / "report" / "figures").iterdir()}
    assert {f"digits-mlp-{name}.svg" for name in names} <= found
    assert {name.rpartition(".")[2] for name in found} == {"svg"}
    more = {name.removeprefix("digits-mlp-").split(".")[0] for name in found} - set(names)
    assert more <= {"budget-trials", "budget-seconds"}
    for name in ("budget", "sensitivity", "audit"):
        assert (study / "report" / f"{name}.csv").is_file()
    for name in ("comparison", "pairwise", "audit"):
        assert (study / "report" / "tables" / f"{name}.tex").is_file()
    assert report.problems == []


def test_the_page_answers_first_and_says_what_diverged(report: Report) -> None:
    page = Page(report.html.read_text())
    shown = page.content.replace("\u00a0", " ")
    assert shown.index(report.answers[0].headline) < shown.index("Comparison")
    assert shown.count("it diverged") == 3


def test_the_command_on_the_page_names_the_run(report: Report) -> None:
    page = Page(report.html.read_text())
    lines = re.findall(r"sgdlab train --config-dir .* --config-name config", page.content)
    assert len(lines) == 7
    folder = Path(shlex.split(lines[0])[3])
    assert (folder / "config.yaml").is_file()


def test_figures_are_well_formed_and_undated(report: Report) -> None:
    for path in (report.out / "figures").glob("*.svg"):
        ET.parse(path)
        assert "<dc:date>" not in path.read_text()


def test_a_second_build_writes_the_same_bytes(report: Report) -> None:
    def written() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in report.out.rglob("*") if path.is_file()}

    first = written()
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
    report = build([tmp_path], tmp_path / "report", formats=("svg",))
    page = Page(report.html.read_text())
    assert report.answers[0].number in page.content.replace("\u00a0", " ")
    assert EVIL in report.answers[0].number
    assert len(page.scripts) == 3
    markdown = (report.out / "report.md").read_text()
    assert "<script" not in markdown
    row = next(line for line in markdown.splitlines() if line.startswith("| &lt;script"))
    head = next(line for line in markdown.splitlines() if line.startswith("| Optimizer | "))
    unescaped = re.compile(r"(?<!\\)\|")
    assert len(unescaped.findall(row)) == len(unescaped.findall(head))
    for path in (tmp_path / "report" / "figures").iterdir():
        ET.parse(path)


def test_markdown_shows_the_figures(report: Report) -> None:
    for name in re.findall(r"\]\((figures/[^)]+)\)", (report.out / "report.md").read_text()):
        assert (report.out / name).is_file()


@pytest.mark.parametrize("optimizers", [1, pytest.param(9, marks=pytest.mark.slow), 20])
def test_any_number_of_optimizers(tmp_path: Path, optimizers: int) -> None:
    for number in range(optimizers):
        for seed in range(2):
            make_run(
                tmp_path / f"{number}-{seed}", f"o{number:02}", seed=seed, phase="final",
                test=0.9 + number / 1000 + seed / 100,
            )  # fmt: skip
    report = build([tmp_path], tmp_path / "report", formats=("svg",))
    Page(report.html.read_text())
    assert len(report.analysis.comparison) == optimizers
    metrics = (
        report.analysis.pairwise["metric"]
        if optimizers > 1
        else report.analysis.comparison["optimizer"]
    )
    assert list(metrics).count("test_metric") == optimizers * (optimizers - 1) // 2


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("status", ["diverged", "failed", "unfinished"])
def test_a_page_without_a_completed_run(tmp_path: Path, status: str) -> None:
    make_run(tmp_path / "a", status=status)
    report = build([tmp_path], tmp_path / "report", formats=("svg",))
    page = Page(report.html.read_text())
    assert report.answers[0].headline == "nothing can be compared"
    assert f"1 of 1 run: 1 {status}." in page.content


@pytest.mark.usefixtures("undrawn")
def test_runs_that_say_nothing_of_themselves_are_listed(tmp_path: Path) -> None:
    (make_run(tmp_path / "a", status="unfinished") / "config.yaml").write_text("{}\n")
    report = build([tmp_path], tmp_path / "report", formats=("svg",))
    assert len(report.analysis.comparison) == 0
    assert "unknown" in Page(report.html.read_text()).content


@pytest.mark.usefixtures("undrawn")
def test_the_command(
    study: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    assert command.main(["study", "--formats", "svg"]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for part in ("adam", "sgd", "93.00 %", "for these tuned settings", "study/report/report.html"):
        assert part in " ".join(printed.out.split())
    lines = printed.out.splitlines()
    assert lines == [line.rstrip() for line in lines]
    assert any(len(line) > 80 and line.startswith("  ") and line.endswith(".") for line in lines)
    assert (
        "sgdlab train --config-dir study/final/adam-0"
        in (study / "report" / "report.md").read_text()
    )
    some = ["study/final", "study/tune", "--target", "0.5", "--formats", "svg"]
    assert command.main(some) == 0
    assert Path("report/report.html").is_file()
    assert set(pd.read_csv("report/comparison.csv")["target"]) == {0.5}
    assert command.main(["study", "--out", "elsewhere", "--formats", "png"]) == 0
    assert Path("elsewhere/report.html").is_file()
    assert {path.suffix for path in Path("elsewhere/figures").iterdir()} == {".svg", ".png"}
    assert command.main(["study", "--out", "elsewhere"]) == 0
    assert {path.suffix for path in Path("elsewhere/figures").iterdir()} == {".svg"}


@pytest.mark.usefixtures("undrawn")
def test_the_margin_decides_what_is_equivalent(study: Path) -> None:
    verdicts: list[str] = []
    for margin in ("1e-6", "0.5"):
        arguments = [str(study), "--margin", margin, "--target", "adam", "--formats", "svg"]
        assert command.main(arguments) == 0
        table = pd.read_csv(study / "report" / "pairwise.csv")
        verdicts.append(table["verdict"][0])
        assert table["margin"][0] == float(margin)
    assert verdicts == ["undecided", "equivalent"]
    assert pd.read_csv(study / "report" / "comparison.csv")["target"][0] == 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--formats", "svg,gif"], "gif is none of svg, png, pdf"),
        (["--margin", "much"], "--margin much"),
        (["--margin", "-1"], "--margin -1"),
        (["--target", "rmsprop"], "rmsprop"),
        (["--target", "95"], "0.95"),
        (["--target=-1"], "a fraction from 0 to 1"),
        (["--formats", ""], "names none of svg, png, pdf"),
    ],
)
def test_what_an_option_cannot_be_is_said_in_a_line(
    study: Path, arguments: list[str], message: str
) -> None:
    with pytest.raises(InputError) as error:
        command.main([str(study), *arguments])
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert not (study / "report").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_file_is_said_on_stderr_and_by_the_exit_code(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = study / "final" / "adam-0" / "evals.csv"
    path.write_text(path.read_text()[:-20])
    assert command.main([str(study), "--formats", "svg"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert re.search(r"evals\.csv, line \d+: truncated", error)
    page = Page((study / "report" / "report.html").read_text())
    assert "1 file could not be read in whole" in page.content


def test_an_empty_folder_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no run in it"):
        command.main([str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_neither_torch_nor_hydra_nor_fonts_for_pdf_are_imported(study: Path) -> None:
    code = (
        "import sys; from sgdlab.commands.report import main; code = main(sys.argv[1:]); "
        "unused = {'torch', 'hydra', 'omegaconf', 'fontTools.subset'}; "
        "loaded = unused & set(sys.modules); "
        "sys.exit(f'loaded {loaded}' if loaded else code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(study)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("undrawn")
def test_tables_of_several_tracks_and_workloads_have_titles(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    titles, where = ("Tuned", "Default settings, untuned"), ("digits/mlp", "wine/linear")
    for names in (where[:1], where):
        study = tmp_path / f"of{len(names)}"
        workloads = [(dataset, model) for dataset, model in (name.split("/") for name in names)]
        studies.make_study(study, ["sgd", "adam"], trials=2, workloads=workloads)
        assert command.main([str(study)]) == 0
        said = capsys.readouterr().out.splitlines()
        wanted = [f"{name}: {title}" for name in names for title in titles]
        found = [line for line in said if line.endswith(titles)]
        assert found == (wanted if len(names) > 1 else [*titles])
