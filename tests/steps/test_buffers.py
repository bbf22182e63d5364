"""What becomes of a model's buffers between a server and its workers."""

import queue
import threading
from itertools import starmap

import pytest
import torch
from torch import nn

from sgdlab.steps.buffers import take_change
from sgdlab.steps.server import ServerUpdate, work_for
from sgdlab.training.build import build_run
from trainer_runs import config_of

INF, NAN = float("inf"), float("nan")
SETTINGS = ("model=linear", "dtype=float64", "optimizer=momentum", "batch_size=32", "max_steps=5")


@pytest.mark.parametrize(
    ("dtype", "own", "before", "after", "expected"),
    [
        # Untouched, added to, taken over where nothing came meanwhile.
        (torch.float64, [1.0, 1.0, 0.1], [2.0, 2.0, 0.1], [2.0, 2.5, 0.7], [1.0, 1.5, 0.7]),
        (torch.float32, [-INF, 3.0, NAN], [-INF, INF, NAN], [-INF, 2.0, NAN], [-INF, 2.0, NAN]),
        (torch.float64, [4.0, INF, 1.0], [1.0, INF, 1.0], [INF, 2.0, NAN], [INF, 2.0, NAN]),
        (torch.complex64, [1j, 2.0, 3.0], [1.0, 1.0, 3.0], [1.0, 1j, 4j], [1j, 1 + 1j, 4j]),
        (torch.int64, [7, 7, 7], [5, 5, 7], [5, 6, 8], [7, 8, 8]),
        (torch.int16, [7, 7, 7], [5, 5, 7], [5, 3, 8], [7, 5, 8]),
        (torch.uint8, [7, 7, 7], [5, 5, 7], [5, 3, 8], [7, 5, 8]),  # 3 - 5 wraps, and back
        (torch.uint16, [7, 7, 7], [5, 5, 7], [5, 3, 8], [7, 3, 8]),
        (torch.float8_e5m2, [1.0, 1.0, 1.0], [2.0, 2.0, 1.0], [2.0, 4.0, 0.5], [1.0, 4.0, 0.5]),
        (torch.bool, [True, False, True], [False, False, True], [False, True, False], [1, 1, 0]),
    ],
)  # fmt: skip
def test_changes_of_two_workers_both_count(dtype, own, before, after, expected) -> None:
    own, before, after, expected = (
        torch.tensor(each, dtype=dtype) for each in (own, before, after, expected)
    )
    take_change(own, before, after)
    pairs = zip(own.tolist(), expected.tolist(), strict=True)
    assert all(starmap(lambda a, b: a == b or (a != a and b != b), pairs)), own


class Masked(nn.Module):
    """A linear model with buffers of many types, some of which its forward passes change."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(64, 10)
        future = torch.ones(10, 10, dtype=torch.bool).triu(1)
        self.register_buffer("mask", future)
        self.register_buffer("bias", torch.zeros(10, 10).masked_fill(future, -INF))
        self.register_buffer("rotation", torch.polar(torch.ones(3), torch.arange(3.0)))
        self.register_buffer("smallest", torch.tensor(INF))
        self.register_buffer("seen", torch.zeros(10, dtype=torch.bool))
        self.register_buffer("passes", torch.tensor(0, dtype=torch.uint8))
        self.register_buffer("turn", torch.tensor(1 + 0j))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out = self.inner(x.flatten(1))
        if self.training:
            self.smallest.copy_(torch.minimum(self.smallest, out.detach().min()))
            self.seen[int(out.detach().mean(0).argmax())] = True
            self.passes.add_(1)
            self.turn.mul_(1j)
        return out + self.bias.exp().diagonal()


class Wire:
    """Stands in for `sgdlab.steps.ranks.Ranks` between a server and its one worker."""

    size = 2

    def __init__(self, out: queue.Queue, back: queue.Queue) -> None:
        self.out, self.back = out, back

    def send(self, tensor: torch.Tensor, to: int) -> None:
        self.out.put(tensor.detach().clone())

    def receive(self, tensor: torch.Tensor, sender: int) -> torch.Tensor:
        return tensor.copy_(self.back.get(timeout=20))

    def receive_any(self, tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
        return self.receive(tensor, 1), 1

    def whole(self, value: torch.Tensor) -> torch.Tensor:
        return value


def masked_run():
    torch.manual_seed(0)
    return build_run(config_of(*SETTINGS), Masked().double())


def test_a_server_with_one_worker_has_the_buffers_of_the_ordinary_run() -> None:
    """Masks of bool and minus infinity, complex and small whole numbers, a running minimum."""
    plain, server, worker = masked_run(), masked_run(), masked_run()
    down, up = queue.Queue(), queue.Queue()
    server.objective.ranks = Wire(down, up)
    update = ServerUpdate(server.objective, server.optimizer, False, None, total=5)
    busy = threading.Thread(
        target=work_for, args=(Wire(up, down), worker.objective, worker.batches_of), daemon=True
    )
    busy.start()
    for step in range(5):
        expected = plain.update.step(step, plain.batches_of(step), 0.05, None)
        found = update.step(step, [], 0.05, None)
        torch.testing.assert_close(found.loss, expected.loss)
    update.end()
    busy.join(timeout=20)
    assert not busy.is_alive()
    assert plain.model.passes == 5
    assert torch.isfinite(plain.model.smallest)
    own, others = server.model.state_dict(), plain.model.state_dict()
    for name, value in others.items():
        torch.testing.assert_close(own[name], value, rtol=0, atol=1e-12, msg=name)
