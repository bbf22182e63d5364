"""Weights that a run starts from, read from a file."""

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sgdlab.checks import require_package
from sgdlab.errors import InputError, nearest, reason_of, suggest

IN_FOLDERS = ("final.pt", "model.safetensors", "pytorch_model.bin")
"""What is read of a folder: a run's with ``save_final=true``, or one that transformers wrote."""

_HOLDERS = ("state_dict", "model", "model_state_dict")
_WRAPPERS = ("module.", "_orig_mod.")
_COUNTER = "num_batches_tracked"
_SHOWN = 3


def weights_file(weights: str) -> Path:
    """Return the file that the key ``weights`` means.

    Args:
        weights: A file, or a folder that holds one of `IN_FOLDERS`; ``~`` is the home folder.

    Raises:
        InputError: There is no such file.
    """
    path = Path(weights).expanduser()
    if path.is_dir():
        found = next((path / name for name in IN_FOLDERS if (path / name).is_file()), None)
        if found is None:
            raise InputError(
                f"weights={weights}: the folder has none of {', '.join(IN_FOLDERS)}; a run leaves "
                "final.pt with save_final=true"
            )
        return found
    if not path.is_file():
        near = nearest(path.name, _siblings(path))
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise InputError(f"weights={weights}: no such file{hint}")
    return path


def load_weights(model: nn.Module, weights: str, skip: Sequence[str] = ()) -> None:
    """Give a model the parameters and buffers of a file, cast to the types that it has.

    Every name of the model must be in the file, and every name of the file in the model, with the
    same shape, but for those that ``skip`` has; these keep what they have. A tensor that the model
    has under several names may be in the file under one of them.

    Args:
        model: Changed in place.
        weights: See `weights_file`.
        skip: Patterns of `fnmatch` of names that are not taken.

    Raises:
        InputError: The file is no state dict, or does not fit; one line says what differs.
    """
    file, where = weights_file(weights), f"weights={weights}"
    given, own = _unwrapped(_read(file, where), model), model.state_dict()
    patterns = list(map(str, skip))
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in (*given, *own)):
            hint = suggest(pattern, own)
            raise InputError(f"weights_skip: {pattern} matches no name of model or file; {hint}")
    given, own = _without(given, patterns), _without(own, patterns)
    if said := _differences(given, own):
        raise InputError(f"{where}: {said}")
    model.load_state_dict(given, strict=False)


def _siblings(path: Path) -> list[str]:
    try:
        return [entry.name for entry in path.parent.iterdir()]
    except OSError:
        return []


def _read(file: Path, where: str) -> Mapping[str, Tensor]:
    try:
        content = _safetensors(file, where) if file.suffix == ".safetensors" else _torch(file)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{where}: {file.name} holds no plain tensors: {_why(error)}") from error
    for key in _HOLDERS:
        if isinstance(content, Mapping) and isinstance(content.get(key), Mapping):
            content = content[key]
    if (
        not isinstance(content, Mapping)
        or not content
        or not all(isinstance(name, str) and isinstance(t, Tensor) for name, t in content.items())
    ):
        kind = "a mapping of other things" if isinstance(content, Mapping) else type(content)
        kind = kind.__name__ if isinstance(kind, type) else kind
        raise InputError(f"{where}: must be a state dict, names with tensors; it holds {kind}")
    return content


def _torch(file: Path) -> Any:
    return torch.load(file, map_location="cpu", weights_only=True)


def _safetensors(file: Path, where: str) -> Any:
    return require_package("safetensors.torch", "transformers", where).load_file(file)


def _why(error: Exception) -> str:
    if "weights_only" in str(error) or "Unsupported" in str(error):
        return "it has Python objects, which are not loaded; save model.state_dict()"
    return reason_of(error)


def _unwrapped(state: Mapping[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Return a state dict without what wrappers of models put before each name."""
    own = model.state_dict()
    for wrapper in _WRAPPERS:
        if all(name.startswith(wrapper) for name in state) and not set(state) & set(own):
            state = {name.removeprefix(wrapper): tensor for name, tensor in state.items()}
    return dict(state)


def _without(state: Mapping[str, Tensor], patterns: Collection[str]) -> dict[str, Tensor]:
    return {
        name: tensor
        for name, tensor in state.items()
        if not any(fnmatchcase(name, pattern) for pattern in patterns)
    }


def _differences(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> str:
    """Say in one line what of a file does not fit; empty where all does."""
    places = {own[name].data_ptr() for name in given if name in own and own[name].numel()}
    missing = [
        name for name, tensor in own.items()
        if name not in given and not name.endswith(_COUNTER) and tensor.data_ptr() not in places
    ]  # fmt: skip
    unknown = [name for name in given if name not in own]
    wrong = [
        f"{name} is {_form(given[name])}, in the model {_form(tensor)}"
        for name, tensor in own.items()
        if name in given and _form(given[name]) != _form(tensor)
    ]
    parts = [
        _counted("lacks", missing, given),
        _counted("has", unknown, own) and f"{_counted('has', unknown, own)} that the model lacks",
        _listed(wrong),
    ]
    said = "; ".join(part for part in parts if part)
    return f"{said} (weights_skip=[…] leaves names out)" if said else ""


def _form(tensor: Tensor) -> str:
    return f"{'complex ' if tensor.is_complex() else ''}{list(tensor.shape)}"


def _counted(verb: str, names: Sequence[str], others: Collection[str]) -> str:
    if not names:
        return ""
    near = nearest(names[0], others, 1)
    hint = f" (nearest: {near[0]})" if near and near[0] != names[0] else ""
    return f"{verb} {_listed(names)}{hint}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
