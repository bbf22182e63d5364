"""What holds for every schedule in ``conf/schedule``, found by globbing."""

import inspect
import itertools
import math
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from sgdlab.config.catalogue import conf_dir
from sgdlab.schedules.base import WARMUP_SHAPES, Schedule

PATHS = sorted((conf_dir() / "schedule").glob("*.yaml"))
NAMES = [path.stem for path in PATHS]


def build(name: str, **changes: Any) -> Schedule:
    section = yaml.safe_load((conf_dir() / "schedule" / f"{name}.yaml").read_text())
    return pkgutil.resolve_name(section.pop("_target_"))(**section | changes)


def bare(name: str, **changes: Any) -> Schedule:
    """Return the schedule proper, without a warm-up."""
    return build(name, warmup_steps=0, **changes)


def curve(schedule: Schedule, total: int, per_epoch: int) -> list[float]:
    return [schedule(step, total, per_epoch) for step in range(total + 1)]


WARMUPS = st.fixed_dictionaries(
    {
        "warmup_steps": st.one_of(st.none(), st.integers(0, 90)),
        "warmup_epochs": st.floats(0, 6),
        "warmup_shape": st.sampled_from(WARMUP_SHAPES),
        "warmup_start": st.floats(1e-6, 1),
    }
)
RUNS = st.tuples(st.integers(0, 100), st.integers(1, 12))
every = pytest.mark.parametrize("name", NAMES)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_keys_are_the_parameters_and_floats_are_floats(path: Path) -> None:
    section = yaml.safe_load(path.read_text())
    parameters = inspect.signature(pkgutil.resolve_name(section.pop("_target_"))).parameters
    assert set(section) == set(parameters)
    for key, value in section.items():
        default = parameters[key].default
        # An annotation such as `float | None`, with None as the default, says nothing of a value.
        if default is not None and value is not None and not isinstance(value, list):
            assert type(value) is type(default) or key == "step_size", key


@every
@given(warmup=WARMUPS, run=RUNS)
@example(warmup={}, run=(0, 1))
@example(warmup={}, run=(1, 1))
@example(warmup={}, run=(2, 1))
@example(warmup={"warmup_steps": 1000}, run=(20, 5))
def test_factors_lie_between_0_and_1(name: str, warmup: Any, run: tuple[int, int]) -> None:
    schedule = build(name, **warmup)
    factors = curve(schedule, *run)
    assert all(0 <= f <= 1 for f in factors)
    # Every step of a run moves; only the end, which no step uses, may be 0.
    assert all(f > 0 for f in factors[:-1])


@every
@given(warmup=WARMUPS, run=RUNS)
def test_momentum_is_none_or_from_0_to_below_1(
    name: str, warmup: Any, run: tuple[int, int]
) -> None:
    schedule = build(name, **warmup)
    for step in range(run[0] + 1):
        momentum = schedule.momentum(step, *run)
        assert momentum is None or 0 <= momentum < 1


@every
@given(warmup=WARMUPS, run=RUNS, data=st.data())
def test_a_run_resumed_at_any_step_goes_on_alike(
    name: str, warmup: Any, run: tuple[int, int], data: st.DataObject
) -> None:
    schedule = build(name, **warmup)
    whole = [(schedule(t, *run), schedule.momentum(t, *run)) for t in range(run[0] + 1)]
    resumed_at = data.draw(st.integers(0, run[0]))
    fresh = build(name, **warmup)
    again = [(fresh(t, *run), fresh.momentum(t, *run)) for t in range(resumed_at, run[0] + 1)]
    assert again == whole[resumed_at:]


@every
@given(warmup=WARMUPS, run=RUNS)
def test_a_warm_up_rises_onto_the_start_of_the_schedule(
    name: str, warmup: Any, run: tuple[int, int]
) -> None:
    schedule = build(name, **warmup)
    total, per_epoch = run
    steps = schedule.warmup(per_epoch)
    shape, start = schedule.warmup_shape, schedule.warmup_start
    rest = total if schedule.counts_warmup else total - steps
    peak = schedule.factor(0, rest, per_epoch)
    ramp = [schedule(step, total, per_epoch) for step in range(min(steps, total))]
    if shape == "linear":
        expected = [(t + 1) / (steps + 1) for t in range(len(ramp))]
    elif shape == "constant":
        expected = [start] * len(ramp)
    else:
        expected = [math.exp(math.log(start) * (steps - t) / steps) for t in range(len(ramp))]
    assert ramp == pytest.approx([peak * r for r in expected], rel=1e-12)
    assert all(a <= b * (1 + 1e-12) for a, b in itertools.pairwise(ramp))


@every
@pytest.mark.parametrize("total", [10**6, 10**9])
def test_factors_of_runs_of_many_steps_lie_between_0_and_1(name: str, total: int) -> None:
    schedule = build(name)
    per_epoch = total // 300
    places = [0, 1, total // 3, total // 2, total - 2, total - 1, total]
    factors = [schedule(step, total, per_epoch) for step in places]
    assert all(0 <= f <= 1 for f in factors)
    start = bare(name)(0, total, per_epoch)
    assert start == 1 or name == "one_cycle"


E_FOLD = 0.95
# What each claims of its defaults without a warm-up: f(0), f(T), and the largest change per step;
# T is the number of steps and E those of an epoch. None: it jumps.
Claim = tuple[float, Callable[[int, int], float], Callable[[int, int], float] | None]
CLAIMS: dict[str, Claim] = {
    "constant": (1, lambda T, E: 1, lambda T, E: 0),
    "cosine": (1, lambda T, E: 0, lambda T, E: math.pi / 2 / T),
    "cosine_restarts": (1, lambda T, E: 1, None),
    "exponential": (1, lambda T, E: E_FOLD ** (T / E), lambda T, E: 1 - E_FOLD ** (1 / E)),
    "inverse_sqrt": (1, lambda T, E: (T + 1) ** -0.5, lambda T, E: 1 - 0.5**0.5),
    "inverse_time": (1, lambda T, E: 1 / (T + 1), lambda T, E: 0.5),
    "linear": (1, lambda T, E: 0, lambda T, E: 1 / T),
    "one_cycle": (0.04, lambda T, E: 4e-6, lambda T, E: math.pi / 2 / (0.3 * T - 1)),
    "plateau": (1, lambda T, E: 1, lambda T, E: 0),
    "polynomial": (1, lambda T, E: 0, lambda T, E: 2 / T),
    "step": (1, lambda T, E: 0.1 ** (T // (10 * E)), None),
    "wsd": (1, lambda T, E: 0, lambda T, E: 1 / round(0.2 * T)),
}


@pytest.mark.parametrize("name", CLAIMS)
@given(total=st.integers(20, 100).map(lambda n: 4 * n), per_epoch=st.integers(1, 40))
def test_ends_and_largest_change(name: str, total: int, per_epoch: int) -> None:
    first, last, change = CLAIMS[name]
    factors = curve(bare(name), total, per_epoch)
    assert factors[0] == pytest.approx(first, rel=1e-12)
    assert factors[-1] == pytest.approx(last(total, per_epoch), rel=1e-9, abs=1e-15)
    if change is not None:
        changes = [abs(b - a) for a, b in itertools.pairwise(factors)]
        assert max(changes) <= change(total, per_epoch) + 1e-12


def test_claims_are_about_schedules_that_exist() -> None:
    assert set(CLAIMS) <= set(NAMES)
