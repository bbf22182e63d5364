"""How many threads a run on CPU uses."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sgdlab import signals
from sgdlab.datasets.rows import take
from sgdlab.models.outputs import outputs_of
from sgdlab.training.build import Run

# Measured on 2 cores, MLPs and CNNs of 1 to 220 MFLOP: below this, two threads gain at most a
# fifth on an idle machine, and on a busy one they wait for each other, up to 30 times longer.
SMALL = 50_000_000


def threads_for(run: Run, asked: int | None) -> int:
    """Return ``threads`` of the config, or what suits the size of the model.

    A run whose forward pass of one micro-batch takes under 50 million floating-point operations
    gets one thread, any other torch's default. The choice depends on the config alone, never on
    the load of the machine, since sums of another number of threads differ in the last bits.
    """
    if asked is not None:
        return asked
    default = torch.get_num_threads()
    if run.device.type != "cpu" or default == 1:
        return default
    operations = forward_operations(run.model, run.data.train.x)
    if operations is None:
        return default
    return 1 if operations * run.plan.batch_size < SMALL else default


@contextlib.contextmanager
def on_threads(count: int) -> Iterator[None]:
    """Use so many threads of torch inside."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def forward_operations(model: nn.Module, x: Any) -> int | None:
    """Return the floating-point operations of a forward pass of one example, if it can run."""
    by_kind = operations_by_kind(model, x)
    return None if by_kind is None else sum(by_kind.values())


def operations_by_kind(model: nn.Module, x: Any) -> dict[str, int] | None:
    """Return the floating-point operations of a forward pass of one example, by torch's operator.

    None for a model that cannot run: it says so in its first step, with its traceback.

    Args:
        model: The model, which is counted in evaluation mode and left in its own.
        x: The inputs ``[examples, ...]``, or a mapping of them.
    """
    training = model.training
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            outputs_of(model.eval(), take(x, slice(1)))
    except BaseException as error:
        if signals.is_real(error):
            raise
        return None
    finally:
        model.train(training)
    return {str(kind): n for kind, n in counter.get_flop_counts().get("Global", {}).items()}
