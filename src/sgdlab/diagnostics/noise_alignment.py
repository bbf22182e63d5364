"""How much more curved the loss is where the gradients' noise points."""

import torch
from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.curvature import (
    check_settings,
    curvature,
    examples_of,
    probe,
    rademacher,
)
from sgdlab.diagnostics.hessian_trace import trace_of


class NoiseAlignment(Quantity):
    """The curvature along the gradients' noise over that along noise without direction.

    With Hessian ``H``, covariance ``Σ`` of single examples' gradients and ``d`` parameters::

        noise_alignment = Tr(HΣ) / Tr(H·Σ̄),  Σ̄ = (trΣ/d)·I
                        = d·Tr(HΣ) / (TrH·trΣ)

    1 for isotropic noise; far above 1 in networks, where noise lies along sharp directions and so
    leaves sharp minima (Zhu et al. 2019). ``d`` at most, when all of both lies in one direction.

    With random signs ``s`` the direction ``q = Σ_i s_i·(g_i - ḡ)`` has ``E[qᵀHq] = n·Tr(HΣ)`` and
    ``E[qᵀq] = n·trΣ``, and costs one backward pass: so a product and a pass per probe, instead of
    one per example. The quotient of the two sums over the probes takes the place of
    ``Tr(HΣ)/trΣ``. ``TrH`` is that of `HessianTrace`, which see. With the one probe of the default
    a value is good to a factor of about two: look at the average over rows, or ask for more.

    Gradients and Hessian are those of the same examples, with the model as in evaluation
    (`sgdlab.diagnostics.curvature`). NaN where ``TrH`` is not positive, or where there is no noise.

    Source: Zhu, Wu, Yu, Wu and Ma (2019), "The anisotropic noise in stochastic gradient descent",
    section 4.

    Args:
        examples: How many examples of the training split are used, from 1; None:
            `sgdlab.diagnostics.curvature.subset_size` decides.
        probes: The number of directions, from 1.

    Raises:
        InputError: A setting is out of its range.
    """

    uses = ("sharpness", "hessian_trace")

    def __init__(self, examples: int | None = None, probes: int = 1) -> None:
        key = "diagnostics.quantities.noise_alignment"
        check_settings(key, examples, probes=probes)
        self._asked = examples
        self._probes = probes

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the column; see `Quantity.begin`."""
        self._examples = examples_of(subject, self._asked)
        return ("noise_alignment",)

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the alignment, ``[1]``."""
        pairs = [noise_pair(subject, moment, self._examples, i) for i in range(self._probes)]
        along = sum(float(q.double() @ hq.double()) for q, hq in pairs)
        size = sum(float(q.double() @ q.double()) for q, _ in pairs)
        trace = trace_of(subject, moment, self._examples)
        here = curvature(subject, moment, self._examples)
        # What examples that do not differ leave is rounding of their gradients.
        rounding = (
            here.examples * torch.finfo(here.gradient.dtype).eps * float(here.gradient.norm())
        )
        usable = size > self._probes * rounding**2 and trace > 0
        value = len(moment.start) * along / (size * trace) if usable else float("nan")
        return torch.tensor([value], dtype=torch.float64)


def noise_pair(
    subject: Subject, moment: Moment, examples: int, index: int = 0
) -> tuple[Tensor, Tensor]:
    """Return a direction ``q`` of the gradients' noise and ``H·q``, the same to all who ask."""
    key = f"noise_pair.{examples}.{index}"
    if key not in moment.shared:
        here = curvature(subject, moment, examples)
        generator = probe(subject, f"noise.{index}", moment.step)
        signs = rademacher(here.examples, generator, here.gradient)
        q = here.noise(signs)
        moment.shared[key] = (q, here.product(q))
    return moment.shared[key]
