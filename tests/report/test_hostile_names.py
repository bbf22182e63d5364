"""A report on names made to act: on a terminal, in LaTeX, in a spreadsheet, on the page."""

import os
import sys
from pathlib import Path

import pytest
from rich.console import Console
from run_folders import make_run

from sgdlab.commands import diagnose
from sgdlab.commands.report import main
from sgdlab.report import build
from sgdlab.visible import HIDDEN

NAME = "=\x1b]0;x\x07\u202e\n\\input{/etc/passwd}\x9b31m"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("hostile")
    for seed in range(2):
        for name in (NAME, "sgd"):
            folder = root / f"{seed}{name[0]}"
            summary = {"study": NAME, "reason": NAME, "contender": name}
            make_run(folder, name, seed=seed, dataset=NAME, model=NAME, summary=summary)
    make_run(root / "lost\x1b\u202e", NAME, status="failed", summary={"reason": NAME})
    os.rename(root / "0s", os.fsencode(root) + b"/caf\xe9\n")
    build([root], root / "report", formats=("svg",))
    return root


def test_no_file_of_the_report_holds_what_acts(report: Path) -> None:
    found = [path for path in (report / "report").rglob("*") if path.is_file()]
    assert {path.suffix for path in found} >= {".md", ".html", ".tex", ".svg", ".csv"}
    for path in found:
        content = path.read_text()  # UTF-8, every one
        if path.suffix == ".csv":  # data: the name as it is, but nothing that runs
            assert f',"{NAME[0]}' not in content, path
            assert f",{NAME[0]}" not in content, path
            continue
        ours = content.replace("\n", "").replace("\t", "")
        shown = HIDDEN.findall(ours)
        assert not shown or path.suffix == ".html", (path, shown)
        assert not set(shown) & set("\x1b\x9b\x07\u202e"), path
        if path.suffix == ".tex":
            assert not any(line.startswith("\\input") for line in content.splitlines()), path


def test_the_terminal_shows_what_acts_as_text(
    report: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (next(report.glob("1s")) / "steps.csv").write_text("x\n")
    monkeypatch.setattr(sys.modules["sgdlab.report.build"], "files", lambda *_: {})
    monkeypatch.setattr("sgdlab.commands.report.console", lambda **_: Console(width=80))
    assert main([str(report), "--out", str(report / "again")]) == 2
    assert diagnose.main([str(report)]) == 2
    said = capsys.readouterr()
    assert "1s/steps.csv, line 1: expected the columns" in said.err
    for text in (said.out, said.err):
        assert not set(HIDDEN.findall(text)) - {"\n"}
    assert diagnose.main([str(report), "--json", "-"]) == 2
    assert not set(HIDDEN.findall(capsys.readouterr().out)) - {"\n"}
