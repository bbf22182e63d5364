"""What a command that runs experiments answers without Hydra and torch: its help, completion."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from sgdlab.config.catalogue import refuse_shadowed
from sgdlab.config.completion import shell_completion
from sgdlab.config.help_page import help_page


def answer(command: str, arguments: Sequence[str], commands: Iterable[str]) -> str | None:
    """Return the answer to ``--help`` and ``--shell-completion``; None: something else is asked.

    Args:
        command: The command.
        arguments: The command line after it.
        commands: All commands, which completion offers.

    Raises:
        InputError: There is no such shell, or no such folder.
    """
    if {"-h", "--help"} & set(arguments):
        own = _after(arguments, ("--config-dir", "-cd"))
        if own is not None:
            refuse_shadowed(Path(own))
        return help_page(command, Path(own) if own is not None else None)
    asked = _after(arguments, ("--shell-completion", "-sc"))
    return None if asked is None else shell_completion(command, asked, commands)


def _after(arguments: Sequence[str], flags: Sequence[str]) -> str | None:
    for index, argument in enumerate(arguments):
        name, equals, value = argument.partition("=")
        if equals and name in flags:
            return value
        if argument in flags and index + 1 < len(arguments):
            return arguments[index + 1]
    return None
