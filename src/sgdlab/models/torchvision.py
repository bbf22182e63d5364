"""Any classifier of torchvision, by its name."""

import os
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.errors import InputError, one_line, reason_of, suggest
from sgdlab.models.image_inputs import image_shape

_COLOURS = 3
# Heads beside the last one, which are only of use with a loss of their own.
_PLAIN = {"aux_logits": False, "init_weights": True}
_OWN: dict[str, dict[str, Any]] = {"googlenet": _PLAIN, "inception_v3": _PLAIN}
# Models that are built for one size of images, and the argument that says it.
_OF_A_SIZE = {"vit_": "image_size", "maxvit_": "input_size"}


def torchvision(
    *,
    input_shape: tuple[int, ...],
    num_outputs: int,
    name: str,
    weights: str | None = None,
    arguments: Mapping[str, Any] | None = None,
) -> nn.Module:
    """Return a model of `torchvision.models` with as many outputs as the dataset asks for.

    Names of parameters are torchvision's. Grey images are given to it as three equal channels,
    which is what its first layer takes. Models for one size of images (``vit_b_16``, ``maxvit_t``)
    are built for that of the dataset. ``googlenet`` and ``inception_v3`` come without the auxiliary
    heads that have losses of their own.

    Args:
        input_shape: ``(channels, height, width)``; 1 channel or 3.
        num_outputs: Classes, or regression targets.
        name: One of ``torchvision.models.list_models(torchvision.models)``.
        weights: None, or weights that torchvision has for the model, such as ``DEFAULT`` or
            ``IMAGENET1K_V1``; it downloads them into ``$TORCH_HOME/hub/checkpoints`` once. Where
            ``num_outputs`` is not theirs, the last layer starts as it does without them.
        arguments: What else its constructor takes, such as ``{dropout: 0.1}``.

    Raises:
        InputError: No such model, weights or argument, weights that are not there and cannot be
            downloaded, or images that the model cannot take.
    """
    from torchvision import models  # a second that others need not wait for

    channels, *size = image_shape("torchvision", input_shape)
    known = models.list_models(models)
    where = f"model.name={name}"
    if name not in known:
        raise InputError(f"{where}: no classifier of torchvision; {suggest(str(name), known)}")
    if channels not in (1, _COLOURS):
        raise InputError(
            f"{where}: torchvision's models take images of {_COLOURS} channels (1 is repeated), "
            f"and the dataset's have {channels}"
        )
    given = {**_OWN.get(name, {}), **_size(name, size), **(arguments or {})}
    if "num_classes" in given:
        raise InputError(f"model.arguments: num_classes={given['num_classes']} is the dataset's")
    try:
        model = models.get_model(name, weights=None, num_classes=num_outputs, **given)
    except (TypeError, ValueError, AssertionError) as error:
        more = f" with {dict(arguments)}" if arguments else ""
        said = f"cannot be built for images {list(input_shape)}{more}: {one_line(error)}"
        raise InputError(f"{where}: {said}") from error
    if weights is not None:
        _load(model, _weights_of(name, weights), where)
    if channels == 1:
        model.register_forward_pre_hook(_in_colours)
    _try(model, torch.zeros(1, *input_shape), where)
    return model


def _size(name: str, size: list[int]) -> dict[str, Any]:
    key = next((key for start, key in _OF_A_SIZE.items() if name.startswith(start)), None)
    if key is None:
        return {}
    return {key: size[0] if key == "image_size" else tuple(size)}


def _in_colours(_: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (inputs[0].expand(-1, _COLOURS, -1, -1), *inputs[1:])


def _try(model: nn.Module, x: Tensor, where: str) -> None:
    """Refuse images that a model cannot take, as too small ones."""
    try:
        with torch.no_grad():
            model.eval()(x)
    except Exception as error:
        shape = list(x.shape[1:])
        raise InputError(
            f"{where}: cannot take images {shape}: {one_line(error)}; larger ones may do "
            "(dataset=images dataset.size=[224,224])"
        ) from error
    model.train()


def _weights_of(name: str, weights: str) -> Any:
    from torchvision import models

    if os.path.exists(weights) or weights.endswith((".pt", ".pth", ".safetensors")):
        raise InputError(f"model.weights={weights} is a file: weights={weights} loads those")
    known = models.get_model_weights(name)
    if weights not in known.__members__:
        valid = [*known.__members__]
        raise InputError(f"model.weights={weights}: none of {name}; {suggest(weights, valid)}")
    return known[weights]


def _load(model: nn.Module, weights: Any, where: str) -> None:
    """Give a model weights of torchvision; a last layer of another size keeps its own."""
    file = os.path.join(torch.hub.get_dir(), "checkpoints", os.path.basename(weights.url))
    try:
        state = weights.get_state_dict(progress=False, check_hash=True, map_location="cpu")
    except Exception as error:
        raise InputError(
            f"{where}: cannot download {weights.url} ({reason_of(error)}); with a network, or "
            f"with that file at {file}, it can"
        ) from error
    own = model.state_dict()
    fitting = {key: t for key, t in state.items() if key in own and own[key].shape == t.shape}
    other = [key for key in own if key not in fitting and not key.endswith("num_batches_tracked")]
    classes = len(weights.meta["categories"])
    if unlike := [key for key in other if key not in state or state[key].shape[0] != classes]:
        raise InputError(
            f"{where}: its weights do not fit {unlike[0]} {list(own[unlike[0]].shape)}; leave "
            "model.arguments as they are, and take images of the size that they are for"
        )
    model.load_state_dict(fitting, strict=False)
