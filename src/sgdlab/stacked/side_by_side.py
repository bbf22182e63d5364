"""Stacks that train at once, each on a thread of its own."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import torch

from sgdlab.stacked.fit import interrupted


def run(tasks: Sequence[Callable[[], None]], at_once: int) -> None:
    """Run tasks without autograd, and return when all have ended.

    What one raises, Ctrl-C included, ends the others at their next block of steps.

    Args:
        tasks: None waits for another.
        at_once: Threads; with one, tasks run in turn in this thread.
    """
    if min(at_once, len(tasks)) <= 1:
        with torch.no_grad():
            for task in tasks:
                task()
        return
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(torch.no_grad()(task)) for task in tasks]
        try:
            for future in futures:
                future.result()
        except BaseException:
            interrupted.set()  # nobody else can end the other threads
            for future in futures:
                future.cancel()
            raise
        finally:
            wait(futures)
            interrupted.clear()
