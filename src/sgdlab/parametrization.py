"""The maximal update parametrization (μP): settings tuned on a narrow model hold for a wide one.

In the standard parametrization the best learning rate falls as a network gets wider, at a speed
that depends on the optimizer. μP is the one assignment of initial variances, learning rates and
output multipliers to layers under which every layer's features change by an amount that neither
vanishes nor explodes with the width (Yang and Hu 2021), so that the best learning rate stays where
it is (Yang et al. 2022, "Tensor Programs V").

This is their Table 8, the form of their package ``mup``, relative to a base width at which it is
the standard parametrization: ``m_in`` and ``m_out`` are fan-in and fan-out over those of the base
model, 1 where a dimension does not grow with the width.

| role of a parameter | initial variance | multiplier | lr, SGD's kin | lr, Adam's kin |
|---|---|---|---|---|
| ``input``: d × width | as standard, 1/fan_in | 1 | m_out | 1 |
| ``vector``: bias, norm | constant, as in the base model | 1 | m_out | 1 |
| ``hidden``: width × width | as standard, 1/fan_in | 1 | m_out / m_in | 1 / m_in |
| ``output``: width × k | constant, as in the base model | 1 / m_in | m_in | 1 |

In attention, keys and queries of ``d`` features become alike in training, so that their products
grow with ``d``, not ``√d``: they are divided by ``d``, times the ``√d`` of the base model. A matrix
that is both embedding and output layer has the multiplier of an output and the rates of an input,
which agree: both of its uses would give it the same. Its variance is constant in both.

"SGD's kin" move a parameter in proportion to its gradient, "Adam's kin" by an amount that does not
depend on the gradient's scale (with ``eps`` negligible, as gradients shrink with the width; RAdam
only after its first steps, which are momentum's and here shorter the wider the network).

The rule is exact in one case, and tested there: a wide network made of copies of a narrow one's
units computes the same function, and goes on doing so in training.

A model takes part by the parameter ``parametrization`` of its constructor, which sets variances
and multipliers, and by a method `Scalable.width_roles`, from which `lr_multipliers` follow. An
optimizer of the user's own takes part by ``_traits_: {family: sgd}`` or ``adam`` in its YAML. The
scale of a layer's update is set by LARS, LAMB and Muon themselves, that of all layers by L-BFGS and
Adadelta: these have no column.

Weight decay keeps ``lr · weight_decay`` independent of the width, the rule of the authors' package
``mup`` (``MuSGD``, ``MuAdam``, ``MuAdamW``): where it is multiplied by lr, coupled or decoupled, it
is divided by the multiplier of lr. With copies of units that is exact for decoupled decay, and for
coupled decay in SGD's kin; with coupled decay in Adam's kin (``adam``, ``rmsprop``), where the
penalty runs through the normalisation, no rule of this form is. ``decay.mode=independent`` is not
multiplied by lr and stays as it is. (Until version 0.1 the decay was multiplied by the multiplier;
runs with it have other ids.) ``clip_norm`` is not adapted: the norm of all gradients depends on the
width.
"""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import nn

from sgdlab.errors import InputError

Role = Literal["input", "vector", "hidden", "output", "fixed"]


@dataclass(frozen=True)
class Width:
    """How one parameter grows with the width of its model.

    Attributes:
        role: ``input``, ``vector``, ``hidden`` or ``output`` as in the table above; ``fixed``: no
            dimension grows (such as the bias of the output).
        m_in: Fan-in over that of the base model; 1 where it does not grow.
        m_out: Fan-out, or the length of a vector, likewise.
    """

    role: Role
    m_in: float = 1.0
    m_out: float = 1.0


@runtime_checkable
class Scalable(Protocol):
    """A model that can say how its parameters grow with its width."""

    def width_roles(self) -> dict[str, Width]:
        """Return the role of each parameter by its name in ``named_parameters``."""
        ...


def lr_multipliers(model: nn.Module, family: Literal["sgd", "adam"]) -> dict[str, float]:
    """Return the factor on the learning rate of each parameter under μP, by its name.

    Args:
        model: Built with ``parametrization="mup"``.
        family: The column of the table, which `sgdlab.optimizers.family.family_of` tells.

    Raises:
        InputError: The model does not say how it scales with width.
    """
    if not isinstance(model, Scalable):
        raise InputError(
            f"parametrization=mup: {type(model).__name__} does not say how it grows with its "
            "width (a method width_roles); use model=mlp or model=gpt, or parametrization=standard"
        )
    roles = model.width_roles()
    for name, _ in model.named_parameters():
        if name not in roles:
            raise InputError(
                f"parametrization=mup: width_roles of {type(model).__name__} leaves out {name}"
            )
    return {name: _multiplier(width, family) for name, width in roles.items()}


def _multiplier(width: Width, family: Literal["sgd", "adam"]) -> float:
    if family == "adam":
        return 1.0 / width.m_in if width.role == "hidden" else 1.0
    match width.role:
        case "input" | "vector":
            return width.m_out
        case "hidden":
            return width.m_out / width.m_in
        case "output":
            return width.m_in
        case "fixed":
            return 1.0
