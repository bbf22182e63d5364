"""Where in its space a small parameter vector is."""

from torch import Tensor

from sgdlab.diagnostics.base import Moment, Quantity, Subject
from sgdlab.errors import InputError

MOST = 3


class Position(Quantity):
    """The parameters themselves, ``w_t`` before the update of the row, a column a coordinate.

    A parameter ``w`` of d numbers gives ``w.0 … w.{d-1}``, for functions of up to three variables:
    their path is what can be drawn.

    Args:
        every: Steps from one measurement to the next; None: as ``diagnostics.every`` says.

    Raises:
        InputError: The model has more than three parameters.
    """

    def __init__(self, every: int | None = None) -> None:
        self.every = every

    def begin(self, subject: Subject) -> tuple[str, ...]:
        """Return a column per coordinate."""
        total = sum(parameter.numel() for parameter in subject.parameters)
        if total > MOST:
            raise InputError(
                f"diagnostics.quantities.position: for models of up to {MOST} parameters, such as "
                f"dataset=rosenbrock; this one has {total}"
            )
        return tuple(
            f"{name}.{index}"
            for name, parameter in zip(subject.names, subject.parameters, strict=True)
            for index in range(parameter.numel())
        )

    def measure(self, subject: Subject, moment: Moment) -> Tensor:
        """Return the parameters before the update, ``[d]``."""
        return moment.start
