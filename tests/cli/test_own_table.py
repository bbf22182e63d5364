"""A table of the user's on the command line."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from cli_runs import Cli, summary, write
from sklearn.linear_model import LogisticRegression

RNG = np.random.default_rng(3)
N = 200


def people() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "id": range(N),
            "age": RNG.integers(18, 80, N).astype(float),
            "city": RNG.choice(["Bonn", "Ulm", "Köln"], N),
            "since": pd.date_range("2020-01-01", periods=N).strftime("%Y-%m-%d"),
            "planet": "earth",
        }
    )
    frame["bought"] = np.where(frame["age"] + 20 * (frame["city"] == "Ulm") > 55, "yes", "no")
    frame.loc[::9, "age"] = np.nan
    return frame


OWN = ("dataset=table", "dataset.path=people.csv", "dataset.target=bought")


def trained(sgdlab: Cli, *arguments: str) -> Path:
    people().to_csv(sgdlab.folder / "people.csv", index=False)
    return sgdlab.train("run", *OWN, *arguments)


def test_a_table_trains_and_lists_what_was_done_with_each_column(sgdlab: Cli):
    run = trained(sgdlab, "epochs=2")
    found = json.loads((run / "environment.json").read_text())["data"]
    assert found[0] == (
        "people.csv: 200 rows; bought: classification of 2; 1 number, 1 category, 1 date; "
        "left out: id, planet"
    )
    named = [line.partition(":")[0] for line in found[1:]]
    assert named == ["id", "planet", "age", "city", "since"]
    assert summary(run)["task"] == "classification"


def test_the_terminal_has_one_line_of_it(sgdlab: Cli):
    people().to_csv(sgdlab.folder / "people.csv", index=False)
    result = sgdlab("train", *OWN, "model=linear", "epochs=6")
    notes = [line for line in result.err.splitlines() if line.startswith("sgdlab: note: ")]
    assert len([line for line in notes if "people.csv" in line]) == 1
    assert "(environment.json has all 6 lines)" in notes[0]
    assert not [line for line in notes if "note: age" in line]


def test_shipped_data_have_no_such_lines(sgdlab: Cli):
    run = sgdlab.train("run", "epochs=1")
    assert "data" not in json.loads((run / "environment.json").read_text())


def test_the_accuracy_is_that_of_logistic_regression(sgdlab: Cli):
    run = trained(sgdlab, "epochs=80", "optimizer=adamw", "lr=0.05", "evaluate_test=true")
    frame = people()
    x = pd.get_dummies(frame[["age", "city"]].fillna({"age": frame["age"].median()}))
    x["missing"] = frame["age"].isna()
    x["since"] = range(N)
    x = (x.astype(float) - x.astype(float).mean()) / x.astype(float).std()
    sample = RNG.permutation(N)
    fitted = LogisticRegression().fit(x.iloc[sample[:160]], frame["bought"].iloc[sample[:160]])
    expected = fitted.score(x.iloc[sample[160:]], frame["bought"].iloc[sample[160:]])
    assert abs(float(summary(run)["test_metric"]) - expected) < 0.15


@pytest.mark.slow
def test_a_comparison_reads_the_table_too(sgdlab: Cli):
    people().to_csv(sgdlab.folder / "people.csv", index=False)
    result = sgdlab(
        "compare", *OWN, "model=linear", "epochs=2", "optimizers=[sgd]", "trials=2",
        "replicates=2", "schedule=constant",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "people.csv: 200 rows" in result.err


def test_a_target_in_doubt_is_answered_by_the_task(sgdlab: Cli):
    lines = "".join(f"{row % 7},{row % 3}\n" for row in range(200))
    write(sgdlab.folder / "marks.csv", "x,mark\n" + lines)
    own = ("dataset=table", "dataset.path=marks.csv", "dataset.target=mark")
    result = sgdlab("train", *own, "epochs=1")
    assert result.code == 2
    assert "set task=classification, regression or counts" in result.err
    assert [file.name for file in sgdlab.folder.iterdir()] == ["marks.csv"]
    for task in ("classification", "regression", "counts"):
        assert summary(sgdlab.train(task, *own, "epochs=1", f"task={task}"))["task"] == task


def test_the_command_line_asks_for_what_it_needs(sgdlab: Cli):
    result = sgdlab("train", "dataset=table")
    assert result.code == 2
    assert result.err == "sgdlab: dataset=table: needs dataset.path= and dataset.target=\n"
    assert list(sgdlab.folder.iterdir()) == []


def test_a_file_or_column_that_is_not_there_has_its_nearest_name(sgdlab: Cli):
    people().to_csv(sgdlab.folder / "people.csv", index=False)
    result = sgdlab("train", "dataset=table", "dataset.path=peple.csv", "dataset.target=bought")
    assert result.code == 2
    where = f"no such file in {sgdlab.folder}; did you mean people.csv?"
    assert result.err == f"sgdlab: dataset=table: dataset.path=peple.csv: {where}\n"
    result = sgdlab("train", "dataset=table", "dataset.path=people.csv", "dataset.target=buoght")
    assert result.code == 2
    assert "dataset.target=buoght: no such column; did you mean bought?" in result.err
    assert [file.name for file in sgdlab.folder.iterdir()] == ["people.csv"]
