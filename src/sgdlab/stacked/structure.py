"""What a model is made of, and what of it no stack reproduces, as far as looking at it shows."""

import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from sgdlab.models import parts
from sgdlab.models.cnn import CNN
from sgdlab.stacked.layers.activation import Activation
from sgdlab.stacked.layers.base import Layer
from sgdlab.stacked.layers.batch_norm import BatchNorm
from sgdlab.stacked.layers.conv import Conv2d
from sgdlab.stacked.layers.dense import Dense
from sgdlab.stacked.layers.dropout import Dropout
from sgdlab.stacked.layers.pool import MaxPool2d

FORMS: dict[type[nn.Module], type[Layer]] = {
    module: layer
    for layer in (Dense, Conv2d, MaxPool2d, BatchNorm, Dropout, Activation)
    for module in layer.modules
}
"""The stacked form of each layer, by exact type: a subclass may do anything else."""

_KNOWN = (*FORMS, nn.Sequential, nn.Identity, nn.Flatten, parts.Flatten, CNN)

# What a subclass of `Sequential` may define without a change to what the model computes.
_HARMLESS = frozenset((
    "__init__", "__module__", "__qualname__", "__doc__", "__dict__", "__weakref__", "__slots__",
    "__annotations__", "__annotate__", "__annotate_func__", "__annotations_cache__",
    "__static_attributes__", "__firstlineno__", "__parameters__", "__orig_bases__",
    "__init_subclass__", "__class_getitem__", "__repr__", "__str__", "_get_name", "extra_repr",
))  # fmt: skip
OF_MODULES = frozenset(vars(nn.Module()))
"""The attributes that every module has."""
HOOKS = tuple(name for name in OF_MODULES if "hooks" in name)
"""The attributes of a module that hold hooks."""
_INHERITED = tuple(sorted({*dir(nn.Sequential), *OF_MODULES} - _HARMLESS))


def leaves(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, nn.Module]]:
    """Yield the layers of a model in the order of its forward pass, a `Flatten` among them."""
    if type(module) is CNN:
        yield from leaves(module.features, f"{prefix}features.")
        yield "", parts.Flatten()
        yield from leaves(module.classifier, f"{prefix}classifier.")
    elif _is_sequence(type(module)):
        for name, child in module._modules.items():  # a layer may stand there twice
            if child is not None:
                yield from leaves(child, f"{prefix}{name}.")
    elif type(module) is not nn.Identity:
        yield prefix, module


def is_flatten(module: nn.Module) -> bool:
    """Say whether a layer makes one vector of each example."""
    if type(module) is nn.Flatten:
        return module.start_dim == 1 and module.end_dim == -1
    return type(module) is parts.Flatten


def refusal(module: nn.Module) -> str | None:
    """Return why runs of a model cannot be stacked, in a few words; None where nothing shows.

    A model is stacked if it applies known layers, one after another, and nothing else has a say:
    neither a class that overrides what `torch.nn.Sequential` does, nor a method replaced in an
    instance, nor hooks, nor tensors that are more than plain memory of their own.
    """
    return _of_modules(module) or _of_layers(module) or of_tensors(module)


def signature(module: nn.Module) -> str:
    """Return what tells models apart whose weights cannot be in one stack: layers and settings."""
    plain = (bool, int, float, str, tuple, type(None))
    found: list[object] = []
    for prefix, leaf in leaves(module):
        settings = {n: v for n, v in vars(leaf).items() if n not in OF_MODULES}
        kept = sorted((n, v) for n, v in settings.items() if isinstance(v, plain))
        shapes = [(name, tuple(p.shape)) for name, p in leaf.named_parameters()]
        found.append((prefix, type(leaf).__name__, kept, shapes))
    return repr(found)


@functools.cache
def names_of(kind: type) -> frozenset[str]:
    """Return the names that a class has, inherited ones included."""
    return frozenset(dir(kind))


def _is_sequence(kind: type[nn.Module]) -> bool:
    return issubclass(kind, nn.Sequential) and kind.forward is nn.Sequential.forward


def hooked_everywhere() -> bool:
    """Say whether there are hooks on all modules of the process."""
    everywhere = vars(torch.nn.modules.module).items()
    return any(h for name, h in everywhere if name.startswith("_global") and "hooks" in name)


def _of_modules(module: nn.Module) -> str | None:
    if hooked_everywhere():
        return "there are hooks on all modules"
    for name, part in module.named_modules():
        if any(getattr(part, hooks) for hooks in HOOKS):
            return "the model has hooks"
        kind = type(part)
        if kind not in _KNOWN:
            if not _is_sequence(kind):
                continue  # `_of_layers` refuses it by its name
            if (own := _overridden(kind)) is not None:
                return f"{kind.__name__} overrides {own}"
        methods = names_of(nn.Sequential if _is_sequence(kind) else kind)
        if replaced := sorted(vars(part).keys() & methods):
            return f"{replaced[0]} is replaced (layer {name or kind.__name__})"
    return None


def _found(kind: type, name: str) -> object:
    """Return what a class has under a name, wherever it inherits it from, unbound."""
    return next((vars(own)[name] for own in kind.__mro__ if name in vars(own)), None)


def _overridden(kind: type[nn.Module]) -> str | None:
    """Return what a class, or what it inherits beside `Sequential`, does otherwise than that."""
    for name in _INHERITED:
        # As it is now: torch's compiler replaces methods of all modules when it is first used.
        if _found(kind, name) is not _found(nn.Sequential, name):
            return name
    return None


def _of_layers(module: nn.Module) -> str | None:
    for prefix, leaf in leaves(module):
        form = FORMS.get(type(leaf), Activation)
        place = f"(layer {prefix.rstrip('.') or type(module).__name__})"
        if not is_flatten(leaf) and (reason := form.refusal(leaf)) is not None:
            return f"{reason} {place}"
        names = [name for name, _ in leaf.named_parameters()]
        if names != ["weight", "bias"][: len(names)]:
            return f"reparametrised weights {place}"
        if form is not BatchNorm and (buffers := [name for name, _ in leaf.named_buffers()]):
            return f"a buffer {buffers[0]} {place}"
    if not all(p.requires_grad for p in module.parameters()):
        return "the model has frozen parameters"
    own = [f"{prefix}{n}" for prefix, x in leaves(module) for n, _ in x.named_parameters()]
    if len({name for name, _ in module.named_parameters()}) < len(own):
        return "the model shares parameters between layers"
    if own != [name for name, _ in module.named_parameters()]:
        return "the model has parameters outside its layers"
    own = [f"{prefix}{n}" for prefix, x in leaves(module) for n, _ in x.named_buffers()]
    if len({name for name, _ in module.named_buffers()}) < len(own):
        return "the model shares statistics between layers"
    if own != [name for name, _ in module.named_buffers()]:
        return "the model has buffers outside its layers"
    return None


def of_tensors(module: nn.Module) -> str | None:
    """Return which tensor of a model is more than plain memory of its own; None where none is."""
    places: set[int] = set()
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        kinds = (nn.Parameter, Tensor)
        if type(tensor) not in kinds:
            return f"{name} is a {type(tensor).__name__}"
        if tensor._backward_hooks or getattr(tensor, "_post_accumulate_grad_hooks", None):
            return f"there are hooks on {name}"
        if not tensor.numel():
            continue
        memory = tensor.untyped_storage()
        place = memory.data_ptr()
        if place in places or memory.nbytes() < tensor.numel() * tensor.element_size():
            return f"{name} shares memory"
        places.add(place)
    return None
