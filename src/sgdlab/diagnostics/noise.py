"""The noise of mini-batch gradients, from the gradients of single examples."""

from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.checks import require_number
from sgdlab.datasets.problem import Function
from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.diagnostics.dense_moments import dense_sums, is_dense
from sgdlab.diagnostics.per_example import Moments, PerExample, require_running_statistics


class Noise(Quantity):
    """How much of a gradient is signal, and the batch size up to which more examples help.

    With ``n`` examples of ``N`` in the update, ``ḡ`` the mean of their gradients and ``s²`` their
    variances (normalised by ``n - 1``), by coordinate ``j`` of ``d``::

        noise_trace = Σ_j s_j² = trΣ
        grad_snr    = mean over j of  ḡ_j²/s_j² - (1/n - 1/N)
        noise_scale = <trΣ> / <|ḡ|² - trΣ·(1/n - 1/N)>

    ``ḡ²`` of a batch is too large by the noise of its mean, ``s²·(1/n - 1/N)`` for batches drawn
    without replacement, as those of an epoch are; hence the corrections. ``grad_snr`` estimates
    the mean over all parameters of (true gradient)²/variance of one example, where there is any:
    near 0 (or below, by chance) a batch of ``n`` is mostly noise, near ``1/n`` half of what a
    coordinate gets is. ``noise_scale = trΣ/|G|²`` is the **critical batch size** in examples: from
    there on twice the batch saves at most a quarter of the steps. ``<>`` are exponential averages
    over the measurements, of numerator and denominator separately, since the quotient of one batch
    is biased and wild. NaN while ``|G|²`` comes out at or below 0: too much noise to tell.

    All are NaN for an update of one example. What dropout and batch norm mean here:
    `sgdlab.diagnostics.per_example`. A function whose noise is drawn for the batch
    (``dataset=noisy_quadratic``) has no gradients of single examples; its ``Σ`` is known, and ``N``
    infinite.

    `sgdlab.verify.estimators` estimates the same from squared norms at two batch sizes.

    Source: McCandlish, Kaplan, Amodei et al. (2018), "An empirical model of large-batch training";
    grad_snr: Liu, Jiang, Bai, Chen and Wang (2020), "Understanding why neural networks generalize
    well through GSNR of parameters".

    Args:
        decay: Factor of the averages from one measurement to the next, from 0 to below 1.

    Raises:
        InputError: ``decay`` outside its range.
    """

    def __init__(self, decay: float = 0.9) -> None:
        require_number("diagnostics.quantities.noise.decay", decay, 0, 1, open_high=True)
        self._decay = decay
        self._average = torch.zeros(2, dtype=torch.float64)

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return the columns; see `Quantity.begin`."""
        self._known = _known_variance(subject.model)
        self._dense = is_dense(subject)
        require_running_statistics(subject.model)
        self._average = torch.zeros(2, dtype=torch.float64, device=subject.parameters[0].device)
        return ("grad_snr", "noise_trace", "noise_scale")

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the values; see `Quantity.measure`."""
        count = sum(len(batch.y) for batch in moment.update)
        of_mean = 1 / count
        if self._known is None:
            mean, variance = self._moments(subject, moment)
            of_mean -= 1 / len(subject.data.train.y)
        else:
            mean, variance = Moments(moment.gradient, self._known)
        trace = variance.sum(dtype=torch.float64)
        square = mean.double().square().sum() - of_mean * trace
        now = torch.stack([trace, square])
        if now.isfinite().all():
            # Both start at 0 and with equal weights: their quotient needs no correction.
            self._average = self._decay * self._average + (1 - self._decay) * now
        above, below = self._average
        scale = torch.where(trace.isfinite() & (below > 0), above / below, torch.nan)
        # Variance below this is rounding: examples that do not differ have no ratio.
        square_of_mean = mean.square()
        noisy = variance > count * torch.finfo(mean.dtype).eps * square_of_mean
        ratios = torch.where(noisy, square_of_mean / variance, 0.0)
        snr = ratios.sum(dtype=torch.float64) / noisy.sum() - of_mean
        return torch.stack([snr, trace, scale])

    def _moments(self, subject: Subject, moment: Moment) -> Moments:
        sums = dense_sums(subject, moment) if self._dense else None
        if sums is None:
            return PerExample(subject, moment).moments()
        count = sum(len(batch.y) for batch in moment.update)
        mean = sums[0] / count
        # A weight that is used outside of its layer, too, has more gradient than these.
        off = torch.linalg.vector_norm(mean - moment.gradient)
        if not off <= (0.05 if subject.half else 1e-3) * torch.linalg.vector_norm(moment.gradient):
            return PerExample(subject, moment).moments()
        variance = (sums[1] - sums[0] * mean).clamp_(min=0.0) / (count - 1 or torch.nan)
        return Moments(mean, variance)

    def state_dict(self) -> dict[str, Any]:
        """Return the averages."""
        return {"average": self._average}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the averages."""
        self._average = state["average"].to(self._average.device)


def _known_variance(model: nn.Module) -> Tensor | None:
    """Return the variance of one example's gradient where noise is drawn for the whole batch."""
    if not isinstance(model, Function) or type(model).noise is not Function.noise:
        return None
    return None if model.std is None else model.std.square()
