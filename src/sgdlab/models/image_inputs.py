"""The check of models that take nothing but images."""

from sgdlab.errors import InputError


def image_shape(model: str, input_shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return ``(channels, height, width)`` of the inputs, and refuse what is no image.

    Args:
        model: The name of the model on the command line.
        input_shape: The shape of one example.

    Raises:
        InputError: Says which shape is needed and which model takes any.
    """
    if len(input_shape) != 3:
        hint = " (x[:, None] adds the channel of grey images)" if len(input_shape) == 2 else ""
        raise InputError(
            f"model={model} needs images [channels, height, width], the inputs are "
            f"{list(input_shape)}{hint}: model=mlp takes any shape"
        )
    channels, height, width = input_shape
    return channels, height, width
