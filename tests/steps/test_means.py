"""Averages of workers, simulated and by processes, against sums written by hand."""

import math
import threading
from collections import defaultdict
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist

from sgdlab.steps.local import LocalUpdate, Replica
from sgdlab.steps.means import mean_of
from sgdlab.steps.ranks import Ranks
from sgdlab.steps.worker import WorkerUpdate

INF = math.inf


class Table:
    """Where processes, which are threads here, put down what each of them has."""

    def __init__(self, size: int) -> None:
        self.size, self._held = size, [None] * size
        self._barrier = threading.Barrier(size, timeout=20)

    def exchange(self, rank: int, value):
        self._held[rank] = value
        self._barrier.wait()
        found = list(self._held)
        self._barrier.wait()
        return found


class Seat:
    """Stands in for `sgdlab.steps.ranks.Ranks`, one process of those at a table."""

    def __init__(self, table: Table, rank: int) -> None:
        self._table, self._rank, self.size = table, rank, table.size

    def gather(self, value):
        return self._table.exchange(self._rank, value)

    def total(self, own: float) -> float:
        return sum(self.gather(own))

    def means(self, tensors, weight: float):
        every = self.gather([t * weight for t in tensors])
        return [sum(column) for column in zip(*every, strict=True)]

    def largest(self, tensors):
        every = self.gather([t.clone() for t in tensors])
        return [torch.stack(column).amax(0) for column in zip(*every, strict=True)]


def simulated(p, states: list[dict], examples: list[float]) -> list[dict]:
    update = LocalUpdate(None, None, len(states), 1, 1)  # type: ignore[arg-type]
    update._replicas = [
        Replica([], [], defaultdict(dict, {p: state} if state else {}), seen)
        for state, seen in zip(states, examples, strict=True)
    ]
    update._average_states()
    return [dict(replica.state[p]) for replica in update._replicas]


def by_processes(p, states: list[dict], examples: list[float]) -> list[dict]:
    table, found = Table(len(states)), [{} for _ in states]

    def work(rank: int) -> None:
        objective = SimpleNamespace(parameters=[p], ranks=Seat(table, rank))
        state = defaultdict(dict, {p: states[rank]} if states[rank] else {})
        update = WorkerUpdate(objective, SimpleNamespace(state=state), 1)  # type: ignore[arg-type]
        update._average_states(update._weight(examples[rank]))
        found[rank] = dict(state[p])

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(len(states))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    return found


def vector(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def three_workers() -> list[dict]:
    """States of three workers; the third has seen no example and remembers nothing."""
    first = {"step": 4, "count": torch.tensor(4.0), "m": vector(1, 2), "kind": "a", "late": None}
    second = {"step": 7, "count": torch.tensor(7.0), "m": vector(5, 6), "kind": "b",
              "late": vector(4, 8), "rate": 0.5, "loss": torch.tensor(-2.0)}  # fmt: skip
    return [first, second, {}]


@pytest.mark.parametrize("averaged", [simulated, by_processes])
def test_workers_go_on_with_all_keys_and_the_largest_counter(averaged) -> None:
    """Weights 1/4 and 3/4: a mean counts zeros where a worker has none yet, as for momenta."""
    p = torch.zeros(2, dtype=torch.float64)
    found = averaged(p, three_workers(), [1.0, 3.0, 0.0])
    for state in found:
        assert {key: state[key] for key in ("step", "kind", "rate")} == {
            "step": 7, "kind": "a", "rate": 0.5,
        }  # fmt: skip
        assert state["count"] == 7
        assert state["loss"] == -2
        assert state["m"].tolist() == [4, 5]
        assert state["late"].tolist() == [3, 6]
        assert len(state) == 7


@pytest.mark.parametrize("averaged", [simulated, by_processes])
def test_a_worker_without_examples_has_no_word_in_counters(averaged) -> None:
    """A product of momenta falls: the largest would be that of the worker that stood still."""
    p = torch.zeros(2)
    states = [{"mu": torch.tensor(each), "step": step} for each, step in ((0.5, 9), (0.9, 8))]
    found = averaged(p, states, [2.0, 0.0])
    assert [(float(state["mu"]), state["step"]) for state in found] == [(0.5, 9)] * 2


@pytest.mark.parametrize("averaged", [simulated, by_processes])
def test_workers_of_which_none_counts_are_averaged_alike(averaged) -> None:
    states = [{"m": vector(1, 2)}, {"m": vector(3, 6)}]
    found = averaged(torch.zeros(2), states, [0.0, 0.0])
    assert [state["m"].tolist() for state in found] == [[2, 4]] * 2


def test_means_of_infinite_and_complex_values_and_of_whole_numbers() -> None:
    mask = torch.tensor([0.0, -INF])
    assert mean_of([mask, mask, mask], [0.5, 0.5, 0.0]).tolist() == [0.0, -INF]
    turns = [torch.tensor([1 + 2j]), torch.tensor([3j])]
    assert mean_of(turns, [0.25, 0.75]).tolist() == [0.25 + 2.75j]
    for dtype in (torch.bool, torch.uint8, torch.int16):
        values = [torch.tensor(each, dtype=dtype) for each in ([0, 1, 0], [0, 0, 1])]
        assert mean_of(values, [0.5, 0.5]).tolist() == [0, 1, 1]


@pytest.fixture
def alone():
    """Return the ranks of a group of one process, over gloo in this one."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    group = dist.group.WORLD
    yield Ranks(group, group, None, RuntimeError)  # type: ignore[arg-type]
    dist.destroy_process_group()


def test_a_process_of_no_weight_adds_nothing_though_its_mask_is_infinite(alone: Ranks) -> None:
    tensors = [torch.tensor([1.0, -INF]), torch.tensor([1j]), torch.tensor([True, False])]
    assert [t.tolist() for t in alone.means(tensors, 1.0)] == [t.tolist() for t in tensors]
    none = alone.means(tensors, 0.0)
    assert [t.tolist() for t in none] == [[0, 0], [0], [True, False]]


@pytest.mark.parametrize("dtype", [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int64])
def test_the_largest_of_whole_numbers_of_every_size(alone: Ranks, dtype: torch.dtype) -> None:
    own = torch.tensor([0, 1, 1], dtype=dtype)
    (found,) = alone.largest([own])
    assert torch.equal(found, own)
    assert found.dtype == dtype
