"""Search spaces and what is drawn from them."""

import math

import numpy as np
import pytest
import yaml
from scipy.stats import kstest, qmc

from sgdlab.errors import InputError
from sgdlab.groups import conf_dir
from sgdlab.search import Dimension, draw, space_of

SPACE = [Dimension("lr", 1e-4, 1.0, log=True), Dimension("optimizer.momentum", 0.0, 0.99)]


def test_points_are_those_of_scipy_mapped_by_the_formula() -> None:
    trials = draw(SPACE, 8, seed=1, name="momentum")
    for trial in trials:
        assert 1e-4 <= trial["lr"] <= 1.0
        assert 0.0 <= trial["optimizer.momentum"] <= 0.99
    logs = np.sort([(math.log10(t["lr"]) + 4) / 4 for t in trials])
    # A scrambled Sobol net of 8 points has one in every eighth of each axis.
    assert (np.floor(logs * 8) == np.arange(8)).all()
    assert qmc.discrepancy(np.array([[(math.log10(t["lr"]) + 4) / 4, t["optimizer.momentum"] / 0.99]
                                     for t in trials])) < 0.05  # fmt: skip


def test_a_log_scale_is_uniform_in_the_logarithm() -> None:
    lrs = [math.log(t["lr"]) for t in draw(SPACE, 256, seed=0, name="sgd")]
    assert kstest(lrs, "uniform", (math.log(1e-4), math.log(1e4))).pvalue > 0.5


def test_a_longer_search_begins_with_the_shorter_one() -> None:
    assert draw(SPACE, 5, 0, "sgd") == draw(SPACE, 16, 0, "sgd")[:5]


def test_optimizers_and_seeds_have_scrambles_of_their_own() -> None:
    assert draw(SPACE, 4, 0, "sgd") == draw(SPACE, 4, 0, "sgd")
    assert draw(SPACE, 4, 0, "sgd") != draw(SPACE, 4, 0, "adam")
    assert draw(SPACE, 4, 0, "sgd") != draw(SPACE, 4, 1, "sgd")


def test_choices_are_equally_likely() -> None:
    drawn = [
        t["nesterov"] for t in draw([Dimension("nesterov", choices=(True, False))], 16, 0, "x")
    ]
    assert drawn.count(True) == drawn.count(False) == 8


def test_values_have_four_digits_and_stay_inside() -> None:
    assert Dimension("lr", 0.12345, 1.0, log=True).at(0.0) == 0.1235
    assert Dimension("lr", 0.0, 1.0).at(1 / 3) == 0.3333


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"lr": 0.1}, "search.x.lr=0.1: write"),
        ({"lr": {"low": 1.0, "high": 0.1}}, "low=1.0 must be below high=0.1"),
        ({"lr": {"low": 0.0, "high": 0.1, "scale": "log"}}, "needs a positive bound"),
        ({"lr": {"low": "a", "high": 0.1}}, "search.x.lr.low=a: must be a number"),
        ({"lr": {"low": 0.01}}, "search.x.lr.high=None: must be a number"),
        ({"lr": {"low": 0.01, "high": 0.1, "scale": "lin"}}, "scale=lin: valid: linear, log"),
        ({"optimizer": {"eps": {"low": 1, "hihg": 2}}}, "search.x.optimizer.eps.hihg"),
        ({"lr": {"choices": []}}, "must be a list"),
    ],
)
def test_bad_bounds_are_refused(section: dict, message: str) -> None:
    with pytest.raises(InputError) as error:
        space_of(section, "search.x")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "path", sorted((conf_dir() / "optimizer").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_optimizer_has_a_search_space_around_its_default_lr(path) -> None:
    optimizer = yaml.safe_load(path.read_text())
    space = space_of(yaml.safe_load((conf_dir() / "search" / path.name).read_text()), path.stem)
    (lr,) = (d for d in space if d.key == "lr")
    assert lr.log
    assert lr.low <= optimizer["lr"] <= lr.high
    for dimension in space:
        section, _, key = dimension.key.partition(".")
        assert not key or (section == "optimizer" and key in optimizer)
