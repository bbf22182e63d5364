"""What a search space may say, and which values its dimensions have."""

import math

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sgdlab.config.catalogue import conf_dir
from sgdlab.errors import InputError
from sgdlab.search import Dimension, Space, space_of


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"lr": {"low": 1.0, "high": 0.1}}, "search.x.lr: low=1.0 must be below high=0.1"),
        ({"lr": {"low": 0.1, "high": 0.1}}, "search.x.lr: low=0.1 must be below high=0.1"),
        ({"lr": {"low": 0.0, "high": 0.1, "scale": "log"}},
         "search.x.lr.low=0.0: a logarithmic scale needs a positive bound"),
        ({"lr": {"low": "a", "high": 0.1}}, "search.x.lr.low=a: must be a number"),
        ({"lr": {"low": True, "high": 2}}, "search.x.lr.low=True: must be a number"),
        ({"lr": {"low": 0.01}}, "search.x.lr.high=None: must be a number"),
        ({"lr": {"low": 0.01, "high": math.inf}}, "search.x.lr.high=inf: must be a number"),
        ({"lr": {"low": 0.01, "high": 0.1, "scale": "lin"}},
         "search.x.lr.scale=lin: valid: linear, log"),
        ({"optimizer": {"eps": {"low": 1, "hihg": 2}}},
         "search.x.optimizer.eps.hihg: did you mean high?"),
        ({"lr": {"choices": []}}, "search.x.lr.choices=[]: must be a list of values"),
        ({"lr": {"choices": "abc"}}, "search.x.lr.choices=abc: must be a list of values"),
        ({"lr": {"choices": None}}, "search.x.lr.choices=None: must be a list of values"),
        ({"k": {"choices": [5, 1, 5]}}, "search.x.k.choices=[5, 1, 5]: names 5 twice"),
        ({"k": {"choices": [{"a": 1}]}},
         "search.x.k.choices={'a': 1}: must be a number, text, true, false, null or a list"),
        ({"k": {"low": 1.5, "high": 3, "integer": True}},
         "search.x.k.low=1.5: must be a whole number (integer=true)"),
        ({"k": {"low": 1, "high": 2.5, "integer": True}},
         "search.x.k.high=2.5: must be a whole number (integer=true)"),
        ({"k": {"low": 1, "high": 3, "integer": "yes"}},
         "search.x.k.integer=yes: must be true or false"),
        ({"k": {"low": 1e-300, "high": 1e300, "scale": "log"}},
         "search.x.k: low=1e-300 and high=1e+300 are too far apart"),
        ({"k": {"low": -1.7e308, "high": 1.7e308}}, "are too far apart"),
        ({"optimizer": {"eps": 1e-8}, "optimizer.eps": {"low": 1e-9, "high": 1e-7}},
         "search.x.optimizer.eps: stands there twice; keep one"),
        ([1, 2], "search.x=[1, 2]: write lr: {low: …, high: …, scale: log}"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(section, message: str) -> None:
    with pytest.raises(InputError) as error:
        space_of(section, "search.x")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_nuisance_and_fixed_parameters_are_told_apart() -> None:
    text = """
    lr: {low: 1.0e-4, high: 0.1, scale: log}
    epochs: {low: 5, high: 20, integer: true}
    clip_norm: null
    schedule: {choices: [cosine, wsd], warmup_epochs: {low: 0, high: 5}}
    schedule.final: 0.1
    optimizer:
      betas: [0.9, 0.99]
      amsgrad: true
      history_size: {choices: [5, 10]}
      scale: {low: 1, high: 2}
    """
    assert space_of(yaml.safe_load(text), "search.x") == Space(
        [
            Dimension("lr", 1e-4, 0.1, log=True),
            Dimension("epochs", 5, 20, integer=True),
            Dimension("schedule", choices=("cosine", "wsd")),
            Dimension("schedule.warmup_epochs", 0.0, 5.0),
            Dimension("optimizer.history_size", choices=(5, 10)),
            Dimension("optimizer.scale", 1.0, 2.0),
        ],
        {
            "clip_norm": None,
            "schedule.final": 0.1,
            "optimizer.betas": [0.9, 0.99],
            "optimizer.amsgrad": True,
        },
    )


def test_choices_replace_bounds_that_they_were_merged_with() -> None:
    merged = {"lr": {"low": 1e-4, "high": 0.1, "scale": "log", "choices": [0.1, 0.2]}}
    (lr,) = space_of(merged, "x").dimensions
    assert lr.choices == (0.1, 0.2)
    (lr,) = space_of({"lr": merged["lr"] | {"choices": None}}, "x").dimensions
    assert lr == Dimension("lr", 1e-4, 0.1, log=True)


def test_a_space_may_have_fixed_values_only() -> None:
    assert space_of({"lr": 0.1}, "x") == Space([], {"lr": 0.1})
    assert space_of({}, "x") == Space([], {})


def test_values_have_four_digits_and_stay_inside() -> None:
    assert Dimension("lr", 0.12345, 1.0, log=True).at(0.0) == 0.1235
    assert Dimension("lr", 0.0, 1.0).at(1 / 3) == 0.3333
    assert Dimension("lr", 0.12344, 1.0).at(0.0) == 0.12344  # 0.1234 lies outside
    assert Dimension("lr", 0.1, 0.56787).at(1.0) == 0.56787  # 0.5679 does, too
    assert Dimension("k", 1, 123456, integer=True).at(1.0) == 123456


@pytest.mark.parametrize("log", [False, True])
def test_whole_numbers_reach_both_ends(log: bool) -> None:
    dimension = Dimension("epochs", 3, 7, log=log, integer=True)
    values = [dimension.at((i + 0.5) / 10_000) for i in range(10_000)]
    counts = {n: values.count(n) / 10_000 for n in range(3, 8)}
    assert all(isinstance(v, int) for v in values)
    assert sum(counts.values()) == 1.0
    low, high = (math.log(2.5), math.log(7.5)) if log else (2.5, 7.5)
    for n, share in counts.items():
        ends = (math.log(n - 0.5), math.log(n + 0.5)) if log else (n - 0.5, n + 0.5)
        assert share == pytest.approx((ends[1] - ends[0]) / (high - low), abs=2e-4)


NUMBERS = st.floats(-1e12, 1e12, allow_nan=False)
DIMENSIONS = st.one_of(
    st.tuples(NUMBERS, NUMBERS)
    .filter(lambda b: b[0] < b[1])
    .map(lambda b: {"low": b[0], "high": b[1]}),
    st.tuples(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12))
    .filter(lambda b: b[0] < b[1])
    .map(lambda b: {"low": b[0], "high": b[1], "scale": "log"}),
    st.tuples(st.integers(-1000, 10**6), st.integers(1, 10**4)).map(
        lambda b: {"low": b[0], "high": b[0] + b[1], "integer": True}
    ),
    st.tuples(st.integers(1, 10**6), st.integers(1, 10**4)).map(
        lambda b: {"low": b[0], "high": b[0] + b[1], "integer": True, "scale": "log"}
    ),
)


@given(DIMENSIONS, st.floats(0, 1))
def test_every_value_lies_inside_its_bounds(entry: dict, u: float) -> None:
    (dimension,) = space_of({"k": entry}, "x").dimensions
    value = dimension.at(u)
    assert entry["low"] <= value <= entry["high"]
    assert isinstance(value, int) == ("integer" in entry)
    assert dimension.at(0.0) <= value <= dimension.at(1.0)
    assert dimension.rounded(value) == value
    if "integer" not in entry and value not in (entry["low"], entry["high"]):
        assert float(f"{value:.4g}") == value


@example({"low": -2147483648.0, "high": 1.192092896e-07}, 2)
@example({"low": 0.0, "high": 5e-324}, 3)
@example({"low": -1e12, "high": 1e-300}, 12)
@given(DIMENSIONS, st.integers(1, 12))
def test_spread_values_differ_and_stand_between_both_ends(entry: dict, points: int) -> None:
    (dimension,) = space_of({"k": entry}, "x").dimensions
    points = int(min(points, dimension.size))
    values = dimension.spread(points)
    assert len(values) == points
    largest = max(abs(dimension.low), abs(dimension.high))
    if dimension.high - dimension.low > max(1e-9 * largest, 1e-300):  # else doubles run out
        assert len(set(values)) == points
    assert values == sorted(values)
    assert all(entry["low"] <= v <= entry["high"] for v in values)
    if points > 1:
        assert (values[0], values[-1]) == (entry["low"], entry["high"])


@given(DIMENSIONS)
def test_a_dimension_is_written_as_it_is_read(entry: dict) -> None:
    (dimension,) = space_of({"a": {"k": entry}}, "x").dimensions
    written = yaml.safe_load(yaml.safe_dump(dimension.entry()))
    assert space_of({"a": {"k": written}}, "x").dimensions == [dimension]
    assert {key: written[key] for key in entry} == entry


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.dictionaries(
                st.one_of(
                    st.sampled_from(["low", "high", "scale", "integer", "choices", "lr"]),
                    st.text(max_size=3),
                ),
                inner,
                max_size=4,
            ),
        ),
        max_leaves=12,
    )
)
def test_any_content_is_a_space_or_refused_by_name(content) -> None:
    refusal = "search.x"
    space = Space([])
    try:
        space = space_of(content, "search.x")
    except InputError as error:
        refusal = str(error)
    assert refusal.startswith("search.x")
    for dimension in space.dimensions:
        assert dimension.choices or dimension.low < dimension.high
        assert dimension.key not in space.fixed


@pytest.mark.parametrize(
    "path", sorted((conf_dir() / "optimizer").glob("*.yaml")), ids=lambda p: p.stem
)
def test_every_optimizer_has_a_search_space_around_its_default_lr(path) -> None:
    optimizer = yaml.safe_load(path.read_text())
    space = space_of(yaml.safe_load((conf_dir() / "search" / path.name).read_text()), path.stem)
    (lr,) = (d for d in space.dimensions if d.key == "lr")
    assert lr.log
    assert lr.low <= optimizer["lr"] <= lr.high
    for key in {d.key for d in space.dimensions} | set(space.fixed):
        section, _, name = key.partition(".")
        assert key in ("lr", "schedule") or (section == "optimizer" and name in optimizer)


def test_schedule_free_methods_are_run_at_a_constant_rate() -> None:
    paths = sorted((conf_dir() / "search").glob("*.yaml"))
    fixed = {path.stem: space_of(yaml.safe_load(path.read_text()), "x").fixed for path in paths}
    assert {name: values for name, values in fixed.items() if values} == {
        "schedule_free_adamw": {"schedule": "constant"},
        "schedule_free_sgd": {"schedule": "constant"},
    }
