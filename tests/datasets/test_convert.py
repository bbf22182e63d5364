from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.datasets import load_wine

from sgdlab.datasets.base import Examples
from sgdlab.datasets.convert import to_examples
from sgdlab.errors import InputError

X = np.arange(12.0).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def forms() -> list[Any]:
    frame = pd.DataFrame(X, columns=["a", "b"])
    return [
        (X, Y),
        [X, Y],
        (X.tolist(), Y.tolist()),
        (X.astype(">f8"), Y.astype(np.int8)),
        (X[::-1][::-1], Y.astype(np.uint16)),
        (X.astype(object), Y[:, None]),
        (frame, pd.Series(Y, index=range(10, 16))),
        (frame.astype("Float64"), pd.Series(Y, dtype="Int64")),
        (frame.astype({"a": "int64"}), pd.DataFrame(Y)),
        (torch.tensor(X, requires_grad=True), torch.tensor(Y, dtype=torch.int32)),
        Examples(torch.tensor(X), torch.tensor(Y)),
        Examples(torch.tensor(X), torch.tensor(Y).float(), task="classification"),
    ]


@pytest.mark.parametrize("form", forms(), ids=range(len(forms())))
def test_every_form_of_the_same_data_is_the_same(form: Any) -> None:
    examples = to_examples(form, "own")
    assert examples.task == "classification"
    assert torch.equal(examples.x, torch.tensor(X))
    assert torch.equal(examples.y, torch.tensor(Y))
    assert examples.x.dtype == torch.float64
    assert examples.y.dtype == torch.int64
    assert not examples.x.requires_grad


def test_the_callers_array_is_copied() -> None:
    x = X.astype(np.float32)
    examples = to_examples((x, Y), "own")
    x[:] = 0
    assert float(examples.x.sum()) == X.sum()


def test_types_of_inputs() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4, 5, 6]})
    assert to_examples((frame, Y), "own").x.dtype == torch.float64
    assert to_examples((X.astype(np.float16), Y), "own").x.dtype == torch.float32
    assert to_examples((np.ones((6, 1, 2, 2), np.uint8), Y), "own").x.dtype == torch.float32
    assert to_examples((np.ones((6, 2), bool), Y), "own").x.dtype == torch.float32
    assert to_examples((np.ones((6, 2), np.int32), Y), "own").x.dtype == torch.int64
    assert to_examples((np.arange(6.0), Y), "own").x.shape == (6, 1)
    assert to_examples((X, Y > 0), "own").y.tolist() == [0, 1, 1, 0, 1, 1]


def test_task_follows_the_type_of_y() -> None:
    values = to_examples((X, Y / 2), "own")
    assert (values.task, values.y.shape, values.y.dtype) == ("regression", (6, 1), torch.float64)
    assert to_examples((X, X / 3), "own").y.shape == (6, 2)
    counts = Examples(torch.tensor(X), torch.tensor([10, 3, 5, 7, 3, 10]), task="regression")
    assert to_examples(counts, "own").y[:, 0].tolist() == [10, 3, 5, 7, 3, 10]


def test_scikit_learns_loaders_need_one_key() -> None:
    assert to_examples(load_wine(return_X_y=True), "own").x.shape == (178, 13)
    with pytest.raises(InputError, match="got Bunch; for scikit-learn's loaders add return_X_y"):
        to_examples(load_wine(), "own")


def holed() -> np.ndarray:
    x = X.copy()
    x[4, 1] = np.nan
    x[5, 0] = np.inf
    return x


def examples(**changes: Any) -> Examples:
    base = {"x": torch.tensor(X), "y": torch.tensor(Y)}
    return Examples(**{**base, **changes})


@pytest.mark.parametrize(
    ("loaded", "says"),
    [
        (None, r"dataset=own: expected \(x, y\), .*torch.utils.data.Dataset, got NoneType"),
        (X, "got ndarray"),
        (Examples(X, None), "no targets; a loss of your own needs none with task=custom"),
        ((sparse.eye(6, format="csr"), Y), "is a sparse matrix"),
        ((torch.eye(6).to_sparse(), Y), "is a sparse tensor"),
        ((X, Y / 1.0), "holds only 0, 1, 2, as floating numbers: set task=classification if"),
        ((X, np.eye(3)[Y]), "holds only 0, 1 in 3 columns.*task=multilabel or task=regression"),
        ((np.ones((6, 8, 5, 3)), Y), r"shape \[6, 8, 5, 3\]: set layout=nchw if.*layout=nhwc"),
        ((np.ones((6, 3, 3, 3)), Y), "set layout=nchw if"),
        (examples(weight=-np.ones(6)), "weight must be 6 numbers from 0"),
        (examples(weight=np.ones(5)), "weight must be 6 numbers from 0"),
        (({"a": X, "b": X[:3]}, Y), "arrays of different lengths"),
        ((X, Y, Y), "got tuple of 3"),
        ((X, Y[:5]), "x has 6 rows, y has 5"),
        ((holed(), Y), "x has 2 missing or infinite values, the first in row 4"),
        ((X, np.where(Y == 2, np.nan, Y)), "y has 2 missing or infinite values, .* row 2"),
        ((pd.DataFrame({"a": [1, None] * 3}), Y), "x has 3 missing"),
        (
            (pd.DataFrame({"a": [1, None] * 3}, dtype="Int64"), Y),
            "x has 3 missing",
        ),
        ((X, np.zeros(6, int)), "y has only one class, 0: nothing to learn"),
        ((X, np.ones(6)), "y has only one value, 1"),
        ((X, Y - 1), r"classes must be 0..2 without gaps, found -1, 0, 1 .*np.unique"),
        ((X, Y * 2), r"found 0, 2, 4 .*y.astype\('float32'\)"),
        ((X, np.eye(3, dtype=int)[Y]), r"y has shape \[6, 3\].*argmax"),
        ((X, np.ones((6, 2, 2))), r"expected \[n\] or \[n, outputs\]"),
        ((X, ["a", "b", "c"] * 2), "y holds text, not numbers"),
        ((pd.DataFrame({"a": range(6), "colour": list("rgbrgb")}), Y), "x holds text.*colour"),
        ((np.full(6, np.datetime64("2020-01-01")), Y), "datetime64.*encode it first"),
        ((X * 1j, Y), "complex"),
        (([[1, 2], [3]] * 3, Y), "rows of different lengths"),
        ((np.array([{}, {}] * 3), Y), "not numbers"),
        ((3.0, Y), "not an array with a row per example"),
        ((np.ones((6, 0)), Y), "no inputs to learn from"),
        ((np.ones((0, 3)), np.ones(0, int)), "no inputs to learn from"),
        (examples(task="clasification"), "task=clasification: .*classification"),
        (examples(y=torch.tensor(Y) / 2, task="classification"), "fractions"),
        (examples(test=(torch.tensor(X), torch.tensor(Y[:3]))), "test: x has 6 rows, y has 3"),
        (examples(test=(torch.ones(3, 3), torch.tensor(Y[:3]))), "test inputs are"),
        (examples(test=(torch.ones(3, 2).double(), torch.tensor([0, 1, 5]))), "test y has class 5"),
        (examples(test=3), "dataset=own: test: expected"),
    ],
)
def test_unusable_data_are_refused_in_one_line(loaded: Any, says: str) -> None:
    with pytest.raises(InputError, match=says) as caught:
        to_examples(loaded, "own")
    assert str(caught.value).startswith("dataset=own: ")
    assert "\n" not in str(caught.value)


def test_channels_come_first_where_that_is_certain() -> None:
    photos = np.arange(6 * 8 * 8 * 3.0).reshape(6, 8, 8, 3)
    turned = to_examples((photos, Y), "own")
    assert np.array_equal(turned.x.numpy(), photos.transpose(0, 3, 1, 2))
    assert any("channels first" in note for note in turned.notes)
    assert to_examples((photos.transpose(0, 3, 1, 2), Y), "own").x.shape == (6, 3, 8, 8)
    # Feature maps: no number of channels anywhere.
    assert to_examples((np.ones((6, 16, 8, 8)), Y), "own").x.shape == (6, 16, 8, 8)
    wide = np.arange(6 * 8 * 5 * 3.0).reshape(6, 8, 5, 3)
    assert to_examples((wide, Y), "own", layout="nhwc").x.shape == (6, 3, 8, 5)
    assert to_examples((wide, Y), "own", layout="nchw").x.shape == (6, 8, 5, 3)


@pytest.mark.parametrize(
    ("task", "y", "shape"),
    [
        ("classification", Y.astype(float), (6,)),
        ("regression", Y.astype(float), (6, 1)),
        ("regression", Y, (6, 1)),
        ("counts", Y, (6, 1)),
        ("multilabel", np.eye(3)[Y], (6, 3)),
        ("custom", np.ones((6, 5, 2)), (6, 5, 2)),
        ("custom", None, (6,)),
    ],
)
def test_a_task_that_is_said_counts(task: Any, y: Any, shape: Any) -> None:
    made = to_examples(Examples(X, y), "own", task)
    assert (made.task, tuple(made.y.shape)) == (task, shape)


@pytest.mark.parametrize(
    ("task", "y", "says"),
    [
        ("multilabel", Y, "values besides 0 and 1"),
        ("counts", Y - 1.0, "negative or broken"),
        ("counts", Y / 2, "negative or broken"),
        ("classification", Y / 2, "fractions"),
        ("optimization", Y, "gives no function to minimise"),
    ],
)
def test_targets_that_are_not_the_tasks_are_refused(task: Any, y: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_examples((X, y), "own", task)
