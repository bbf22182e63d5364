"""Compiled updates, where a compiler is at hand."""

import threading
from typing import Any

import torch

from sgdlab.stacked.stack import Advance
from sgdlab.terminal.notices import warn


class Compiler:
    """Compiles the updates of stacks of one group, whole updates of full batches only.

    The last update of an epoch may be smaller, and would have to be compiled for itself. Where no
    compiler is installed, or it fails, the same update runs uncompiled. Threads share what is
    compiled, and wait while one of them compiles.

    Args:
        batch_size: The examples of a whole micro-batch.
        accumulate: The micro-batches of a whole update.
    """

    def __init__(self, batch_size: int, accumulate: int) -> None:
        self._batch_size, self._accumulate = batch_size, accumulate
        self._known: dict[tuple[int, ...], Any] = {}
        self._works = True
        self._lock = threading.Lock()
        self._sizes: set[int] = set()

    def __call__(self, advance: Advance, class_of: list[int]) -> Advance:
        """Return the compiled form of an update.

        Args:
            advance: The update; those that differ in ``class_of`` only share their code.
            class_of: The class of coefficients of each parameter.
        """
        key = tuple(class_of)
        if key not in self._known:
            self._known[key] = torch.compile(advance, dynamic=False)
        compiled = self._known[key]

        def run(*arguments: Any) -> Any:
            params, _, micros, *_ = arguments
            whole = [len(x[0]) for x, _, _ in micros] == [self._batch_size] * self._accumulate
            if not (whole and self._works):
                return advance(*arguments)
            size = len(params[0])
            try:
                if size in self._sizes:
                    return compiled(*arguments)
                with self._lock:
                    result = compiled(*arguments)
                    self._sizes.add(size)
                    return result
            except Exception as error:
                self._works = False
                line = next(iter(str(error).strip().splitlines()), type(error).__name__)
                warn(f"stacked.compile: {type(error).__name__}: {line}; going on uncompiled")
                return advance(*arguments)

        return run
