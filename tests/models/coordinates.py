"""The coordinate check: does the size of a network's activations depend on its width?

The test of a parametrization (Yang et al. 2022, appendix D.1): train networks of several widths
for a few steps and look at a typical coordinate of every layer's output. Under μP
(`sgdlab.parametrization`) it is as large in a wide network as in a narrow one. In the standard
parametrization it grows with the width from the first update on, at a learning rate that is
right for the narrow one.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn

from sgdlab.results import Cell
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run
from sgdlab.training.loop import fit


class _Nowhere:
    def steps(self, rows: Any, /) -> None: ...

    def evaluation(self, row: tuple[Cell, ...], /) -> None: ...


def activation_scales(run: Run) -> dict[str, list[float]]:
    """Train a run, and return how large the outputs of its linear layers were.

    Args:
        run: Of a few steps, each with one forward pass; it is trained.

    Returns:
        By the name of the layer, in their order: for each step the root mean square over the
        examples of its batch and the units, at the parameters before the update.
    """
    scales: dict[str, list[float]] = {}

    def listen(layer: nn.Module, name: str) -> Any:
        def note(_: nn.Module, inputs: Any, output: Tensor) -> None:
            if run.model.training:  # so not while it is evaluated
                scales.setdefault(name, []).append(math.sqrt(output.detach().square().mean()))

        return layer.register_forward_hook(note)

    linear = {n: m for n, m in run.model.named_modules() if isinstance(m, nn.Linear)}
    handles = [listen(layer, name) for name, layer in linear.items()]
    try:
        fit(run, _Nowhere(), NoDisplay())
    finally:
        for handle in handles:
            handle.remove()
    return scales


def coordinate_check(runs: Mapping[int, Run]) -> dict[str, list[float]]:
    """Return how the scale of activations depends on the width: 0 if not at all.

    Args:
        runs: By width, at least two; the same but for it. They are trained.

    Returns:
        By the name of the layer: for each step the slope of log(scale) against log(width), by
        least squares. Under μP about 0 at every step. Only the outputs at initialisation fall with
        the width, down to their bias: weights and features are independent there, which the first
        update ends.
    """
    scales = {width: activation_scales(run) for width, run in runs.items()}
    layers = next(iter(scales.values()))
    return {name: _slopes({w: found[name] for w, found in scales.items()}) for name in layers}


def _slopes(scales: Mapping[int, Sequence[float]]) -> list[float]:
    widths = np.log(list(scales))
    logs = np.log(np.array(list(scales.values())))
    return [float(slope) for slope in np.polyfit(widths, logs, 1)[0]]
