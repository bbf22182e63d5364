"""One writer: a process holds the folder that it writes into, and no other does meanwhile."""

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

from sgdlab.errors import InputError
from sgdlab.results.claims import Claim, asked, by_registry, opened, own_files, real
from sgdlab.results.holders import Holder, is_registry, leaders

AUTO, REFUSE, WAIT = "auto", "refuse", "wait"
LOCKS = (AUTO, REFUSE, WAIT)
"""What ``lock`` may say of a folder that another process holds: ``auto`` refuses, and lets sweeps
share a study run by run."""

_HELD = "SGDLAB_HELD"
"""Environment variable: the folders that this process holds, for workers of its own."""

_BETWEEN_TRIES = 0.2

_guard = threading.Lock()


class HeldError(InputError):
    """Another process holds the folder; the text says who."""


@contextlib.contextmanager
def held(
    folder: Path | str,
    lock: str = REFUSE,
    say: Callable[[str], None] | None = None,
    *,
    shared: bool = False,
    apart: bool = False,
    otherwise: str = "lock=wait waits for it",
) -> Generator[None]:
    """Hold a folder and all in it; it is made when missing.

    What this process, or the one that started it, holds already is held.

    Args:
        folder: The folder.
        lock: Whether to ``refuse`` when another process holds it, or to ``wait``.
        say: Receives a line when there is something to wait for.
        shared: Let others share the folder, and hold each run in it alone while it is trained.
        apart: Whether the folder has nothing to do with those that it lies in, as a report has.
        otherwise: What a refusal offers.

    Raises:
        HeldError: Another process holds it; nothing was written.
    """
    path = real(folder)
    made = [p for p in (path, *map(str, Path(path).parents)) if not os.path.lexists(p)]
    covered, said = _is_covered(path, apart), False
    claim = Claim([], shared, apart)
    while True:
        if covered:
            refused = _within([path])
        else:
            claim = Claim([path], shared, apart)
            refused = claim.refused
        if (holder := refused.get(path)) is None:
            break
        if lock != WAIT:
            raise HeldError(f"{folder}: held by {holder}: {otherwise}")
        if say is not None and not said:
            say(f"{folder}: held by {holder}: waiting for it")
            said = True
        time.sleep(_BETWEEN_TRIES)
    if claim.soft and say is not None:
        say(f"{folder}: its file system has no locks: no second process may write there")
    tells = not (shared or covered)
    if tells:
        _tell_workers(path, True)
    try:
        yield
    finally:
        if tells:
            _tell_workers(path, False)
        claim.release()
        with contextlib.suppress(OSError):
            for empty in made:  # what was refused leaves nothing
                os.rmdir(empty)


@contextlib.contextmanager
def each_held(folders: Sequence[Path]) -> Generator[dict[Path, Holder]]:
    """Hold those folders that no other process holds; yield who holds the others."""
    paths = {real(folder): folder for folder in folders}
    covered = [path for path in paths if _is_covered(path, False)]
    refused = _within(covered)
    claim = Claim(path for path in paths.keys() - covered)
    try:
        yield {paths[path]: holder for path, holder in (refused | claim.refused).items()}
    finally:
        claim.release()


def holders_of(folders: Sequence[Path]) -> dict[Path, Holder]:
    """Return which of some folders other processes hold, and who."""
    paths = {real(folder): folder for folder in folders}
    found: dict[Path, Holder] = {}
    for home, own in by_registry(paths, apart=False).items():
        if is_registry(home):
            others = asked(home, own, (False, False))
            found |= {paths[path]: holder for path, holder in others.items()}
    return found


@contextlib.contextmanager
def in_turn(folder: Path | str) -> Generator[None]:
    """Do something short in a folder that exists, one process at a time."""
    with opened(real(folder)):
        yield


def witness_of(folder: Path | str) -> str | None:
    """Return a file that is there as long as this process holds a folder; None: it does not.

    Another process that sees the file sees the folder, and not another one of the same name.
    """
    return next(iter(own_files(real(folder)).values()), None)


def leaders_of(folder: Path | str) -> tuple[str, ...]:
    """Return the tokens by which this process holds a folder, for `working_for` elsewhere."""
    return tuple(own_files(real(folder)))


@contextlib.contextmanager
def working_for(tokens: Sequence[str]) -> Generator[None]:
    """Work in the block for a process that holds a folder: what it holds is not in the way.

    Unlike a child of that process, which holds what it does, this one holds each run by itself,
    since it may live on when the other has died, or be one of two that have the same work.

    Args:
        tokens: What `leaders_of` returned there.
    """
    before, new = os.environ.pop(_HELD, None), set(tokens) - leaders
    leaders.update(new)
    try:
        yield
    finally:
        leaders.difference_update(new)
        if before is not None:
            os.environ[_HELD] = before


def _within(paths: Sequence[str]) -> dict[str, Holder]:
    """Return who holds some folders by their own registries: from before they were covered."""
    found: dict[str, Holder] = {}
    for path in paths:
        if is_registry(path):
            found |= asked(path, [path], (False, False))
    return found


def _is_covered(path: str, apart: bool) -> bool:
    held_now: list[str] = json.loads(os.environ.get(_HELD, "[]"))
    if apart:
        return path in held_now
    return any(path == own or path.startswith(f"{own}/") for own in held_now)


def _tell_workers(path: str, is_held: bool) -> None:
    with _guard:
        paths: list[str] = json.loads(os.environ.get(_HELD, "[]"))
        paths = [*paths, path] if is_held else [own for own in paths if own != path]
        os.environ[_HELD] = json.dumps(paths)
