"""The command line: picks the command and imports it; no logic."""

import importlib
import os
import sys
import traceback

from sgdlab import startup
from sgdlab.errors import InputError, suggest

COMMANDS = {
    "train": ("sgdlab.commands.train", "one run; with -m a sweep"),
    "compare": ("sgdlab.commands.compare", "tune optimizers alike, re-run the winners, report"),
    "report": ("sgdlab.commands.report", "tables and plots from finished runs"),
    "lr-find": ("sgdlab.commands.lr_find", "learning-rate range test: curve, suggestions"),
    "diagnose": ("sgdlab.commands.diagnose", "symptoms of finished runs, causes, what to do first"),
    "verify": ("sgdlab.commands.verify", "closed forms of theory, predicted against measured"),
    "list": ("sgdlab.commands.list_members", "what there is to choose from, a line each"),
}

HELP = """\
sgdlab: which optimizer, with which settings, for this model and this data, and how sure?

usage: sgdlab COMMAND [key=value ...]

{commands}

examples:
  sgdlab train optimizer=nesterov lr=0.1
  sgdlab train -m optimizer=momentum,adamw lr=0.001,0.01,0.1 seed=0,1,2
  sgdlab compare optimizers=[nesterov,adamw] dataset=digits model=mlp
  sgdlab report runs/NAME
  sgdlab lr-find optimizer=adamw
  sgdlab diagnose runs/NAME

sgdlab COMMAND --help shows the keys of a command; sgdlab --version the version.
"""


def main() -> int:
    """Run ``sgdlab``; return 0, 1 when a run failed, 2 for bad input, 130 when interrupted."""
    arguments = sys.argv[1:]
    full_error = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        return _run(arguments)
    except InputError as error:
        if full_error:
            traceback.print_exc()
        print(f"sgdlab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "sgdlab: interrupted; a sweep or comparison goes on when the command is typed again",
            file=sys.stderr,
        )
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        width = max(map(len, COMMANDS))
        lines = (f"  {name:<{width}}  {text}" for name, (_, text) in COMMANDS.items())
        print(HELP.format(commands="\n".join(lines)), end="")
        return 0 if arguments else 2
    name, *rest = arguments
    if name in ("-V", "--version"):
        from importlib.metadata import version

        print(f"sgdlab {version('sgdlab')}")
        return 0
    if name not in COMMANDS:
        raise InputError(f"{name}: no such command; {suggest(name, COMMANDS)}")
    # Read when torch is loaded. Threads that spin while they wait take each other's cores where
    # other processes run, too: measured on two cores, a step then took up to 40 times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    with startup.kept():
        command = importlib.import_module(COMMANDS[name][0])
    return command.main(rest)


if __name__ == "__main__":
    sys.exit(main())
