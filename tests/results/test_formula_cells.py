"""Text cells that a spreadsheet would run: they are written so that it does not."""

import csv
from pathlib import Path

import pytest

from sgdlab.results import (
    as_cell,
    as_meant,
    atomic_write,
    read_summary,
    runs_text,
    write_summary,
    write_table,
)

FORMULAS = (
    "=cmd|'/C calc'!A0", "+1+1", "-1+cmd", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "'=1", "''@x",
    "\uff1d1",
)  # fmt: skip
PLAIN = ("nesterov", "-0.1", "+3", "1e-3", "-inf", "'quoted'", "", "a=b", "–", "[1, 2]", "'")


@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_are_written_as_text_and_read_as_they_were(text: str) -> None:
    assert as_cell(text)[0] == "'"
    assert as_meant(as_cell(text)) == text


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_and_numbers_stay(text: str) -> None:
    assert as_cell(text) == text == as_meant(text)


def test_numbers_are_no_text() -> None:
    assert [as_cell(value) for value in (-1, -0.5, None, True)] == ["-1", "-0.5", "", "true"]


def test_no_table_has_a_formula_and_summaries_read_back(tmp_path: Path) -> None:
    evil = FORMULAS[0]
    write_summary(tmp_path, {"optimizer": evil, "optimizer.mode": evil, "status": "completed"})
    found = read_summary(tmp_path)
    assert found is not None
    assert found["optimizer"] == found["optimizer.mode"] == evil
    write_table(tmp_path / "table.csv", ["name", "value"], [[evil, -1.0]])
    (tmp_path / "runs.csv").write_text(runs_text(tmp_path, {"directory": ["a"], evil: [evil]}))
    for path in tmp_path.glob("*.csv"):
        with path.open(newline="") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        assert evil not in cells
        assert f"'{evil}" in cells


def test_a_folder_name_that_is_no_text_costs_no_table(tmp_path: Path) -> None:
    atomic_write(tmp_path / "runs.csv", runs_text(tmp_path, {"directory": ["caf\udce9"]}))
    assert (tmp_path / "runs.csv").read_text() == "directory\ncaf\\udce9\n"
