"""Gradients of the single examples of an update."""

import contextlib
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap  # pyright: ignore[reportPrivateImportUsage]
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from sgdlab.diagnostics.base import Moment, Subject
from sgdlab.diagnostics.placed import placed
from sgdlab.errors import InputError
from sgdlab.models.outputs import logits_in
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.precision import autocast
from sgdlab.steps.streams import draw_state

CHUNK = 2**23
"""Numbers that one chunk of gradients has at most, unless one example has more."""


class Moments(NamedTuple):
    """Mean and variance (normalised by ``n - 1``) over the examples, by coordinate, ``[d]``."""

    mean: Tensor
    variance: Tensor


class PerExample:
    """``∇ℓ_i(θ)`` for every example ``i`` of an update, at the parameters before it.

    Their mean is the gradient of the update, where examples do not depend on each other.

    - Dropout: every example has a mask of its own, as in the step, but not the same one.
    - Batch norm in training: the loss of one example depends on the others. The statistics of its
      micro-batch are held fixed, so outputs are those of the step, and what a gradient passes on
      through the statistics is left out.

    Computed for many examples at once (`torch.func.vmap`), or one by one for a model with
    operations that cannot be vectorised.

    Args:
        subject: The run that is looked at; its model stays as it is.
        moment: The update.
    """

    def __init__(self, subject: Subject, moment: Moment) -> None:
        self._subject = subject
        self._moment = moment
        self.count = sum(len(batch.y) for batch in moment.update)
        """How many examples the update has."""

    def chunks(self) -> Iterator[Tensor]:
        """Yield the gradients in the order of the examples, ``[k, d]`` at a time.

        Together they may need more memory than there is.
        """
        model, size = self._subject.model, self._moment.start.numel()
        random_state = self._moment.random_state
        for batch in self._moment.update:
            statistics = self._statistics(batch.x)
            for part in batch.batches(max(1, CHUNK // size)):
                with undisturbed(model, random_state, self._subject.loss.module), _frozen(model):
                    found = self._gradients(part.x, part.y, statistics)
                    random_state = draw_state()
                yield found

    def moments(self) -> Moments:
        """Return mean and variance over the examples; of a single one the variance is NaN."""
        chunks = self.chunks()
        first = next(chunks)
        # Deviations from a value near the mean: sums of squares would drown a small variance.
        origin = first.mean(0)
        total, squares = torch.zeros_like(origin), torch.zeros_like(origin)
        for chunk in itertools.chain([first], chunks):
            deviations = chunk - origin
            total += deviations.sum(0)
            squares += deviations.square_().sum(0)
        shift = total / self.count
        variance = (squares - total * shift).clamp_(min=0.0) / (self.count - 1 or torch.nan)
        return Moments(origin + shift, variance)

    def _gradients(self, x: Tensor, y: Tensor, statistics: dict[str, Tensor]) -> Tensor:
        subject = self._subject

        def loss(parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
            with autocast(x.device, subject.half_of_gradients):
                found = functional_call(subject.model, (parameters, statistics), (x[None],))
                output = logits_in(found)
                return subject.loss(output, y[None])

        parameters = dict(zip(subject.names, self._moment.before, strict=True))
        one = grad(loss)
        try:
            # The fused kernels of attention would be called example by example.
            with sdpa_kernel(SDPBackend.MATH):
                found = vmap(one, in_dims=(None, 0, 0), randomness="different")(parameters, x, y)
        except Exception:  # whatever it is, one by one says it as it is
            each = [one(parameters, *pair) for pair in zip(x, y, strict=True)]
            found = {name: torch.stack([g[name] for g in each]) for name in parameters}
        return torch.cat([found[name].flatten(1) for name in parameters], dim=1)

    def _statistics(self, x: Tensor) -> dict[str, Tensor]:
        """Return the batch statistics of a micro-batch as running statistics, by name."""
        found: dict[str, Tensor] = {}
        model, moment = self._subject.model, self._moment

        def note(name: str, values: Tensor) -> None:
            values = values.to(moment.start.dtype)  # autocast has halved its precision
            dims = [d for d in range(values.dim()) if d != 1]
            found[f"{name}.running_mean"] = values.mean(dims)
            found[f"{name}.running_var"] = values.var(dims, correction=0)

        hooks = [
            module.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs[0]))
            for name, module in model.named_modules()
            if _uses_batch(module)
        ]
        if not hooks:
            return found
        try:
            with (
                torch.no_grad(),
                autocast(x.device, self._subject.half),
                undisturbed(model, moment.random_state, self._subject.loss.module),
                placed(self._subject.parameters, moment.before),
            ):
                model(x)
        finally:
            for hook in hooks:
                hook.remove()
        return found


def require_running_statistics(model: nn.Module) -> None:
    """Refuse batch norm that is never without a batch.

    Raises:
        InputError: Names the module.
    """
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and module.running_mean is None:
            raise InputError(
                f"diagnostics: {name} has track_running_stats=False, so the loss of one example is "
                "not defined; diagnostics=business needs none"
            )


def _uses_batch(module: nn.Module) -> bool:
    return isinstance(module, _BatchNorm) and module.training


@contextlib.contextmanager
def _frozen(model: nn.Module) -> Iterator[None]:
    """Let batch norm use given statistics, and change none."""
    switched = [module for module in model.modules() if _uses_batch(module)]
    for module in switched:
        module.training = False
    try:
        yield
    finally:
        for module in switched:
            module.training = True
