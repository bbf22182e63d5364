"""Tables of many runs read at once, against the csv module and float()."""

import csv
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.errors import InputError
from sgdlab.results import EVAL_COLUMNS, STEP_COLUMNS, read_every_evals, read_every_steps
from sgdlab.results import tables as tables_module
from sgdlab.results.tables import read_table

STEPS = ",".join(STEP_COLUMNS)
EVALS = ",".join(EVAL_COLUMNS)

GOOD = {
    "plain": f"{STEPS}\n1,1,64,0.1,2.302585092994046,0.5,1.0\n2,1,128,0.1,1e-300,0.25,1\n",
    "integers where others have floats": f"{STEPS}\n1,1,64,1,2,3,1\n",
    "what is no number": f"{STEPS}\n1,1,64,0.1,nan,inf,1.0\n2,1,128,0.1,-inf,,\n",
    "diagnostics": f"{STEPS},sharpness,alpha\n1,1,64,0.1,2.0,0.5,1.0,,\n2,1,128,.1,2,1,1,3.5,\n",
    "nothing yet": f"{STEPS}\n",
    "a column of another tool": f"{STEPS},größe\n1,1,64,0.1,2.0,0.5,1.0,7\n",
    "quotes": f'{STEPS}\n"1","1",64,"0.1",2.0,0.5,1.0\n',
    "long numbers": f"{STEPS}\n1,1,64,0.1000000000000000055511151231257827,4.9e-324,5e307,1\n",
}
BAD = {
    "a short row": f"{STEPS}\n1,1,64,0.1,2.0,0.5,1.0\n2,1,128,0.1\n",
    "a short and a long row": f"{STEPS}\n1,1,64,0.1,2.0,0.5\n2,1,128,0.1,2.0,0.5,1.0,1.0\n",
    "a word": f"{STEPS}\n1,1,64,0.1,two,0.5,1.0\n",
    "an empty line": f"{STEPS}\n1,1,64,0.1,2.0,0.5,1.0\n\n",
    "no line end": f"{STEPS}\n1,1,64,0.1,2.0,0.5,1.",
    "other columns": "a,b\n1,2\n",
    "lines of Windows": f"{STEPS}\n1,1,64,0.1,2.0,0.5,1.0\n".replace("\n", "\r\n"),
    "nothing": "",
}


def write(folder: Path, contents: dict[str, str], name: str = "steps.csv") -> list[str]:
    for place, content in contents.items():
        (folder / place).mkdir()
        (folder / place / name).write_text(content, newline="", encoding="utf-8")
    return [str(folder / place) for place in contents]


def slowly(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    return {name: [row[name] for row in rows] for name in reader.fieldnames or ()}


def same(found: np.ndarray, cells: list[str]) -> bool:
    wanted = [float(cell) if cell else math.nan for cell in cells]
    return np.array(found, dtype=float).tobytes() == np.array(wanted, dtype=float).tobytes() or (
        len(found) == len(wanted)
        and all(a == b or a != a for a, b in zip(wanted, found, strict=True))
    )


@pytest.mark.parametrize("chunk", [1, 2**22])
def test_many_tables_are_what_the_csv_module_reads(
    tmp_path: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables_module, "CHUNK", chunk)
    folders = write(tmp_path, GOOD)
    found = dict(read_every_steps(folders, [False] * len(folders)))
    assert list(found) == list(range(len(folders)))
    for position, folder in enumerate(folders):
        table, wanted = found[position], slowly(Path(folder) / "steps.csv")
        assert not isinstance(table, InputError)
        assert list(table) == list(wanted)
        for name, cells in wanted.items():
            assert same(table[name], cells), (folder, name)


def test_damaged_tables_are_named_and_leave_the_others_whole(tmp_path: Path) -> None:
    mixed = dict(pair for both in zip(BAD.items(), GOOD.items(), strict=False) for pair in both)
    folders = write(tmp_path, mixed)
    folders.insert(1, str(tmp_path / "missing"))
    for position, table in read_every_steps(folders, [False] * len(folders)):
        path = Path(folders[position]) / "steps.csv"
        if path.parent.name in GOOD:
            assert not isinstance(table, InputError)
            assert same(table["step"], slowly(path)["step"])
        else:
            with pytest.raises(InputError) as alone:
                read_table(path, STEP_COLUMNS)
            assert isinstance(table, InputError)
            assert str(table) == str(alone.value)


def test_the_last_line_of_a_running_run_is_left_out(tmp_path: Path) -> None:
    folders = write(tmp_path, {"a": f"{STEPS}\n1,1,64,0.1,2.0,0.5,1.0\n2,1,12"})
    ((_, table),) = read_every_steps(folders, [True])
    assert not isinstance(table, InputError)
    assert table["step"].tolist() == [1]


def test_texts_of_evaluations_stay_text(tmp_path: Path) -> None:
    contents = {
        "accuracy": f"{EVALS},accuracy\n0,0,0,0.0,raw,train,2.3,0.1\n0,0,0,,average,val,2.3,0.1\n",
        "rmse": f"{EVALS},rmse\n0,0,0,0.0,raw,val,2.3,51\n",
        "a comma in a name": f'{EVALS},rmse\n0,0,0,0.0,"raw","12",2.3,51\n',
    }
    folders = write(tmp_path, contents, "evals.csv")
    for position, table in read_every_evals(folders, [False] * 3):
        wanted = slowly(Path(folders[position]) / "evals.csv")
        assert not isinstance(table, InputError)
        for name, cells in wanted.items():
            if name in ("weights", "split"):
                assert list(map(str, table[name])) == cells
            else:
                assert same(table[name], cells)


@given(st.lists(st.lists(st.floats(), min_size=1, max_size=5), min_size=1, max_size=5))
def test_floats_of_many_files_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[float]]
) -> None:
    contents = {
        str(number): f"{STEPS}\n" + "".join(f"1,1,64,0.1,{value!r},0.5,1.0\n" for value in values)
        for number, values in enumerate(files)
    }
    folders = write(tmp_path_factory.mktemp("runs"), contents)
    for position, table in read_every_steps(folders, [False] * len(files)):
        assert not isinstance(table, InputError)
        assert list(map(repr, table["loss"].tolist())) == list(map(repr, files[position]))


def test_help_imports_neither_reader() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "sgdlab", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "sgdlab.cli" in done.stderr
    assert not re.search(r"\b(pandas|polars)\b", done.stderr)
