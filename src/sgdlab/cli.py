"""The command line: picks the command and imports it; no logic."""

import contextlib
import importlib
import os
import signal
import sys
import time
import traceback

from sgdlab import signals, startup
from sgdlab.config import torchrun
from sgdlab.errors import InputError, UnwritableError, has_own_place, in_one_line, said_of, suggest
from sgdlab.visible import shell_path, shell_word

COMMANDS = {
    "train": ("sgdlab.commands.train", "one run; with -m a sweep"),
    "compare": ("sgdlab.commands.compare", "tune optimizers alike, re-run the winners, report"),
    "ablate": ("sgdlab.commands.ablate", "which ingredients of a recipe earn their place"),
    "report": ("sgdlab.commands.report", "tables and plots from finished runs"),
    "judge": ("sgdlab.commands.judge", "a verdict on anyone's runs: tables, trackers, text logs"),
    "bundle": ("sgdlab.commands.bundle", "a study in one archive, which report reads"),
    "pack": ("sgdlab.commands.pack", "the runs of a large study in a few Parquet files"),
    "unpack": ("sgdlab.commands.unpack", "packed runs in folders again, byte for byte"),
    "lr-find": ("sgdlab.commands.lr_find", "learning-rate range test: curve, suggestions"),
    "diagnose": ("sgdlab.commands.diagnose", "symptoms of finished runs, causes, what to do first"),
    "conform": ("sgdlab.commands.conform", "are two optimizers the same, and if not, why not"),
    "verify": ("sgdlab.commands.verify", "closed forms of theory, predicted against measured"),
    "doctor": ("sgdlab.commands.doctor", "versions, device, compiler, extras, a short benchmark"),
    "list": ("sgdlab.commands.list_members", "what there is to choose from, a line each"),
}

EXPERIMENTS = ("train", "compare", "lr-find", "verify")
"""Commands that Hydra composes a config for."""

_UNTIL_SAID = 3.0
"""Seconds: torchrun ends all processes once rank 0 has refused; what it takes, others speak of."""

RESTARTED = "torchrun --max-restarts=3 goes on by itself, from the last checkpoint"
"""How a run goes on that has lost a process."""

HELP = """\
sgdlab: which optimizer, with which settings, for this model and this data, and how sure?

usage: sgdlab COMMAND [key=value ...]

{commands}

examples:
  sgdlab train optimizer=nesterov lr=0.1
  sgdlab train -m optimizer=momentum,adamw lr=0.001,0.01,0.1 seed=0,1,2
  sgdlab compare optimizers=[nesterov,adamw] dataset=digits model=mlp
  sgdlab report runs/NAME
  sgdlab judge results.csv --group optimizer --unit seed --metric val_loss
  sgdlab lr-find optimizer=adamw
  sgdlab diagnose runs/NAME

sgdlab COMMAND --help shows the keys of a command; sgdlab --version the version.
"""


def main() -> int:
    """Run ``sgdlab``; return 0, 1 when a run failed, 2 for bad input, 128 + n told to stop by n.

    1, too, where the machine does not take what is written: a full disk, a closed output.
    """
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    silent = torchrun.is_silent()
    with startup.streams():
        try:
            with signals.handled(), startup.silenced(silent):
                return _run_and_print(sys.argv[1:])
        except KeyboardInterrupt as error:
            told: BaseException = error
            line, code = _interrupted(error)
        except (InputError, OSError) as error:
            if isinstance(error, OSError) and error.filename is None:
                raise  # nothing that was read or written: a fault of ours
            told = error
            line, code = said_of(error) if isinstance(error, OSError) else (str(error), 2)
            if full_error:
                traceback.print_exc()
            elif has_own_place(error):
                line += "; HYDRA_FULL_ERROR=1 shows the traceback"
        if silent and not (isinstance(told, signals.Lost) and told.speaks):
            if not isinstance(told, InputError):
                return code
            time.sleep(_UNTIL_SAID)
            line = f"rank {os.environ['RANK']}: {line}"
        line = f"sgdlab: {in_one_line(line)}"
        if sys.stderr.isatty():
            from sgdlab.terminal.console import wrapped  # rich takes time to import

            line = wrapped(line, sys.stderr)
        print(line, file=sys.stderr)
        return code


def _interrupted(error: KeyboardInterrupt) -> tuple[str, int]:
    """Return what is said of an interrupt, and the exit code."""
    told = error if isinstance(error, signals.Interrupted) else signals.Interrupted()
    if isinstance(told, signals.Lost):
        return f"{told.line}; {told.how or RESTARTED}", told.code
    by = "" if told.number == signal.SIGINT else f" ({told})"
    how = told.how or "a sweep or comparison goes on when the command is typed again"
    return f"interrupted{by}; {how}", told.code


def _run_and_print(arguments: list[str]) -> int:
    """Run a command, and put what it printed where it goes; see `_run`.

    Raises:
        UnwritableError: That is a full disk, or closed.
    """
    try:
        try:
            return _run(arguments)
        finally:
            sys.stdout.flush()
    except UnwritableError:
        _forget_output()
        raise


def _forget_output() -> None:
    """Let what could not be printed go nowhere: Python tries again at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if len(arguments) == 2 and arguments[0] == "help" and arguments[1] in COMMANDS:
        arguments = [arguments[1], "--help"]
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = (f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
        print(HELP.format(commands="\n".join(lines)), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    torchrun.refuse_command(name, rest)
    if name in ("-V", "--version"):
        from importlib.metadata import version

        print(f"sgdlab {version('sgdlab')}")
        return 0
    if name not in COMMANDS:
        raise InputError(f"{name}: {_no_command(name, arguments)}")
    if rest == ["help"] and not os.path.lexists("help"):
        rest = ["--help"]
    if name in EXPERIMENTS:
        from sgdlab.config.front import answer  # no torch, no Hydra

        if (text := answer(name, rest, COMMANDS)) is not None:
            print(text, end="")
            return 0
    # Read when torch is loaded. Threads that spin while they wait take each other's cores where
    # other processes run, too: measured on two cores, a step then took up to 40 times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with startup.kept():
        command = importlib.import_module(COMMANDS[name][0])
    return command.main(rest)


def _no_command(name: str, arguments: list[str]) -> str:
    """Say what a first word that is no command may have been meant to be."""
    if "=" in name or name.startswith("-"):
        return f"no command; write sgdlab train {' '.join(map(shell_word, arguments))}"
    if os.path.isdir(name):
        return f"a folder, and no command; write sgdlab report {shell_path(name)}"
    return f"no such command; {suggest(name, COMMANDS)}"


if __name__ == "__main__":
    sys.exit(main())
