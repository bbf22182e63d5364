"""What a table leaves in doubt is asked for in one line, with the setting that answers."""

import gzip
import re
import shlex
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from table_files import column, inputs, read

from sgdlab.errors import InputError

FILES: list[tuple[Any, dict[str, Any], str]] = [
    ("", {}, "is empty"),
    ("\n \n", {}, "is empty"),
    ("a,y\n", {}, "has no rows below the names of its columns"),
    ("a,a,y\n1,2,3\n", {}, "two columns are called a: rename one"),
    ("a,b,y\n1,2,3\n4,5\n", {}, "line 3 has 2 fields, the first line 3: mend the file"),
    ("a,b,y\n1,2,3\n4,5,6,7\n", {}, "line 3 has 4 fields, the first line 3: mend the file"),
    ("1,2\n3,4\n", {}, r"the first line holds numbers \(1, 2\), no names: dataset.header=no"),
    ("a;b,y;z\n1;2,3;4\n", {}, "dataset.separator=comma or dataset.separator=semicolon"),
    ("a,y\n1,2\n", {"separator": "coma"}, "dataset.separator=coma: did you mean comma"),
    ("a,y\n1,2\n", {"decimal": ",", "thousands": "comma"}, "dataset.decimal=,"),
    (b"a,y\n\xe9,1\nb,2\n", {}, "byte 0xe9 in line 2 is not utf-8: set dataset.encoding, for"),
    ("a,y\n1,2\n", {"encoding": "utf8x"}, "dataset.encoding=utf8x"),
    (b"PK\x03\x04xyz", {}, "is an archive or a spreadsheet; save it as CSV"),
    (gzip.compress(b"a,y\n1,2\n", mtime=0)[:-9], {}, "cannot be read"),
    (b"PAR1 and no more", {}, "no readable Parquet file"),
    (b"a,y\n\0\0,1\n", {}, "is neither text nor Parquet"),
    ("x,y\n1,u\n3,v\n", {"drop": ["z"]}, "dataset.drop=z: no such column; valid: x, y"),
    ("x,y\n1,u\n3,v\n", {"group": "X1"}, "dataset.group=X1: no such column"),
    ("x,y\n1,u\n3,v\n", {"dates": {"day": "%d"}}, "dataset.dates=day: no such column"),
    ("x,y\n1,u\n3,v\n", {"target": ["y", "y"]}, "must be a column, or a list of different ones"),
    ("x,y\n1,u\n3,v\n", {"weight": "y"}, "dataset.weight=y: holds no numbers"),
    ("x,w,y\n1,-1,u\n3,1,v\n", {"weight": "w"}, "dataset.weight=w: must be numbers from 0"),
    ("x,w,y\n1,,u\n3,1,v\n", {"weight": "w"}, "dataset.weight=w: is missing in row 1"),
    ("x,y\n1,u\n3,v\n", {"time": "y"}, "dataset.time=y: holds neither numbers nor dates"),
    ("x,y\n1,u\n3,v\n", {"max_categories": 1}, "dataset.max_categories=1: must be"),
    ("x,y\n1,u\n3,u\n", {}, "dataset.target=y: only u: nothing to learn"),
    ("x,y\n1,\n3,\n", {}, "dataset.target=y: is missing in every row"),
    ("x,y\n1,2020-01-01\n3,2020-01-02\n", {}, "dataset.target=y: holds dates"),
    ("x,y\n1,u\n1,v\n", {}, "no inputs to learn from; x: left out, constant"),
    ("x,y\n1,u\n3,v\n", {"task": "regression"}, r'holds text \("u"\), no quantities'),
    ("x,y\n1,1.5\n3,2\n", {"task": "classification"}, "holds fractions, and classes are none"),
    ("x,a,b\n1,u,1\n3,v,2\n", {"target": ["a", "b"]}, "set task=multilabel or regression"),
    (
        "x,a,b\n1,u,1\n3,v,2\n2,w,2\n",
        {"target": ["a", "b"], "task": "multilabel"},
        "a label has two values, found u, v, w",
    ),
    (f"x,y\n1,{2**53 + 1}\n3,{2**53 + 2}\n2,{2**53 + 4}\n", {"task": "regression"}, "rounded"),
]


@pytest.mark.parametrize(("content", "changes", "says"), FILES)
def test_a_file_that_cannot_be_used_is_refused(
    content: Any, changes: dict[str, Any], says: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        read(tmp_path / "t.csv", content, **changes)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(("dataset.", "column "))


COLUMNS: list[tuple[list[str], str, dict[str, Any]]] = [
    (["1,234", "5", "12,000"], "numbers written as text", {"thousands": "comma"}),
    (["1,5", "5", "12,25"], "numbers written as text", {"decimal": "comma"}),
    (["1.234,5", "5.000", "1,5"], "as text", {"decimal": "comma", "thousands": "point"}),
    (["1'234", "5", "7"], "numbers written as text", {"thousands": "apostrophe"}),
    (["12%", "1%", "3.5%"], "numbers written as text", {"categories": ["c"]}),
    (["€3", "€4.50", "€1"], "numbers written as text", {"drop": ["c"]}),
    (["3 €", "4,50 €", "$1"], "numbers written as text", {"categories": ["c"]}),
    (["(12)", "5", "7"], "numbers written as text", {"missing": ["(12)"]}),
    ([f"{v}kg" for v in range(30)], "numbers with a unit", {"drop": ["c"]}),
    (["1", "2", "?", "4"], "3 numbers and \"?\" in row 3", {"missing": ["?"]}),
    (["1", "2", "a few", "4"], "3 numbers and \"a few\"", {"missing": ["a few"]}),
    (["1", "x", "2", "1"], "3 numbers and \"x\" in row 2", {"categories": ["c"]}),
    (["1", "inf", "2", "1"], "an infinite number in row 2", {"missing": ["inf"]}),
    (["1/2/2020", "3/4/2021"], "either day or month first", {"dates": {"c": "%d/%m/%Y"}}),
    (["13/2/20", "3/4/21"], "years of two digits", {"dates": {"c": "%d/%m/%y"}}),
    (["13/2/2020", "3/14/2021"], "either day or month first", {"categories": ["c"]}),
    (["2020-01-01", "2020-02-30", "2020-01-02"], "2020-02-30", {"missing": ["2020-02-30"]}),
    (["2020-01-01", "2020-01-02", "soon"], '"soon" in row 3', {"missing": ["soon"]}),
    (["2020-01-01T10:00+01:00", "2020-07-01T10:00+02:00"], "offsets from UTC", {"drop": ["c"]}),
    (["2020-01-01T10:00Z", "2020-07-01T10:00"], "offsets from UTC (none", {"drop": ["c"]}),
]  # fmt: skip


@pytest.mark.parametrize(("values", "says", "answer"), COLUMNS)
def test_a_column_in_doubt_is_asked_for_and_answered(
    values: list[str], says: str, answer: dict[str, Any], tmp_path: Path
) -> None:
    content = column("c", values).replace("c,y", "c,y,x", 1)
    head, *lines = content.strip().split("\n")
    rows = [f"{line},{row * row}" for row, line in enumerate(lines)]
    content = "\n".join([head, *rows])
    with pytest.raises(InputError, match=re.escape(says)) as caught:
        read(tmp_path / "t.csv", content)
    text = str(caught.value)
    assert text.startswith("column c holds ")
    assert "\n" not in text
    assert "dataset." in text or "write them in one timezone" in text
    assert inputs(read(tmp_path / "t.csv", content, **answer)).shape[0] == len(values)


def test_settings_in_messages_can_be_typed(tmp_path: Path) -> None:
    for name, values in (("my day", ["1/2/2020", "3/4/2021"]), ("c", ["1", "2", "?", "4"])):
        with pytest.raises(InputError) as caught:
            read(tmp_path / "t.csv", column(name, values))
        typed = [word for word in shlex.split(str(caught.value)) if word.startswith("dataset.")]
        assert typed
        OverridesParser.create().parse_overrides([word.rstrip(",") for word in typed])


def test_all_columns_in_doubt_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path / "t.csv", 'a,b,y\n"1,5",3%,u\n"2,5",4%,v\n')
    assert str(caught.value).count("holds numbers written as text") == 2


NAMES = ["192.168.0.1 10.0.0.7", "1.2.1 2.10.3", "0-9 10-19", "3rd 1st", "C85 E46", "5+ 6+"]


@pytest.mark.parametrize("names", NAMES)
def test_names_with_digits_are_categories(names: str, tmp_path: Path) -> None:
    x = inputs(read(tmp_path / "t.csv", column("c", names.split() * 3)))
    assert x.shape == (6, 1)


def test_what_no_table_holds_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"lists": [[1], [2, 3]], "y": ["u", "v"]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(
        InputError, match=r"column lists holds List\(Int64\).*dataset.drop=\[lists\]"
    ):
        read(tmp_path / "t.parquet")
