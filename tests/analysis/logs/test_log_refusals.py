"""What cannot be told is asked for, in a line that says what there is."""

import importlib.util
from pathlib import Path

import pytest
from own_logs import rows

from sgdlab.analysis.logs import LogOptions, read_logs
from sgdlab.checks import pip_install
from sgdlab.errors import InputError

HEAD = ["optimizer", "seed", "val_loss"]
TABLE = [("sgd", 0, 1.0), ("adam", 0, 2.0)]


def refusal(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        read_logs([path], LogOptions(**options))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"metric": "val_los"},
            "--metric val_los: no such column; valid: optimizer, seed, val_loss",
        ),
        ({"group": ("opt",)}, "--group opt: no such column"),
        ({"unit": "sed"}, "--unit sed: no such column"),
        ({"step": "iter"}, "--step iter: no such column"),
        ({"metric": "optimizer", "direction": "min"}, "optimizer is 'sgd', which is no number"),
        ({"patterns": ("(",)}, "--pattern '(': no regular expression"),
        ({"patterns": (r"\d",)}, "names no group"),
        ({"patterns": (r"zzz(?P<x>\d)",)}, "no line matches --pattern"),
    ],
)
def test_options_that_do_not_fit(options: dict[str, object], said: str, tmp_path: Path) -> None:
    assert said in refusal(rows(tmp_path / "a.csv", HEAD, TABLE), **options)


@pytest.mark.parametrize(
    ("head", "table", "said"),
    [
        (["thing", "seed", "val_loss"], [("a", 0, 1)], "--group: which column says"),
        (
            ["optimizer", "seed", "x", "y"],
            [("a", 0, 1, 2)],
            "--metric: which column has the values",
        ),
        (["optimizer", "seed", "x"], [("a", 0, 1)], "--direction: is less x better, or more?"),
        (HEAD, [*TABLE, ("sgd", 0, 3.0)], "two runs of sgd with seed 0"),
        (["optimizer", "step", "loss"], [("a", 1, 1), ("a", 1, 2)], "two values of loss at step 1"),
        (HEAD, [("sgd", 0, "a")], "row 1: val_loss is 'a', which is no number"),
        (["optimizer", "seed", "seed "], [("a", 0, 1)], "two columns are called seed"),
        (HEAD, [], "no row in it"),
    ],
)
def test_tables_that_do_not_tell(head, table, said: str, tmp_path: Path) -> None:
    assert said in refusal(rows(tmp_path / "a.csv", head, table))


def test_a_damaged_table_in_parquet_and_one_that_nothing_here_reads(tmp_path: Path) -> None:
    (tmp_path / "e.parquet").write_bytes(b"PAR1")
    said = refusal(tmp_path / "e.parquet")
    if importlib.util.find_spec("pyarrow"):
        assert "e.parquet: cannot be read as parquet" in said
    else:
        assert f"e.parquet: Parquet needs pyarrow; {pip_install('parquet')}" in said


def test_files_of_no_known_kind(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("loss 3")
    (tmp_path / "b.jsonl").write_text('{"a": 1}\nnot')
    (tmp_path / "c.jsonl").write_text("[1]")
    (tmp_path / "d.csv").write_bytes(b"optimizer,loss\n\xff,1\n")
    (tmp_path / "f").mkdir()
    (tmp_path / "h.csv").write_text("a,b\n1,2\n1,2,3\n")
    (tmp_path / "i.csv").write_bytes(b"")
    assert "h.csv: cannot be read as csv" in refusal(tmp_path / "h.csv")
    assert "i.csv: cannot be read as csv" in refusal(tmp_path / "i.csv")
    assert "of no known kind; give a CSV" in refusal(tmp_path / "a.log")
    assert "b.jsonl, line 2: not JSON" in refusal(tmp_path / "b.jsonl")
    assert "c.jsonl, line 1: not an object" in refusal(tmp_path / "c.jsonl")
    assert "d.csv: not text" in refusal(tmp_path / "d.csv")
    assert "nothing in it can be read" in refusal(tmp_path / "f")
    assert "no such file or folder" in refusal(tmp_path / "g")
