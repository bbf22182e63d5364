"""Whether compiled code trains a run, and what is done where there is no compiler."""

import torch

from sgdlab.config.instantiate import is_out_of_memory
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.compiled import CompiledLoss
from sgdlab.steps.precision import autocast
from sgdlab.terminal.notices import warn
from sgdlab.training.build import Run
from sgdlab.training.threads import forward_operations

WORTH = 1e16
"""Floating-point operations from which ``compile=auto`` compiles on CUDA: minutes of a large GPU at
a third of its peak, against the minute that compiling takes. On CPU, where products fill most of a
step and the compiler calls the same ones, it never does."""

_ROUNDING = 1e-3, 0.05
"""How far the loss may be from the uncompiled one, of its size: in float32, in half precision."""


def compile_loss(run: Run, before: bool | None = None) -> None:
    """Let compiled code compute the gradients of a run, where it is asked for and works.

    Compiling and trying are no part of ``train_seconds``; neither parameters nor random streams
    are moved. Where the compiler is missing, fails, or gives another loss, a line says so and the
    run is trained as without it.

    Args:
        run: The run, on its device, at the weights that it goes on from.
        before: Whether the steps that a checkpoint has behind it were compiled, which
            ``compile=auto`` then follows: the last bits differ. None: there are none.
    """
    asked = run.config.compile if run.shards is None else False
    if asked == "auto":
        asked = _is_worth(run) if before is None else before
    if asked and (failure := _try(run)):
        run.objective.compiled = None
        warn(f"compile: {failure}; going on uncompiled")


def _is_worth(run: Run) -> bool:
    """Say whether a run on CUDA is long enough: three forward passes' operations a step."""
    if run.device.type != "cuda":
        return False
    one = forward_operations(run.model, run.data.train.x)
    return one is not None and 3 * one * run.plan.effective_batch_size * run.total_steps >= WORTH


def _try(run: Run) -> str | None:
    """Compile by a first batch, forward and backward; return what went wrong."""
    objective, size = run.objective, run.plan.batch_size
    # Code of the runs before is kept by torch up to a number of them, and then no more is compiled.
    torch.compiler.reset()
    run.model.train()
    objective.loss.train()
    try:
        objective.compiled = compiled = CompiledLoss(run.model, objective.loss, size)
        values: list[float] = []
        for loss_of in (compiled.of, lambda batch: objective.loss.of(run.model, batch)):
            with undisturbed(run.model, loss=objective.loss.module), torch.enable_grad():
                batch = run.changed(run.data.train.take(slice(size)))
                with autocast(run.device, objective.half):
                    loss = loss_of(batch)
                if not values:
                    torch.autograd.grad(loss.float(), objective.parameters, allow_unused=True)
                values.append(float(loss.detach()))
    except Exception as error:
        if is_out_of_memory(error):
            raise
        line = next(iter(str(error).strip().splitlines()), "")
        return f"{type(error).__name__}: {line}"
    off, most = abs(values[0] - values[1]), _ROUNDING[objective.half is not None]
    if off > most * max(abs(values[1]), 1e-3):
        return f"its loss is {values[0]:.6g}, and {values[1]:.6g} uncompiled"
    return None
