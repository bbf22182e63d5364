"""Tables against pandas and scikit-learn by hand, in float64."""

import gzip
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder
from table_files import column, encoded, inputs, read

from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError

RNG = np.random.default_rng(0)
N = 120


def people() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "id": range(1, N + 1),
            "name": [f"person {row}" for row in range(N)],
            "age": RNG.integers(18, 80, N).astype(float),
            "wage": RNG.normal(1000, 300, N),
            "city": RNG.choice(["Bonn", "Köln", "Ulm"], N),
            "member": RNG.choice(["no", "yes"], N),
            "planet": "earth",
            "nothing": np.nan,
            "bought": RNG.choice(["no", "yes"], N),
        }
    )
    frame.loc[::7, "age"] = np.nan
    frame.loc[::11, "city"] = None
    return frame


PEOPLE = people()
CSV = PEOPLE.to_csv(index=False)
TRAIN = np.sort(RNG.permutation(N)[:80])


def by_scikit_learn(frame: pd.DataFrame, train: np.ndarray) -> np.ndarray:
    categories = (
        frame[["city", "member"]].astype(object).where(frame[["city", "member"]].notna(), None)
    )
    transformer = ColumnTransformer(
        [
            ("age", SimpleImputer(strategy="median", add_indicator=True), ["age"]),
            ("wage", "passthrough", ["wage"]),
            (
                "categories",
                OneHotEncoder(drop="if_binary", sparse_output=False),
                ["city", "member"],
            ),
        ],
        sparse_threshold=0,
    )
    table = pd.concat([frame[["age", "wage"]], categories], axis=1)
    return np.asarray(transformer.fit(table.iloc[train]).transform(table))


def test_inputs_are_scikit_learns_fitted_on_the_training_split(tmp_path: Path) -> None:
    examples = read(tmp_path / "people.csv", CSV, target="bought")
    expected = by_scikit_learn(PEOPLE, TRAIN)
    assert np.array_equal(inputs(examples, TRAIN), expected)
    assert not np.array_equal(inputs(examples), expected)  # all rows have another median
    assert list(examples.y) == list((PEOPLE["bought"] == "yes").astype(int))
    assert (examples.task, examples.classes) == ("classification", ["no", "yes"])


def forms() -> dict[str, tuple[bytes, dict[str, Any]]]:
    frame = PEOPLE
    quoted = ",".join(f"'{name}'" for name in frame) + CSV[CSV.index("\n") :]
    crlf = CSV.replace("\n", "\r\n")
    parquet = io.BytesIO()
    pl.read_csv(CSV.encode()).write_parquet(parquet)
    decimals = frame.to_csv(index=False, sep=";", decimal=",")
    return {
        "gzip": (gzip.compress(CSV.encode()), {}),
        "tabs": (frame.to_csv(index=False, sep="\t").encode(), {}),
        "semicolons": (frame.to_csv(index=False, sep=";").encode(), {}),
        "pipes": (frame.to_csv(index=False, sep="|").encode(), {}),
        "carets": (frame.to_csv(index=False, sep="^").encode(), {"separator": "^"}),
        "sep=": (b"sep=;\r\n" + frame.to_csv(index=False, sep=";").encode(), {}),
        "byte order mark": (CSV.encode("utf-8-sig"), {}),
        "utf-16": (CSV.encode("utf-16"), {}),
        "latin-1": (CSV.encode("latin-1"), {"encoding": "latin-1"}),
        "line ends of Windows": (crlf.encode(), {}),
        "line ends of old": (CSV.replace("\n", "\r").encode(), {}),
        "blank lines": (("\n\n" + CSV.replace("\n", "\n\n", 9)).encode(), {}),
        "quotes": (frame.to_csv(index=False, quoting=1).encode(), {}),
        "spaces": (CSV.replace(",", " , ").encode(), {}),
        "decimal commas": (decimals.encode(), {"decimal": "comma"}),
        "an index of pandas": (frame.to_csv().encode(), {}),
        "names of rows of R": (
            "\n".join(
                line if row == 0 else f'"{row}",{line}'
                for row, line in enumerate(CSV.strip().split("\n"))
            ).encode(),
            {},
        ),
        "a separator after each row": (
            (CSV[: CSV.index("\n")] + CSV[CSV.index("\n") :].replace("\n", ",\n")[1:]).encode(),
            {},
        ),
        "names in single quotes": (quoted.encode(), {}),
        "Parquet": (parquet.getvalue(), {}),
    }  # fmt: skip


@pytest.mark.parametrize("name", forms())
def test_every_form_of_a_table_is_the_same(name: str, tmp_path: Path) -> None:
    content, changes = forms()[name]
    examples = read(tmp_path / "people", content, target="bought", **changes)
    assert np.array_equal(inputs(examples, TRAIN), by_scikit_learn(PEOPLE, TRAIN))


def test_each_column_has_a_line(tmp_path: Path) -> None:
    examples = read(tmp_path / "people.csv", CSV, target="bought")
    _, notes = encoded(examples, TRAIN)
    assert list(examples.notes) == [
        "people.csv: 120 rows; bought: classification of 2; 2 numbers, 2 categories; "
        "left out: id, name, planet, nothing",
        "id: left out, number of the row",
        "name: left out, text that is different in every row",
        "planet: left out, constant",
        "nothing: left out, empty",
    ]
    median = PEOPLE["age"].iloc[TRAIN].median()
    assert notes == [
        f"age: number; 18 missing take the median {median:g} of training, and are marked",
        "wage: number",
        "city: category of 4, 4 inputs; missing is one of them",
        "member: category of 2, 1 input",
    ]


def test_a_table_is_split_and_standardised_like_all_data(tmp_path: Path) -> None:
    data = prepare(
        read(tmp_path / "people.csv", CSV, target="bought"), name="table", seed=0, val=0.2, test=0.2
    )
    assert [len(part.y) for part in (data.train, data.val, data.test)] == [72, 24, 24]
    assert data.input_shape == (8,)
    torch.testing.assert_close(data.train.x.mean(0), torch.zeros(8, dtype=torch.float64))
    assert data.notes[0].startswith("people.csv: 120 rows")
    assert "wage: number" in data.notes


def test_rows_without_a_target_are_left_out_and_said(tmp_path: Path) -> None:
    content = "x,y\n3,a\n1,\n2,b\n5,NA\n4,a\n"
    examples = read(tmp_path / "t.csv", content)
    assert inputs(examples)[:, 0].tolist() == [3, 2, 4]
    assert list(examples.y) == [0, 1, 0]
    assert "3 rows (2 without a target left out)" in examples.notes[0]
    assert "one example only of b" in examples.notes[0]


@pytest.mark.parametrize("content", ["1,234", "12%"])
def test_text_that_a_target_needs_is_no_number(content: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="column y holds numbers written as text"):
        read(tmp_path / "t.csv", f'x,y\n1,"{content}"\n2,"{content}"\n3,5\n')


def test_every_number_of_float64_survives(tmp_path: Path) -> None:
    bits = RNG.integers(0, 2**64, 2000, dtype=np.uint64).view(np.float64)
    numbers = bits[np.isfinite(bits)]
    content = column("x", [repr(float(number)) for number in numbers])
    x = inputs(read(tmp_path / "t.csv", content))
    assert np.array_equal(x[:, 0], numbers)


@pytest.mark.parametrize("origin", [2**53, -(2**60), 10**18, 2**64, 10**25])
def test_differences_of_large_integers_are_exact(origin: int, tmp_path: Path) -> None:
    steps = [1, 0, 3, 2, 7, 7, 5]
    x = inputs(read(tmp_path / "t.csv", column("x", [origin + step for step in steps])))
    assert (x[:, 0] - x[1, 0]).tolist() == steps


def test_large_integers_beside_missing_ones_are_exact(tmp_path: Path) -> None:
    x = inputs(read(tmp_path / "t.csv", column("x", [10**18 + 1, "", 10**18 + 3, 10**18 + 2])))
    assert x.tolist() == [[0, 0], [1, 1], [2, 0], [1, 0]]


def test_unix_timestamps_keep_their_seconds(tmp_path: Path) -> None:
    seconds = 1_700_000_000 + RNG.permutation(300)
    content = "stamp,y\n" + "".join(f"{s},{s - 1_700_000_000 + 0.5}\n" for s in seconds)
    data = prepare(read(tmp_path / "t.csv", content), name="t", seed=0, val=0.2, test=0.2)
    torch.testing.assert_close(data.test.x, data.test.y.double(), rtol=1e-6, atol=1e-6)


def test_dates_become_elapsed_days_and_parts_of_the_calendar(tmp_path: Path) -> None:
    days = pd.to_datetime(["2020-02-28", "2021-12-31", "2019-01-01", "2020-03-01"])
    x = inputs(read(tmp_path / "t.csv", column("day", days.strftime("%Y-%m-%d"))))
    expected = np.column_stack(
        [(days - days.min()).days, days.year, days.month, days.day_of_week]
    )  # fmt: skip
    assert np.array_equal(x, expected)


TIMES = ["2020-01-06 10:30:00", "2020-01-07 06:00:00", "2020-02-29 23:15:00"]


@pytest.mark.parametrize(
    ("form", "changes"),
    [
        ("%Y-%m-%d %H:%M:%S", {}),
        ("%Y-%m-%dT%H:%M", {}),
        ("%Y/%m/%d %H:%M", {}),
        ("%d.%m.%Y %H:%M", {}),
        ("%m/%d/%Y %H:%M:%S", {}),
        ("%d %b %Y %H:%M:%S", {}),
        ("%d-%B-%Y %H:%M", {}),
        ("%b. %d, %Y %H:%M", {}),
        ("%Y-%m-%dT%H:%M:%S+02:00", {}),
        ("%Y-%m-%dT%H:%M:%S.000Z", {}),
        ("%y%m%d%H%M", {"dates": {"at": "%y%m%d%H%M"}}),
    ],
)
def test_forms_of_dates_that_are_certain(form: str, changes: Any, tmp_path: Path) -> None:
    stamps = pd.to_datetime(TIMES)
    content = column("at", stamps.strftime(form))
    x = inputs(read(tmp_path / "t.csv", content, **changes))
    days = (stamps - stamps.min()) / pd.Timedelta(days=1)
    hours = stamps.hour + stamps.minute / 60
    assert np.allclose(
        x, np.column_stack([days, stamps.month, stamps.day_of_week, hours]), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("form", ["2020Q{}", "2020-q{}", "2020 Q{}"])
def test_quarters_are_dates(form: str, tmp_path: Path) -> None:
    content = column("when", [form.format(quarter) for quarter in (1, 3, 2, 4, 1, 2)])
    x = inputs(read(tmp_path / "t.csv", content))
    assert x[:, 1].tolist() == [1, 7, 4, 10, 1, 4]
    assert x[:, 0].tolist() == [0, 182, 91, 274, 0, 91]


def test_numbers_that_read_as_dates_are_named(tmp_path: Path) -> None:
    content = column("day", [20200131, 20200201, 20191224])
    examples = read(tmp_path / "t.csv", content)
    assert inputs(examples)[:, 0].tolist() == [20200131, 20200201, 20191224]
    assert "day may hold dates: 'dataset.dates={day:%Y%m%d}'" in examples.notes[0]
    told = read(tmp_path / "t.csv", content, dates={"day": "%Y%m%d"})
    assert inputs(told)[:, 0].tolist() == [38, 39, 0]


def test_rare_and_unknown_categories_are_pooled(tmp_path: Path) -> None:
    letters = [*"aaaabbbcdcdce"]  # training: a, b and c, c twice; then d and e are new
    content = column("k", letters)
    train = [0, 1, 2, 4, 5, 7, 9]
    x, (note,) = encoded(read(tmp_path / "t.csv", content, min_frequency=3), train)
    fitted = OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=3, sparse_output=False, drop="if_binary"
    ).fit(np.array(letters)[train][:, None])
    assert np.array_equal(x[:8], fitted.transform(np.array(letters[:8])[:, None]))
    assert set(x[[8, 10, 12], 0]) == {1.0}
    assert note == (
        "k: category of 3, 1 input; 2 rare ones pooled; 3 rows with others outside training, "
        "with the rare ones"
    )


def test_many_categories_are_capped_and_said(tmp_path: Path) -> None:
    content = column("k", [f"k{row % 150}" for row in range(450)])
    examples = read(tmp_path / "t.csv", content)
    assert inputs(examples).shape == (450, 100)
    assert "k: over 100 categories, the rarest are pooled" in examples.notes[0]


def test_zeros_in_front_make_a_code(tmp_path: Path) -> None:
    x, notes = encoded(
        read(tmp_path / "t.csv", column("zip", ["01067", "80331", "01067", "80331"]))
    )
    assert x[:, 0].tolist() == [0, 1, 0, 1]
    assert notes == ["zip: category of 2, 1 input; codes: there are zeros in front"]


def test_roles_are_no_inputs(tmp_path: Path) -> None:
    content = "who,at,w,x,y\n" + "".join(
        f"p{row % 3},2020-01-0{row + 1},{row / 2},{row * row % 5},{'uv'[row % 2]}\n"
        for row in range(9)
    )
    given = read(tmp_path / "t.csv", content, group="who", time="at", weight="w", drop=["at"])
    assert given.group == [f"p{row % 3}" for row in range(9)]
    assert given.weight.tolist() == [row / 2 for row in range(9)]
    assert np.diff(given.time).tolist() == [86_400_000_000] * 8
    assert inputs(given)[:, 0].tolist() == [row * row % 5 for row in range(9)]
    assert inputs(given).shape == (9, 1)


def test_several_targets_are_outputs_or_labels(tmp_path: Path) -> None:
    content = "x,a,b\n1,0.5,2.5\n5,1.5,0\n3,2,1.25\n"
    several = read(tmp_path / "t.csv", content, target=["a", "b"])
    assert (several.task, several.y.tolist()) == ("regression", [[0.5, 2.5], [1.5, 0], [2, 1.25]])
    content = "x,a,b\n1,yes,0\n5,no,1\n3,yes,1\n"
    labels = read(tmp_path / "t.csv", content, target=["a", "b"], task="multilabel")
    assert (labels.task, labels.y.tolist()) == ("multilabel", [[1, 0], [0, 1], [1, 1]])


@pytest.mark.parametrize(
    ("values", "task", "classes"),
    [
        (["true", "false", "true"], "classification", ["false", "true"]),
        (["7", "3", "7"], "classification", ["3", "7"]),
        (["10", "9", "10"], "classification", ["9", "10"]),
        (["b", "a", "c"], "classification", ["a", "b", "c"]),
        ([str(v) for v in range(40, 0, -1)], "regression", None),
        (["1.5", "2", "2"], "regression", None),
    ],
)
def test_the_task_follows_a_target_that_is_certain(
    values: list[str], task: str, classes: Any, tmp_path: Path
) -> None:
    content = "x,y\n" + "".join(f"{row % 2}.5,{value}\n" for row, value in enumerate(values))
    examples = read(tmp_path / "t.csv", content)
    assert (examples.task, examples.classes) == (task, classes)


@pytest.mark.parametrize(
    "values", ["0.0 1.0 0.0 0.0", "1 2 3 2 3 1", "3.0 4.0 5.0 3 4 4", "0 1 2 0 1 2"]
)
def test_a_target_that_could_be_both_is_asked_for(values: str, tmp_path: Path) -> None:
    content = "x,y\n" + "".join(f"{row}.5,{value}\n" for row, value in enumerate(values.split()))
    with pytest.raises(InputError, match="set task=classification, regression or counts"):
        read(tmp_path / "t.csv", content)
    for task in ("classification", "regression", "counts"):
        assert read(tmp_path / "t.csv", content, task=task).task == task
    labels = read(tmp_path / "t.csv", content, task="classification").y
    numbers = [float(value) for value in values.split()]
    assert np.array_equal(labels, np.unique(numbers, return_inverse=True)[1])


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("id", [row + 1 for row in range(30)], "left out: id"),
        ("", list(range(30)), "left out: (no name)"),
        ("customer_id", [row + 1000 for row in range(30)], "left out: customer_id"),
        ("PassengerId", [row + 1 for row in range(30)], "left out: PassengerId"),
        ("id", [row * 7 % 31 for row in range(30)], "id may be an id: dataset.drop=[id]"),
        ("t", [row * row for row in range(30)], "t may be an id: dataset.drop=[t]"),
        ("year", [row + 1990 for row in range(30)], "year may be an id: dataset.drop=[year]"),
        ("uuid", [f"{row:08x}" + "f" for row in range(30)], "left out: uuid"),
        ("width", [row * 7 % 31 for row in range(30)], ""),
        ("paid", [row % 5 for row in range(30)], ""),
    ],
)
def test_ids_are_left_out_where_certain(
    name: str, values: list[Any], says: str, tmp_path: Path
) -> None:
    lines = [f"{value},{row % 3},{row % 4 + 0.5}" for row, value in enumerate(values)]
    examples = read(tmp_path / "t.csv", "\n".join([f"{name},x,y", *lines]) + "\n")
    out = "left out" in says
    assert inputs(examples).shape == (30, 1 if out else 2)
    assert says in examples.notes[0]
    assert bool(says) == ("left out" in examples.notes[0] or "may be" in examples.notes[0])


@pytest.mark.parametrize(
    ("twin", "target"),
    [
        (["a", "b", "c", "a"] * 5, ["u", "v", "w", "u"] * 5),
        ([0, 1, 2, 0] * 5, ["u", "v", "w", "u"] * 5),
        ([v / 7 for v in range(20)], [v / 7 for v in range(20)]),
        ([1.8 * v + 32 for v in range(20)], [v * 1.0 + 0.5 for v in range(20)]),
    ],
)
def test_a_column_that_is_the_target_is_named(
    twin: list[Any], target: list[Any], tmp_path: Path
) -> None:
    rows = zip(twin, RNG.integers(0, 9, 20), target, strict=True)
    content = "twin,x,y\n" + "".join(f"{a},{b},{c}\n" for a, b, c in rows)
    examples = read(tmp_path / "t.csv", content)
    assert "twin tells y exactly, a leak? dataset.drop=[twin]" in examples.notes[0]
    assert inputs(examples).shape[1] >= 2
    assert "leak" not in read(tmp_path / "t.csv", drop=["twin"]).notes[0]


def test_types_of_parquet_keep_their_meaning(tmp_path: Path) -> None:
    utc = pl.Series([0, 3_600_000, 90_000_000]).cast(pl.Datetime("ms", "UTC"))
    pl.DataFrame(
        {
            "flag": [True, False, True],
            "whole": pl.Series([2**62, None, 2**62 + 2], dtype=pl.Int64),
            "money": pl.Series(["1.25", "3.50", "2.00"]).cast(pl.Decimal(10, 2)),
            "kind": pl.Series(["a", "b", "a"], dtype=pl.Categorical),
            "at": utc.dt.convert_time_zone("Europe/Berlin"),
            "y": ["u", "v", "v"],
        }
    ).write_parquet(tmp_path / "t.parquet")
    x = inputs(read(tmp_path / "t.parquet"))
    flag, whole, money, kind = x[:, 0], x[:, 1:3], x[:, 3], x[:, 4]
    assert flag.tolist() == [1, 0, 1]
    assert whole.tolist() == [[0, 0], [1, 1], [2, 0]]
    assert money.tolist() == [1.25, 3.5, 2.0]
    assert kind.tolist() == [0, 1, 0]
    assert x[:, -1].tolist() == [1, 2, 2]  # the hour in Berlin
