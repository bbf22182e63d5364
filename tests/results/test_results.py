"""The files of a run: written once, read back exactly, and damage named by file and line."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.errors import InputError
from sgdlab.results import (
    SUMMARY_COLUMNS,
    RunWriter,
    atomic_write,
    collect,
    columns_of,
    read_evals,
    read_steps,
    read_summary,
    runs_text,
    text,
    write_config,
    write_summary,
)  # fmt: skip
from sgdlab.results.contract import TEXT_COLUMNS


def a_run(folder: Path, steps: int = 5, **summary: object) -> Path:
    writer = RunWriter(folder, "accuracy")
    write_config(folder, {"seed": 0})
    writer.evaluation((0, 0, 0, 0.0, "raw", "val", 2.3, 0.1))
    writer.steps([(k, 1, 64 * k, 0.1, 1 / k, 0.5, 1.0) for k in range(1, steps + 1)])
    writer.close()
    write_summary(folder, {"run_id": "abc", "status": "completed", **summary})  # type: ignore[dict-item]
    return folder


@given(st.floats(allow_nan=False))
def test_floats_read_back_exactly(value: float) -> None:
    assert float(text(value)) == value


@given(
    st.dictionaries(
        st.sampled_from([c for c in SUMMARY_COLUMNS if c not in TEXT_COLUMNS]),
        st.none() | st.floats() | st.integers(-(2**63) + 1, 2**63 - 1),
    )
)
def test_a_summary_reads_back(tmp_path_factory: pytest.TempPathFactory, cells: dict) -> None:
    folder = tmp_path_factory.mktemp("run")
    write_summary(folder, cells)
    found = read_summary(folder)
    assert found is not None
    for column in SUMMARY_COLUMNS:
        wanted = cells.get(column)
        same = found[column] == wanted or (wanted != wanted and math.isnan(found[column]))
        assert same
        assert found[column] is None or type(found[column]) is type(wanted)


def test_text_with_commas_quotes_and_lines_survives(tmp_path: Path) -> None:
    reason = 'RuntimeError: "a, b"\nsecond line'
    write_summary(tmp_path, {"run_id": "x", "reason": reason, "optimizer.betas": [0.9, 0.99]})  # type: ignore[dict-item]
    found = read_summary(tmp_path)
    assert found is not None
    assert found["reason"] == reason
    assert found["optimizer.betas"] == "[0.9, 0.99]"


def test_a_run_without_summary_has_not_ended(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    (run / "summary.csv").unlink()
    assert read_summary(run) is None
    table, problems = collect([tmp_path])
    assert table["status"].tolist() == ["unfinished"]
    assert problems == []


def test_a_new_writer_takes_back_the_summary(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    RunWriter(run, "accuracy").close()
    assert read_summary(run) is None


def test_going_on_cuts_rows_after_the_checkpoint(tmp_path: Path) -> None:
    run = a_run(tmp_path)
    with (run / "steps.csv").open("a") as file:
        file.write("6,1,384,0.1,0.1")  # killed while writing
    writer = RunWriter(run, "accuracy", append_after=3)
    writer.steps([(4, 1, 256, 0.1, 0.25, 0.5, 1.0)])
    writer.close()
    assert read_steps(run)["step"].tolist() == [1, 2, 3, 4]
    assert read_evals(run)["step"].tolist() == [0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s[:-20], "steps.csv, line 6: truncated"),
        (lambda s: s.replace("3,1,192", "3,1"), "steps.csv, line 4: truncated"),
        (lambda s: s.replace("0.25", "zero"), "steps.csv, line 5: loss is not a number"),
        (lambda s: "a,b\n1,2\n", "steps.csv, line 1: expected the columns step,epoch"),
    ],
    ids=["cut", "short row", "not a number", "foreign"],
)
def test_damage_is_named_by_file_and_line(tmp_path: Path, damage, message: str) -> None:
    path = a_run(tmp_path) / "steps.csv"
    path.write_text(damage(path.read_text()))
    with pytest.raises(InputError) as error:
        read_steps(tmp_path)
    assert message in str(error.value)


def test_a_damaged_summary_is_a_row_and_a_problem(tmp_path: Path) -> None:
    a_run(tmp_path / "a")
    path = a_run(tmp_path / "b") / "summary.csv"
    path.write_text(path.read_text()[:-30])
    table, problems = collect([tmp_path])
    assert table["status"].tolist() == ["completed", "failed"]
    assert problems == [f"{path}, line 2: truncated; run it again"]


def test_infinite_and_missing_losses_read_back(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path, "accuracy")
    writer.steps([(1, 1, 64, 0.1, math.inf, math.nan, 1.0), (2, 1, 128, 0.1, None, 1.0, 1.0)])
    writer.close()
    table = read_steps(tmp_path)
    assert table["loss"].tolist()[0] == math.inf
    assert table[["loss", "grad_norm"]].isna().to_numpy().tolist() == [[False, True], [True, False]]


def test_runs_csv_keeps_integers_and_relative_folders(tmp_path: Path) -> None:
    a_run(tmp_path / "a", seed=3, lr=0.1)
    (a_run(tmp_path / "b") / "summary.csv").unlink()
    table, _ = collect([tmp_path])
    atomic_write(tmp_path / "runs.csv", runs_text(tmp_path, columns_of(table)))
    header, first, second = (
        line.split(",") for line in (tmp_path / "runs.csv").read_text().split()
    )
    cells = dict(zip(header, first, strict=True))
    assert (cells["directory"], cells["seed"], cells["lr"]) == ("a", "3", "0.1")
    assert dict(zip(header, second, strict=True))["status"] == "unfinished"


@pytest.mark.parametrize("identity", ["1717773928", "12e4567890", "true"])
def test_text_stays_text_whatever_it_looks_like(tmp_path: Path, identity: str) -> None:
    write_summary(tmp_path, {"run_id": identity, "study": "12", "status": "completed", "seed": 3})
    found = read_summary(tmp_path)
    assert found is not None
    assert (found["run_id"], found["study"], found["seed"]) == (identity, "12", 3)
