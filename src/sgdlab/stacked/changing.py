"""Whether a loss remembers its calls: in a stack all runs share it."""

import dis
import functools
import inspect
import io
import types
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

_STORES = ("STORE_GLOBAL", "DELETE_GLOBAL", "STORE_DEREF")


def changing(loss: Any) -> str | None:
    """Return why a loss may change from call to call, seen without calling it; None: it cannot be.

    Args:
        loss: A function, an object that is called, or `functools.partial` of one.
    """
    name = _name(loss)
    if isinstance(loss, nn.Module) and any(p.requires_grad for p in loss.parameters()):
        return f"loss {name} is trained itself"
    if isinstance(loss, nn.Module) and _hooks(loss):
        return f"loss {name} has hooks"
    if kept(loss) is None:
        return f"what loss {name} holds cannot be compared"
    if any(i.opname in _STORES for code in _codes(loss) for i in dis.get_instructions(code)):
        return f"loss {name} writes to variables outside it"
    return None


def kept(loss: Any) -> bytes | None:
    """Return all that a loss holds, as bytes to be compared; None where it cannot be written."""
    file = io.BytesIO()
    try:
        torch.save(_held(loss), file)
    except Exception:  # whatever an object of the user's raises
        return None
    return file.getvalue()


def _held(loss: Any) -> Any:
    if isinstance(loss, functools.partial):
        return [_held(loss.func), loss.args, loss.keywords]
    if isinstance(loss, types.FunctionType):
        cells = inspect.getclosurevars(loss).nonlocals
        return [cells, loss.__defaults__, loss.__kwdefaults__, vars(loss)]
    return {key: value for key, value in getattr(loss, "__dict__", {}).items() if key != "training"}


def _codes(loss: Any) -> Iterator[types.CodeType]:
    """Yield the code of a loss, that of the methods of its class and of functions inside them."""
    if isinstance(loss, functools.partial):
        yield from _codes(loss.func)
        return
    if isinstance(loss, types.FunctionType):
        waiting = [loss.__code__]
    else:
        own = [c for c in type(loss).__mro__ if not c.__module__.startswith(("torch.", "builtins"))]
        members = [m for c in own for m in vars(c).values()]
        waiting = [m.__code__ for m in members if isinstance(m, types.FunctionType)]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _hooks(module: nn.Module) -> bool:
    every = (vars(part).items() for part in module.modules())
    return any(value for own in every for key, value in own if "hooks" in key and key[0] == "_")


def _name(loss: Any) -> str:
    if isinstance(loss, functools.partial):
        return _name(loss.func)
    return getattr(loss, "__name__", type(loss).__name__)
