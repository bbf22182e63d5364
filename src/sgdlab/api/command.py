"""A command of sgdlab, run in this process as it would be from a shell."""

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from sgdlab import signals, startup
from sgdlab.errors import InputError
from sgdlab.terminal.quiet import quiet


@dataclass(frozen=True)
class Done:
    """A command that has ended.

    Attributes:
        folder: Where its results are.
        notices: The lines that it would have printed as notes; empty where it printed them.
    """

    folder: Path
    notices: tuple[str, ...]


_running = threading.Lock()


def run_command(command: str, arguments: Sequence[str], verbose: bool) -> Done:
    """Run a command; its composition, checks and files are those of the command line.

    Args:
        command: ``train`` or ``compare``.
        arguments: What would be typed after it.
        verbose: Whether it prints what it prints on a terminal.

    Raises:
        InputError: The settings cannot be used; the line is that of the command line.
        KeyboardInterrupt: Ctrl-C; the current step has ended, and the checkpoint is written.
    """
    if not _running.acquire(blocking=False):
        raise InputError("one call of sgdlab at a time in a process; start others in their own")
    try:
        with contextlib.nullcontext([]) if verbose else quiet() as notices:
            folder = _run(command, list(arguments))
        return Done(folder, tuple(notices))
    finally:
        _running.release()


def _run(command: str, arguments: list[str]) -> Path:
    if "torch" not in sys.modules:  # read when torch is loaded; see `sgdlab.cli`
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with startup.kept():
        module = importlib.import_module(f"sgdlab.commands.{command}")
    from sgdlab.config.output_folder import told

    told()
    with _surroundings(), signals.handled(ends_process=False):
        try:
            module.main(arguments)
        except SystemExit as end:
            if end.code not in (0, 1, None):  # 1: a run failed, which its table says
                raise
    folder = told()
    if folder is None:
        raise InputError(f"{' '.join(arguments)}: nothing was trained; type it in a shell")
    return folder


@contextlib.contextmanager
def _surroundings() -> Generator[None, None, None]:
    """Leave the process as it was: its command line, its own Hydra, its main module."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.hydra_config import HydraConfig

    argv, path = sys.argv, sys.path.copy()
    hydra, config = GlobalHydra.instance().hydra, HydraConfig.instance().cfg
    GlobalHydra.instance().clear()
    main = sys.modules.get("__main__")
    # A process that we start would run the caller's script once more, up to this very call.
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        if main is not None:
            sys.modules["__main__"] = main
        sys.argv, sys.path[:] = argv, path
        GlobalHydra.instance().hydra = hydra
        HydraConfig.instance().cfg = config
