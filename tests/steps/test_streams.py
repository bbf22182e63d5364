"""The generators of a run: seeded inside, given back after, taken up from a checkpoint."""

# ruff: noqa: NPY002  (the legacy generator is what users draw from)

import random
import tempfile
from typing import Any

import numpy as np
import pytest
import torch

from sgdlab.steps import streams


def drawn() -> list[float]:
    """Draw from every kind of generator, seeded by nobody."""
    return [
        random.random(),
        random.Random().random(),
        float(np.random.rand()),
        float(np.random.default_rng().random()),
        float(np.random.RandomState().rand()),
        float(np.random.Generator(np.random.PCG64()).random()),
        float(torch.rand(())),
    ]


def test_what_is_drawn_follows_the_seed() -> None:
    with streams.seeded(3, devices=[]):
        one, other = drawn(), drawn()
    with streams.seeded(3, devices=[]):
        assert drawn() == one
    with streams.seeded(4, devices=[]):
        assert not set(drawn()) & set(one)
    assert not set(one) & set(other)


def test_python_and_numpy_draw_what_they_draw_by_themselves_at_a_seed() -> None:
    with streams.seeded(3, devices=[]):
        inside = random.random(), np.random.rand(), float(torch.rand(()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        by_torch = float(torch.rand(()))
    assert inside == (random.Random(3).random(), np.random.RandomState(3).rand(), by_torch)


class Devices:
    """Two CUDA devices, as far as their generators go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, used: bool) -> None:
        self.states = [torch.zeros(2, dtype=torch.uint8), torch.ones(2, dtype=torch.uint8)]
        self.asked: list[int] = []
        for name, value in {
            "is_available": lambda: True,
            "is_initialized": lambda: used,
            "device_count": lambda: 2,
            "get_rng_state": self.get,
            "set_rng_state": self.set,
            "get_rng_state_all": lambda: [self.get(0), self.get(1)],
            "set_rng_state_all": lambda states: [self.set(s, i) for i, s in enumerate(states)],
        }.items():
            monkeypatch.setattr(torch.cuda, name, value)

    def get(self, device: Any) -> torch.Tensor:
        index = device if isinstance(device, int) else torch.device(device).index
        self.asked.append(index)
        return self.states[index].clone()

    def set(self, state: torch.Tensor, device: Any) -> None:
        index = device if isinstance(device, int) else torch.device(device).index
        self.states[index] = state.clone()


def test_cuda_devices_count_once_the_process_uses_them(monkeypatch: pytest.MonkeyPatch) -> None:
    devices = Devices(monkeypatch, used=False)
    with streams.forked():
        streams.draw_state()
    assert devices.asked == []
    devices = Devices(monkeypatch, used=True)
    with streams.forked():
        state = streams.draw_state()
        devices.states[1] += 7
        changed = streams.draw_state()
        streams.put_back(state)
        assert devices.states[1].tolist() == [1, 1]
        streams.put_back(changed)
    assert devices.states[1].tolist() == [1, 1]


def test_names_of_temporary_files_move_no_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their generator is made once a process, in whatever thread asks first."""
    with streams.seeded(3, devices=[]):
        plain = drawn()
    monkeypatch.setattr(tempfile, "_name_sequence", None)
    with streams.seeded(3, devices=[]), tempfile.NamedTemporaryFile():
        assert drawn() == plain


def test_what_was_before_is_given_back() -> None:
    random.seed(1)
    np.random.seed(1)
    expected = [random.random() for _ in range(2)], np.random.rand(2).tolist()
    random.seed(1)
    np.random.seed(1)
    first = random.random(), float(np.random.rand())
    with streams.seeded(9, devices=[]):
        drawn()
    assert first == (expected[0][0], expected[1][0])
    assert (random.random(), float(np.random.rand())) == (expected[0][1], expected[1][1])
    assert random.Random().random() != random.Random().random(), "seeded by the system again"
    assert np.random.default_rng().random() != np.random.default_rng().random()


def test_a_checkpoint_takes_up_every_generator() -> None:
    class Owner:
        def __init__(self) -> None:
            self.numpy = np.random.default_rng()
            self.mersenne = np.random.Generator(np.random.MT19937(3))
            self.philox = np.random.Generator(np.random.Philox(3))
            self.old = np.random.RandomState()
            self.python = random.Random()
            self.torch = torch.Generator()

        def draws(self) -> list[float]:
            own = (self.numpy, self.mersenne, self.philox)
            return [
                *(float(g.normal()) for g in own),
                self.old.normal(),
                self.python.gauss(0, 1),
                float(torch.rand((), generator=self.torch)),
                *drawn()[:-1],
            ]

    with streams.seeded(5, devices=[]):
        owner = Owner()
        with streams.holding(streams.generators_in({"owner": owner})):
            owner.draws()
            text = streams.as_text()
            expected = owner.draws()
    with streams.seeded(6, devices=[]):
        other = Owner()
        with streams.holding(streams.generators_in({"owner": other})):
            streams.from_text(text)
            assert other.draws() == expected
