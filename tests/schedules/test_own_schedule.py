"""A user's own callable, made a schedule by `as_schedule`."""

import pytest

from sgdlab.schedules.base import as_schedule
from sgdlab.schedules.cosine import Cosine


def halves(step: int, total_steps: int, steps_per_epoch: int) -> float:
    return 0.5**step


class Follower:
    """Halves the rate at each loss; has what the stateful schedules of sgdlab have."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        return 0.5**self.seen

    def momentum(self, step: int, total_steps: int, steps_per_epoch: int) -> float:
        return 0.9

    def warmup(self, steps_per_epoch: int) -> int:
        return 2 * steps_per_epoch

    def observe(self, value: float | None) -> None:
        self.seen += 1

    def state_dict(self) -> dict[str, int]:
        return {"seen": self.seen}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.seen = state["seen"]


def test_a_schedule_of_ours_stays_the_same_object():
    schedule = Cosine()
    assert as_schedule(schedule) is schedule
    assert not schedule.observes


def test_a_plain_function_has_neither_momentum_nor_warm_up_nor_state():
    schedule = as_schedule(halves)
    assert schedule(2, 10, 5) == schedule.factor(2, 10, 5) == 0.25
    assert schedule.momentum(2, 10, 5) is None
    assert schedule.warmup(5) == 0
    assert not schedule.observes
    schedule.observe(1.0)
    schedule.load_state_dict(schedule.state_dict())
    assert schedule.state_dict() == {}


def test_what_the_callable_has_is_asked_of_it():
    schedule, resumed = as_schedule(Follower()), as_schedule(Follower())
    assert schedule.observes
    schedule.observe(1.0)
    resumed.load_state_dict(schedule.state_dict())
    assert resumed(0, 10, 5) == 0.5
    assert schedule.momentum(0, 10, 5) == pytest.approx(0.9)
    assert schedule.warmup(5) == 10
