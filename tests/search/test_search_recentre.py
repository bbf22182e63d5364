"""Re-centring: where the best trial lies at the edge, the rest of the budget goes there."""

import math

import pytest
from drawn import draw
from hypothesis import given
from hypothesis import strategies as st

from sgdlab.search import Dimension, Space, search_of
from sgdlab.search.recentre import recentred

LR = Dimension("lr", 1e-4, 1.0, log=True)
DECAY = Dimension("optimizer.weight_decay", 0.0, 0.5)


def moved(dimension: Dimension, best: float) -> tuple[float, float]:
    (now,) = recentred([dimension], {dimension.key: best})
    assert (now.key, now.log, now.integer) == (dimension.key, dimension.log, dimension.integer)
    return now.low, now.high


@pytest.mark.parametrize(
    ("dimension", "best", "bounds"),
    [
        # A logarithmic range keeps its ratio of 1e4; its edges end at 10^-3.6 and 10^-0.4.
        (LR, 1.0, (1e-2, 1e2)),
        (LR, 0.5, (5e-3, 50.0)),
        (LR, 0.41, (4.1e-3, 41.0)),
        (LR, 0.39, (1e-4, 1.0)),
        (LR, 2.6e-4, (1e-4, 1.0)),
        (LR, 2.4e-4, (2.4e-6, 2.4e-2)),
        # A linear one its width.
        (Dimension("x", -10.0, 10.0), 9.0, (-1.0, 19.0)),
        (Dimension("x", -10.0, 10.0), 7.9, (-10.0, 10.0)),
        (Dimension("x", -10.0, 10.0), -8.5, (-18.5, 1.5)),
        # What is never negative stays so, and what is positive stays positive.
        (Dimension("x", 0.0, 10.0), 9.5, (4.5, 14.5)),
        (Dimension("x", 0.0, 10.0), 0.5, (0.0, 10.0)),
        (Dimension("x", 1.0, 11.0), 1.5, (0.1, 10.1)),
        (Dimension("x", 8.0, 10.0), 8.1, (7.1, 9.1)),
        # A fraction does not pass its bound; a learning rate is none.
        (Dimension("optimizer.momentum", 0.5, 0.99), 0.98, (0.5, 0.99)),
        (Dimension("optimizer.momentum", 0.5, 0.99), 0.51, (0.265, 0.755)),
        (Dimension("lr", 0.1, 0.9), 0.9, (0.5, 1.3)),
        (Dimension("optimizer.lr", 0.1, 0.9), 0.9, (0.5, 1.3)),
        # Whole numbers.
        (Dimension("epochs", 5, 25, integer=True), 24, (14, 34)),
        (Dimension("epochs", 5, 25, integer=True), 5, (1, 21)),
        (Dimension("warmup", 0, 20, integer=True), 0, (0, 20)),
        (Dimension("warmup", 0, 20, integer=True), 19, (9, 29)),
        (Dimension("k", -5, 5, integer=True), -5, (-10, 0)),
        (Dimension("k", 1, 100, log=True, integer=True), 100, (10, 1000)),
        (Dimension("k", 1, 100, log=True, integer=True), 1, (1, 100)),
        # Doubles end here.
        (Dimension("x", 1e-300, 1e-200, log=True), 1e-300, (1e-300, 1e-200)),
        (Dimension("x", 1e200, 1e300, log=True), 1e300, (1e200, 1e300)),
    ],
)
def test_bounds_move_where_that_is_legal(dimension: Dimension, best: float, bounds: tuple) -> None:
    assert moved(dimension, best) == pytest.approx(bounds, rel=1e-12, abs=1e-12)


def test_choices_stay() -> None:
    history = Dimension("optimizer.history_size", choices=(5, 10))
    assert recentred([history], {"optimizer.history_size": 10}) == [history]


@given(
    st.booleans(), st.booleans(), st.integers(0, 1000), st.integers(1, 1000), st.floats(0, 1),
    st.sampled_from([1e-4, 0.01, 1.0, 100.0]),
)  # fmt: skip
def test_moved_bounds_are_legal_and_as_wide(
    log: bool, integer: bool, low: int, width: int, u: float, scale: float
) -> None:
    scale = 1.0 if integer else scale
    low = max(low, 1) if log else low
    dimension = Dimension("k", low * scale, (low + width) * scale, log, integer=integer)
    best = dimension.at(u)
    assert isinstance(best, int | float)
    now_low, now_high = moved(dimension, best)
    assert now_low < now_high
    assert now_low >= (1 if integer and low else 0)
    assert now_low > 0 or low == 0
    if dimension.low > 0:
        assert now_low > 0
    assert now_low <= best <= now_high
    if integer and not log:
        assert now_high - now_low == width
    elif not integer:
        size = math.log if log else float
        was = size(dimension.high) - size(dimension.low)
        assert size(now_high) - size(now_low) == pytest.approx(was, rel=1e-9, abs=1e-12)
    if 0.1 < dimension.position(best) < 0.9:
        assert (now_low, now_high) == (dimension.low, dimension.high)


@pytest.mark.parametrize("method", ["sobol", "random"])
@pytest.mark.parametrize("trials", [1, 2, 7, 16])
def test_the_second_half_goes_where_the_best_trial_lies(method: str, trials: int) -> None:
    space = Space([LR, DECAY], {"schedule": "constant"})
    plain = draw(space.dimensions, trials, 2, "sgd", method)
    search = search_of(method, space, trials, 2, "sgd", recentre=True)
    half = math.ceil(trials / 2)
    first = search.ask()
    assert first == [{"schedule": "constant", **settings} for settings in plain[:half]]
    objective_value = [-settings["lr"] for settings in first]
    search.tell(objective_value)
    rest = search.ask()
    search.tell([1.0] * len(rest))
    assert len(rest) == trials - half
    assert search.ask() == []
    best = max(settings["lr"] for settings in first)
    if trials == 16:
        assert best > 10**-0.4
        low, high = search.recentred["lr"]
        assert low == pytest.approx(best / 100)
        assert high == pytest.approx(best * 100)
        assert "optimizer.weight_decay" not in search.recentred
        now = [Dimension("lr", low, high, log=True), DECAY]
        assert rest == [
            {"schedule": "constant", **settings} for settings in draw(now, 16, 2, "sgd", method)[8:]
        ]


@pytest.mark.parametrize("objective_value", ["middle", "diverged", "nan"])
def test_without_a_best_trial_at_the_edge_the_sequence_goes_on(objective_value: str) -> None:
    space = Space([LR, DECAY])
    search = search_of("sobol", space, 16, 5, "sgd", recentre=True)
    first = search.ask()
    assert first[0]["lr"] > 10**-0.4  # at the edge
    results = {
        "middle": [abs(math.log10(t["lr"]) + 2) + abs(t["optimizer.weight_decay"] - 0.25)
                   for t in first],
        "diverged": [math.inf] * 8,
        "nan": [math.nan] * 8,
    }  # fmt: skip
    search.tell(results[objective_value])
    assert search.recentred == {}
    assert first + search.ask() == draw(space.dimensions, 16, 5, "sgd")


def test_a_diverged_trial_is_not_the_best() -> None:
    space = Space([LR])
    search = search_of("sobol", space, 16, 0, "sgd", recentre=True)
    first = search.ask()
    search.tell([math.inf if t["lr"] > 0.1 else math.nan if t["lr"] > 1e-3 else 1.0 - t["lr"]
                 for t in first])  # fmt: skip
    best = max(t["lr"] for t in first if t["lr"] <= 1e-3)
    expected = {} if best > 10**-3.6 else {"lr": (best / 100, best * 100)}
    assert search.recentred == expected
