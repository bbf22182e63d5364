"""Batches that are copied to a GPU while the step before them runs."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor


def copied_ahead(
    batches: Iterable[Tensor], ready: Callable[[Tensor], Tensor], device: torch.device
) -> Iterator[Tensor]:
    """Yield ``ready(batch)`` for every batch, in order; the next one is on its way meanwhile.

    What is queued by ``ready`` (a copy that does not block, from pinned memory, and what makes
    numbers of it) runs on a stream of its own, for which the stream of the steps waits when it is
    handed the batch, and not before.

    Args:
        batches: Batches on the host; each is asked for a turn before it is yielded.
        ready: Copies a batch to the device and makes it what the model takes.
        device: A CUDA device.
    """
    copies = torch.cuda.Stream(device)
    coming: tuple[Tensor, Any] | None = None
    for batch in batches:
        with torch.cuda.stream(copies):
            started = ready(batch), copies.record_event()
        if coming is not None:
            yield _arrived(*coming, device)
        coming = started
    if coming is not None:
        yield _arrived(*coming, device)


def _arrived(batch: Tensor, copied: Any, device: torch.device) -> Tensor:
    steps = torch.cuda.current_stream(device)
    steps.wait_event(copied)
    batch.record_stream(steps)  # its memory is not given to the next copy before they are through
    return batch
