"""Products with the Hessian of the training loss, at the parameters before an update."""

import contextlib
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call  # pyright: ignore[reportPrivateImportUsage]
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from sgdlab.checks import require_number
from sgdlab.diagnostics.base import Moment, Subject, flat
from sgdlab.diagnostics.per_example import require_running_statistics
from sgdlab.errors import InputError
from sgdlab.models.outputs import logits_in
from sgdlab.steps.batches import stream_seed
from sgdlab.steps.closure import undisturbed
from sgdlab.steps.streams import forked

LEAST, MOST, LARGEST_BATCH = 128, 384, 2048
"""Examples of a subset that is chosen by itself; see `subset_size`."""

WORK = 10_000_000
"""Operations of a forward pass up to which a larger subset hardly takes longer."""


def subset_size(subject: Subject) -> int:
    """Return how many examples a Hessian is taken over when that is left open.

    As many as an update has (2,048 at most): a product then costs one and a half to two steps,
    whatever the model. At least 128; for small models up to 384, as far as a forward pass over
    them stays below 10 million operations, since such models are bound by the overhead of their
    operations. Never more than the training split has.
    """
    x = subject.data.train.x
    counter = FlopCounterMode(display=False)
    # Some models write to buffers in evaluation, too.
    with (
        undisturbed(subject.model, loss=subject.loss.module),
        evaluating(subject.model),
        torch.no_grad(),
        counter,
    ):
        subject.model(x[:1])
    small = WORK // max(1, counter.get_total_flops())
    batch = min(subject.effective_batch_size, LARGEST_BATCH)
    return min(len(x), max(LEAST, batch, min(MOST, small)))


def subset(subject: Subject, examples: int) -> Tensor:
    """Return the positions of the subset: evenly spaced in the training split, always the same.

    A split is in an order that its seed fixes, so that they are a random sample of the data.
    """
    total = len(subject.data.train.y)
    count = min(examples, total)
    return torch.arange(count, device=subject.data.train.y.device) * total // count


class Curvature:
    """The Hessian ``H`` of the mean loss over a set of examples at given parameters.

    The model is as in evaluation: no dropout, and batch norm with its running statistics, in the
    dtype of the parameters (no autocast). Parameters and buffers are copies; the model's own are
    not touched. The graph of the gradient is kept for all products, each of which is one backward
    pass through it (Pearlmutter 1994): about two gradients in time, three forward passes in memory.

    Args:
        subject: Has the model, the loss and the training data.
        parameters: The parameters to look at, in the subject's order.
        examples: The size of the subset of the training split; see `subset`.

    Attributes:
        gradient: The gradient of the same loss at the same place, ``[d]``.
    """

    def __init__(self, subject: Subject, parameters: Sequence[Tensor], examples: int) -> None:
        where = subset(subject, examples)
        x, self._y = subject.data.train.x[where], subject.data.train.y[where]
        self._loss = subject.loss
        # One leaf and one gradient: autograd looks at each tensor that it is given, and many small
        # ones take it as long as the products themselves.
        self._leaf = flat(parameters).requires_grad_()
        self._sizes = [p.numel() for p in parameters]
        buffers = {name: b.detach().clone() for name, b in subject.model.named_buffers()}
        # The fused kernels of attention cannot be differentiated twice.
        plain = sdpa_kernel(SDPBackend.MATH)
        with torch.enable_grad(), evaluating(subject.model), plain:
            parts = zip(self._leaf.split(self._sizes), parameters, strict=True)
            named = zip(subject.names, (v.view_as(p) for v, p in parts), strict=True)
            found = functional_call(subject.model, {**buffers, **dict(named)}, (x,))
            self._output = logits_in(found)
            loss = self._loss(self._output, self._y)
            (self._gradient,) = torch.autograd.grad(loss, self._leaf, create_graph=True)
        self.loss = loss.detach()
        self.gradient = self._gradient.detach()

    def product(self, v: Tensor) -> Tensor:
        """Return ``H·v`` for ``v [d]``."""
        if not self._gradient.requires_grad:  # constant, as that of a piecewise linear loss
            return torch.zeros_like(v)
        (hv,) = torch.autograd.grad(
            self._gradient, self._leaf, v,
            retain_graph=True, allow_unused=True, materialize_grads=True,
        )  # fmt: skip
        return hv

    def noise(self, signs: Tensor) -> Tensor:
        """Return ``Σ_i s_i·(∇ℓ_i - ∇L)`` for signs ``s [n]``, ``[d]``.

        With ``s̄`` their mean that is ``(1 - s̄)·Σ_+ ∇ℓ_i - (1 + s̄)·Σ_- ∇ℓ_i`` over the examples of
        either sign: two losses and one backward pass.
        """
        with torch.enable_grad():
            total = self._output.new_zeros(())
            for sign in (1, -1):
                where = signs == sign
                if where.any() and not where.all():
                    weight = (sign - signs.mean()) * where.sum()
                    total = total + weight * self._loss(self._output[where], self._y[where])
            if not total.requires_grad:
                return torch.zeros_like(self.gradient)
            (found,) = torch.autograd.grad(total, self._leaf, retain_graph=True)
        return found

    @property
    def examples(self) -> int:
        """How many examples the loss is a mean over."""
        return len(self._y)


def curvature(subject: Subject, moment: Moment, examples: int) -> Curvature:
    """Return the curvature before an update, the same object to all who ask for these examples."""
    key = f"curvature.{examples}"
    if key not in moment.shared:
        moment.shared[key] = Curvature(subject, moment.before, examples)
    return moment.shared[key]


def require_products(subject: Subject) -> None:
    """Refuse a model or loss whose gradient cannot be differentiated again.

    Raises:
        InputError: Says which operation is at fault.
    """
    require_running_statistics(subject.model)
    try:
        here = Curvature(subject, subject.parameters, 2)
        here.product(flat(subject.parameters))
        here.noise(rademacher(here.examples, probe(subject, "require", 0), here.gradient))
    except (RuntimeError, TypeError, AttributeError, LookupError) as error:
        text = " ".join(str(error).split())[:160]
        raise InputError(
            f"diagnostics: this model and loss have no second derivatives ({text}); "
            "diagnostics=business needs none"
        ) from error


def examples_of(subject: Subject, asked: int | None) -> int:
    """Return how many examples a quantity takes: as many as asked for, else `subset_size`.

    Raises:
        InputError: The gradient cannot be differentiated again.
    """
    if "subset_size" not in subject.shared:  # the same for every quantity of a run
        require_products(subject)
        subject.shared["subset_size"] = subset_size(subject)
    return asked or subject.shared["subset_size"]


def check_settings(
    key: str, examples: int | None, iterations: int = 1, tolerance: float = 0.0, probes: int = 1
) -> None:
    """Refuse settings that are out of their range.

    Args:
        key: The key of the quantity's section.
        examples: The size of the subset, from 1; None: it is left open.
        iterations: The number of steps of Lanczos, from 1.
        tolerance: The share of the eigenvalue at which Lanczos stops, from 0.
        probes: The number of random vectors, from 1.

    Raises:
        InputError: Says which and what would be right.
    """
    if examples is not None:
        require_number(f"{key}.examples", examples, 1)
    require_number(f"{key}.iterations", iterations, 1)
    require_number(f"{key}.tolerance", tolerance, 0)
    require_number(f"{key}.probes", probes, 1)


def probe(subject: Subject, name: str, index: int) -> torch.Generator:
    """Return a generator of its own, by seed, name and index: the run's streams stay untouched."""
    return torch.Generator().manual_seed(stream_seed(subject.seed, f"diagnostics.{name}", index))


def rademacher(size: int, generator: torch.Generator, like: Tensor) -> Tensor:
    """Return random signs ``[size]``."""
    return (torch.randint(2, (size,), generator=generator) * 2 - 1).to(like)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Have a model as in evaluation, without a trace in its modes or in the random streams."""
    modes = [(module, module.training) for module in model.modules()]
    devices = [p.device for p in model.parameters() if p.device.type == "cuda"][:1]
    try:
        model.eval()
        with forked(devices):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
