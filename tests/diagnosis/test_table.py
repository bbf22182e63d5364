"""Tables read into arrays, against Python's own reader; damage named by file and line."""

import csv
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sgdlab.diagnosis.table import read_mixed, read_numbers
from sgdlab.errors import InputError

HEAD = ("step", "loss")
CELLS = st.one_of(st.none(), st.floats())
STEPS = st.one_of(st.none(), st.floats(-1e15, 1e15), st.just(math.nan))
ROWS = st.lists(st.tuples(STEPS, CELLS, CELLS), max_size=8)


@given(rows=ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_numbers_are_those_that_python_reads(tmp_path, rows):
    path = tmp_path / "steps.csv"
    lines = ["step,loss,more", *(",".join("" if c is None else repr(c) for c in r) for r in rows)]
    path.write_text("\n".join(lines) + "\n")
    read = read_numbers(path, HEAD, partial=False)
    expected = list(csv.DictReader(path.read_text().splitlines()))
    for name in ("step", "loss", "more"):
        own = [float(row[name]) if row[name] else math.nan for row in expected]
        assert np.array_equal(read[name], own, equal_nan=True)


def test_mixed_tables_keep_their_text(tmp_path):
    path = tmp_path / "evals.csv"
    path.write_text("step,split,loss\n0,train,1.5\n0,val,\n")
    read = read_mixed(path, ("step",), ("split",), partial=False)
    assert read["split"].tolist() == ["train", "val"]
    assert read["loss"][0] == 1.5
    assert np.isnan(read["loss"][1])


@pytest.mark.parametrize(
    "read", [read_numbers, lambda p, h, partial: read_mixed(p, h, (), partial)]
)
@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("step,loss\n1,2.0\n2,3", "line 3: truncated (no line end)"),
        ("step,loss\n1,2.0\n2\n3,1.0\n", "line 3"),
        ("step,loss\n1,2.0\n2,much\n", "line 3: loss is not a number"),
        ("step,lass\n1,2.0\n", "line 1: expected the columns step,loss"),
        ("", "line 1: expected the columns step,loss"),
    ],
)
def test_damage_is_named_by_its_line(tmp_path, read, content, said):
    path = tmp_path / "steps.csv"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read(path, HEAD, partial=False)
    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("rest", ["2,0.", "2", "2,1.0"])
def test_a_line_that_is_still_being_written_is_left_out(tmp_path, rest):
    path = tmp_path / "steps.csv"
    path.write_text("step,loss\n1,2.0\n" + rest)
    assert read_numbers(path, HEAD, partial=True)["loss"].tolist() == [2.0]


def test_binary_and_missing_files_are_refused(tmp_path):
    (tmp_path / "steps.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not text"):
        read_numbers(tmp_path / "steps.csv", HEAD, partial=False)
    with pytest.raises(InputError, match="missing"):
        read_numbers(tmp_path / "none.csv", HEAD, partial=False)
