"""The arithmetic of lessons against numpy, and what it refuses."""

import numpy as np
import pytest

from sgdlab.errors import InputError
from sgdlab.lessons.expressions import evaluate, names_in
from sgdlab.lessons.runs import LessonRun, SplitColumns

NAN = float("nan")
LOSS = np.array([4.0, NAN, 2.0, -1.0, 1.0, 3.0])
RUN = LessonRun(
    "one",
    ("lr=1",),
    {"loss": LOSS, "w.0": np.array([1.0, -1.0, 2.0]), "empty": np.array([NAN])},
    {"val": SplitColumns({"accuracy": np.array([0.25, 0.75])})},
    {"status": "completed", "lr": 0.5, "test_loss": None, "optimizer.momentum": 0.9},
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("first(one.loss)", 4),
        ("last(one.loss)", 3),
        ("mean(one.loss)", np.nanmean(LOSS)),
        ("end(one.loss, 2)", 2),
        ("smallest(one.loss) + largest(one.loss)", 3),
        ("spread(one.loss)", np.nanstd(LOSS) / np.nanmean(LOSS)),
        ("share(one.loss, 1)", 3 / 5),
        ("turns(one.loss)", 2),
        ("lowest(one.loss)", 4),
        ("reach(one.loss, 2)", 3),
        ("reach(one.loss, -5)", np.inf),
        ("last(magnitude(one['w.0']))", 2),
        ("largest(one.val.accuracy) / one.summary.lr", 1.5),
        ("one.summary['optimizer.momentum']", 0.9),
        ("-2 ** 2 + known * 3", 5),
        ("sqrt(abs(-16)) - log10(100)", 2),
        ("max(1, min(known, 2))", 2),
        ("1 / (known - 3)", np.inf),
        ("1 < known <= 3 and not known == 2", True),
        ("known > 3 or known != 3", False),
        ("one.summary.status == 'completed'", True),
        ("one.summary.test_loss < 1", False),
    ],
)
def test_values(text: str, value: float):
    assert evaluate(text, {"one": RUN, "known": 3.0}, "lesson.values.v") == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("last(one.los)", "no column los; did you mean loss?"),
        ("last(one.val.acc)", "no column acc"),
        ("last(two.loss)", "no run or value two"),
        ("one.loss", "is not a number; right is last(RUN.loss)"),
        ("last(3)", "needs a column"),
        ("first(one.empty)", "is empty"),
        ("(1).real", "has no real"),
        ("[1, 2]", "cannot use [1, 2]"),
        ("(lambda: 1)()", "cannot use"),
        ("__import__('os')", "cannot use"),
        ("last(one.loss", "cannot be read"),
        ("sqrt(-1)", "math"),
    ],
)
def test_what_cannot_be_computed_is_refused_in_one_line(text: str, says: str):
    with pytest.raises(InputError, match=r"^lesson\.values\.v: ") as refused:
        evaluate(text, {"one": RUN}, "lesson.values.v")
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_names_are_found_before_anything_runs():
    text = "last(slow.loss) / max(fast, 2)"
    assert set(names_in(text, "lesson.check")) == {"slow", "fast"}
    with pytest.raises(InputError, match=r"no function lats; did you mean last\?"):
        names_in("lats(slow.loss)", "lesson.check")
