"""The check of models that take nothing but tokens."""

from sgdlab.errors import InputError


def context_of(model: str, input_shape: tuple[int, ...]) -> int:
    """Return how many tokens an example has, and refuse what is no sequence of them.

    Args:
        model: The name of the model on the command line.
        input_shape: The shape of one example.

    Raises:
        InputError: Says which shape is needed, and what gives it.
    """
    if len(input_shape) != 1:
        raise InputError(
            f"model={model} needs tokens [context], the inputs are {list(input_shape)}: "
            "dataset=text, or integers [n, context] with task=language"
        )
    return input_shape[0]
