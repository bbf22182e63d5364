"""What the general form cannot reproduce of a model, as far as looking at it shows."""

import hashlib
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from sgdlab.stacked.structure import HOOKS, OF_MODULES, hooked_everywhere, of_tensors
from sgdlab.steps.streams import generators_in

# The module whose hooks set torch's default type during a call, which a call here does as well.
_OWN_HOOKS = "sgdlab.training.model"


def refusal(module: nn.Module) -> str | None:
    """Return why runs of a model cannot be stacked, in a few words; None where nothing shows.

    Its ``forward`` is called as it is, so that it may do anything; what happens beside it does not
    take place: hooks on tensors, a projection after each step, generators of its own.
    """
    if hooked_everywhere():
        return "there are hooks on all modules"
    if any(map(_hooks_of_others, module.modules())):
        return "the model has hooks"
    if getattr(module, "project_", None) is not None and getattr(module, "constrained", True):
        return "the model is projected after each step"
    if generators_in({"model": module}):
        return "the model has a generator of its own"
    if not any(True for _ in module.parameters()):
        return "the model has no parameters"
    if not all(p.requires_grad for p in module.parameters()):
        return "the model has frozen parameters"
    if reason := of_tensors(module):
        return reason
    other = next((n for n, v in module.state_dict().items() if not isinstance(v, Tensor)), None)
    return None if other is None else f"{other} in its state is no tensor"


def has_hooks(module: nn.Module) -> bool:
    """Say whether calls of a model set torch's default type, which all threads share."""
    return any(getattr(part, hooks) for part in module.modules() for hooks in HOOKS)


def signature(module: nn.Module) -> str:
    """Return what tells models apart whose weights cannot be in one stack.

    Classes, shapes and settings; and the values of tensors that are in no state dict, which runs of
    one stack share.
    """
    found: list[object] = []
    kept = module.state_dict().keys()
    own = {id(t) for t in (*module.parameters(), *module.buffers())}
    for name, part in module.named_modules():
        settings = {n: v for n, v in vars(part).items() if n not in OF_MODULES}
        plain = sorted((n, _plain(v, own)) for n, v in settings.items())
        shapes = [(n, tuple(p.shape)) for n, p in part.named_parameters(recurse=False)]
        found.append((name, type(part).__module__, type(part).__qualname__, plain, shapes))
    for name, buffer in module.named_buffers():
        found.append((name, tuple(buffer.shape), None if name in kept else _plain(buffer, set())))
    return repr(found)


def _hooks_of_others(part: nn.Module) -> bool:
    hooks = (hook for name in HOOKS for hook in _values(getattr(part, name)))
    return any(getattr(hook, "__module__", None) != _OWN_HOOKS for hook in hooks)


def _values(hooks: Any) -> list[Any]:
    # Besides the hooks there are flags of each, by the same numbers.
    values = list(hooks.values()) if isinstance(hooks, Mapping) else list(hooks or ())
    return [value for value in values if not isinstance(value, bool)]


def _plain(value: Any, own: set[int]) -> str:
    """Return what a setting is, as text; of objects only their class counts.

    Args:
        value: The setting.
        own: The parameters and buffers, by `id`, whose values do not count.
    """
    if isinstance(value, Tensor):
        if id(value) in own:
            return f"{tuple(value.shape)}"
        content = value.detach().cpu().contiguous()
        digest = hashlib.sha256(content.numpy().tobytes()).hexdigest()[:16]
        return f"{tuple(content.shape)} {content.dtype} {digest}"
    if isinstance(value, bool | int | float | str | type(None)):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"{type(value).__name__}{[_plain(v, own) for v in value]}"
    if isinstance(value, dict):
        return str({str(k): _plain(v, own) for k, v in value.items()})
    return type(value).__qualname__
