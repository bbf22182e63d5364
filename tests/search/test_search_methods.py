"""One interface to all searches."""

import subprocess
import sys

import pytest
from drawn import draw

from sgdlab.errors import InputError
from sgdlab.search import METHODS, Dimension, Space, search_of
from sgdlab.search.grid import grid

LR = Dimension("lr", 1e-4, 1.0, log=True)
DECAY = Dimension("optimizer.weight_decay", 1e-6, 1e-2, log=True)
SPACE = Space([LR, DECAY], {"schedule": "constant"})


def run(search, objective_value=lambda settings: settings["lr"]) -> list:
    batches = []
    while batch := search.ask():
        batches.append(batch)
        search.tell([objective_value(settings) for settings in batch])
    assert search.ask() == []
    return batches


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("trials", [1, 6, 20])
def test_every_method_keeps_to_its_budget(method: str, trials: int) -> None:
    batches = run(search_of(method, SPACE, trials, 0, "sgd"))
    settings = [s for batch in batches for s in batch]
    assert len(settings) == len({repr(s) for s in settings}) == trials
    for s in settings:
        assert set(s) == {"schedule", "lr", "optimizer.weight_decay"}
        assert s["schedule"] == "constant"
        assert 1e-4 <= s["lr"] <= 1.0
        assert 1e-6 <= s["optimizer.weight_decay"] <= 1e-2
    again = run(search_of(method, SPACE, trials, 0, "sgd"))
    assert again == batches


@pytest.mark.parametrize("method", ["sobol", "random"])
def test_without_results_to_look_at_all_is_asked_at_once(method: str) -> None:
    (batch,) = run(search_of(method, SPACE, 20, 5, "sgd"))
    assert batch == [
        {"schedule": "constant", **settings}
        for settings in draw(SPACE.dimensions, 20, 5, "sgd", method)
    ]


def test_a_grid_is_asked_at_once() -> None:
    (batch,) = run(search_of("grid", SPACE, 20, 5, "sgd"))
    assert batch == [{"schedule": "constant", **s} for s in grid(SPACE.dimensions, 20)]


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_is_searched_one_trial_is_all_there_is(method: str) -> None:
    fixed = Space([], {"lr": 0.1})
    assert run(search_of(method, fixed, 16, 0, "sgd")) == [[{"lr": 0.1}]]


@pytest.mark.parametrize("method", ["sobol", "random", "tpe"])
def test_a_small_space_is_searched_once_through(method: str) -> None:
    small = Space([Dimension("a", choices=(1, [2], None)), Dimension("b", 1, 4, integer=True)])
    batches = run(search_of(method, small, 40, 0, "sgd"), lambda settings: settings["b"])
    settings = [s for batch in batches for s in batch]
    assert len(settings) == 12
    assert sorted(repr((s["a"], s["b"])) for s in settings) == sorted(
        repr((a, b)) for a in (1, [2], None) for b in (1, 2, 3, 4)
    )


@pytest.mark.parametrize(
    ("method", "trials", "options", "message"),
    [
        ("gird", 4, {}, "search.method=gird: did you mean grid?"),
        ("sobol", 0, {}, "trials=0: must be a whole number from 1"),
        ("sobol", 2.5, {}, "trials=2.5: must be a whole number from 1"),
        ("tpe", True, {}, "trials=True: must be a whole number from 1"),
        ("tpe", 4, {"batch": 0}, "search.batch=0: must be a whole number from 1"),
        ("tpe", 4, {"recentre": True}, "search.recentre=true: search.method=tpe has a plan of "
         "its own; valid: random, sobol"),
        ("grid", 4, {"recentre": True}, "search.recentre=true: search.method=grid has a plan of "
         "its own; valid: random, sobol"),
    ],
)  # fmt: skip
def test_what_cannot_be_searched_is_refused(method, trials, options, message: str) -> None:
    with pytest.raises(InputError) as error:
        search_of(method, SPACE, trials, 0, "sgd", **options)
    assert str(error.value) == message


def test_a_grid_that_cannot_be_is_refused_before_anything_runs() -> None:
    small = Space([Dimension("a", choices=(1, 2)), Dimension("b", 1, 3, integer=True)])
    with pytest.raises(InputError) as error:
        search_of("grid", small, 5, 0, "sgd")
    assert str(error.value) == (
        "trials=5: no grid over the values of a (2), b (3) has 5 points; "
        "trials=4 or trials=6 would do"
    )


@pytest.mark.parametrize("method", METHODS)
def test_results_are_told_before_more_is_asked(method: str) -> None:
    search = search_of(method, SPACE, 20, 0, "sgd")
    batch = search.ask()
    with pytest.raises(AssertionError):
        search.ask()
    with pytest.raises((AssertionError, ValueError)):
        search.tell([0.0] * (len(batch) + 1))


def test_only_what_is_used_is_imported() -> None:
    script = (
        "import sys; from sgdlab.search import *; "
        "s = Space([Dimension('lr', 0.1, 1.0)]); "
        "[search_of(m, s, 4, 0, 'x') for m in ('random', 'grid', 'sobol')]; "
        "search_of('random', s, 4, 0, 'x').ask(); "
        "print([m for m in ('torch', 'hydra', 'omegaconf', 'scipy', 'optuna') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")
