"""The parser of a command's flags."""

import argparse
from typing import Any, NoReturn

from sgdlab.errors import InputError


class Parser(argparse.ArgumentParser):
    """A parser that raises what argparse would print, to be said in one line as any bad input.

    Args:
        command: The word after ``sgdlab``.
        help_flag: The flag that shows the flags; the refusal names it.
        settings: Further arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, command: str, *, help_flag: str = "--help", **settings: Any) -> None:
        super().__init__(prog=f"sgdlab {command}", **settings)
        self._command = command
        self._help_flag = help_flag

    def error(self, message: str) -> NoReturn:
        """Refuse the command line.

        Raises:
            InputError: Always.
        """
        see = f"see {self.prog} {self._help_flag}"
        raise InputError(f"{self._command}: {message}; {see}")
