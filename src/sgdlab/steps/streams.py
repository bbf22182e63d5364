"""The random generators that a run may draw from, whoever wrote what draws.

Torch's and Python's global generators and NumPy's legacy one are seeded; generators that are made
without a seed take theirs from Python's global one. What asks the system for entropy (`os.urandom`,
`secrets`, `torch.seed`) or depends on the order of a set of strings cannot be seeded: in data it
shows in their fingerprint.
"""

import contextlib
import hashlib
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sgdlab.steps.unseeded import seeds_for_the_unseeded

Generator = random.Random | np.random.Generator | np.random.RandomState | torch.Generator
_KINDS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)


class DrawState(NamedTuple):
    """Where the generators stand: torch's, Python's, NumPy's, and a user's own.

    Those of CUDA devices count once the process uses them.
    """

    torch: Tensor
    python: tuple[Any, ...]
    numpy: dict[str, Any]
    own: dict[str, Any]
    cuda: Sequence[Tensor] = ()


_held: dict[str, Generator] = {}
"""Generators of users' code, by place: those of modules for good, those of a run while it runs."""

_at_first: dict[str, Any] = {}
"""The states of the generators of users' modules as they were imported."""


def draw_state() -> DrawState:
    """Return where the generators stand."""
    own = {place: _state_of(generator) for place, generator in _held.items()}
    legacy: Any = np.random.get_state(legacy=False)  # noqa: NPY002  (users' code draws from it)
    cuda = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else ()
    return DrawState(torch.get_rng_state(), random.getstate(), legacy, own, cuda)


def put_back(state: DrawState | Tensor) -> None:
    """Go on from what `draw_state` returned, or from a state of torch's generator alone."""
    if isinstance(state, Tensor):
        torch.set_rng_state(state)
        return
    torch.set_rng_state(state.torch)
    if state.cuda:
        torch.cuda.set_rng_state_all(state.cuda)
    random.setstate(state.python)
    np.random.set_state(state.numpy)  # noqa: NPY002
    _put(state.own)


@contextlib.contextmanager
def forked(devices: Iterable[torch.device] | None = None) -> Iterator[None]:
    """Give back after the block where all generators stood.

    Args:
        devices: CUDA devices that count besides the CPU; by default all, once the process uses any.
    """
    if devices is None:  # torch would start every device, also for a run on the CPU
        devices = _cuda_devices()
    with torch.random.fork_rng(devices):
        state = draw_state()
        try:
            yield
        finally:
            put_back(state)


def _cuda_devices() -> list[torch.device]:
    count = torch.cuda.device_count() if torch.cuda.is_initialized() else 0
    return [torch.device("cuda", index) for index in range(count)]


@contextlib.contextmanager
def seeded(seed: int, devices: Iterable[torch.device] | None = None) -> Iterator[None]:
    """Draw in the block from generators that the seed determines; give back what was before.

    Args:
        seed: The seed, below ``2**64``.
        devices: CUDA devices that count besides the CPU; by default all, once the process uses any.
    """
    with forked(devices), seeds_for_the_unseeded():
        _seed_torch(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        _put(_at_first)
        yield


def _seed_torch(seed: int) -> None:
    if torch.accelerator.is_available():
        torch.manual_seed(seed)
    else:  # `manual_seed` would note a stack of calls, each time, for devices that never come
        torch.default_generator.manual_seed(seed)


def remember(modules: Iterable[ModuleType]) -> None:
    """Take note of the generators that users' modules have made: `seeded` starts them again.

    Without that a second run of a process would go on where the first one left them.
    """
    for module in modules:
        owners: dict[str, object] = {module.__name__: module}
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == module.__name__:
                owners[f"{module.__name__}.{name}"] = value
        for place, generator in generators_in(owners).items():
            if _held.get(place) is not generator:
                _held[place], _at_first[place] = generator, _state_of(generator)


def generators_in(owners: Mapping[str, object]) -> dict[str, Generator]:
    """Return the generators that objects hold: as attributes, and in what those hold.

    Args:
        owners: The objects by name; of an `nn.Module` its modules count, too.
    """
    found: dict[str, Generator] = {}
    for name, owner in owners.items():
        modules = owner.named_modules() if isinstance(owner, nn.Module) else (("", owner),)
        for inner, part in modules:
            _look(f"{name}/{inner}", dict(getattr(part, "__dict__", {})), found, _DEPTH)
    return found


_DEPTH, _MOST = 4, 64
_LEFT_OUT = (Tensor, nn.Module, ModuleType, type, FunctionType)


def _look(place: str, value: object, found: dict[str, Generator], depth: int) -> None:
    if isinstance(value, _KINDS):
        found[place] = value
        return
    if depth == 0 or isinstance(value, _LEFT_OUT):
        return
    if isinstance(value, list | tuple | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        if len(value) > _MOST and depth < _DEPTH:  # examples, not settings
            return
    else:
        items = getattr(value, "__dict__", {}).items()
    for key, item in list(items):
        _look(f"{place}/{key}", item, found, depth - 1)


@contextlib.contextmanager
def holding(generators: Mapping[str, Generator]) -> Iterator[None]:
    """Count the generators of a run among those of users' code while it runs."""
    _held.update(generators)
    try:
        yield
    finally:
        for place in generators:
            del _held[place]


def as_text() -> str:
    """Return where all but torch's own generators stand as JSON, for a checkpoint."""
    _, python, legacy, own, _ = draw_state()
    return json.dumps([python, legacy, own], default=_plain)


def position() -> str:
    """Return a hash of where the generators stand: another one once anything was drawn."""
    state = draw_state()
    digest = hashlib.sha256(as_text().encode())
    for own in (state.torch, *state.cuda):
        digest.update(own.numpy().tobytes())
    return digest.hexdigest()


def from_text(text: str) -> None:
    """Go on from what `as_text` returned; a generator that is no longer there is left out."""
    python, legacy, own = json.loads(text)
    put_back(DrawState(torch.get_rng_state(), _tuples(python), _arrays(legacy), own))


def _state_of(generator: Generator) -> Any:
    if isinstance(generator, random.Random):
        try:
            return generator.getstate()
        except NotImplementedError:  # the system's own, which has none
            return None
    if isinstance(generator, torch.Generator):
        return generator.get_state()
    if isinstance(generator, np.random.RandomState):
        return generator.get_state(legacy=False)
    return generator.bit_generator.state


def _put(states: Mapping[str, Any]) -> None:
    for place, state in states.items():
        generator = _held.get(place)
        if generator is None or state is None:
            continue
        if isinstance(generator, random.Random):
            generator.setstate(_tuples(state))
        elif isinstance(generator, torch.Generator):
            generator.set_state(torch.as_tensor(state, dtype=torch.uint8))
        elif isinstance(generator, np.random.RandomState):
            generator.set_state(_arrays(state))
        else:
            generator.bit_generator.state = _arrays(state)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | Tensor | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} in the state of a generator")


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list | tuple) else value


def _arrays(state: Mapping[str, Any]) -> Any:
    """Return a state of NumPy's with arrays where JSON has lists."""
    return {
        key: _arrays(value)
        if isinstance(value, Mapping)
        else np.asarray(value, np.uint64 if max(value, default=0) >= 2**32 else np.uint32)
        if isinstance(value, list)
        else value
        for key, value in state.items()
    }
