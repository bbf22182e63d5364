"""What a stream takes: a live line and colours on a terminal, plain lines everywhere else."""

import os
import re
import shutil
import sys
import textwrap
from typing import Any, TextIO

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from sgdlab.terminal.quiet import is_quiet


def takes_codes(stream: TextIO) -> bool:
    """Say whether a stream shows what escape codes ask for.

    A terminal does, unless it is dumb (``TERM=dumb``) or its user wants none (``NO_COLOR``).
    """
    dumb = os.environ.get("TERM", "").casefold() in ("dumb", "unknown")
    return not is_quiet() and stream.isatty() and not dumb and not os.environ.get("NO_COLOR")


class Output(Console):
    """A console whose sentences are one line each elsewhere than on a terminal.

    Tables keep their columns; no line ends in blanks.
    """

    def print(self, *objects: Any, soft_wrap: bool | None = None, **how: Any) -> None:
        """Print as `rich.console.Console` does."""
        if self.file.isatty():
            return super().print(*objects, soft_wrap=soft_wrap, **how)
        if soft_wrap is None:
            soft_wrap = all(isinstance(each, str | Text) for each in objects)
        with self.capture() as caught:
            super().print(*objects, soft_wrap=soft_wrap, **how)
        if text := caught.get():
            self.file.write("\n".join(line.rstrip(" ") for line in text.split("\n")))
        return None


def print_sentence(console: Console, text: str, indent: int = 0, style: str = "") -> None:
    """Print a sentence: in lines of a terminal's width there, as one line elsewhere.

    Args:
        console: Where it goes.
        text: The sentence, or several, a line each.
        indent: Blanks before each line.
        style: How a terminal shows it.
    """
    for line in text.split("\n"):
        if console.file.isatty():
            console.print(Padding(Text(line, style), (0, 0, 0, indent), expand=False))
        else:
            console.print(Text(" " * indent + line), soft_wrap=True)


def console(*, stderr: bool = False, elsewhere: int = 160, highlight: bool = True) -> Output:
    """Return a console on standard output or error, without escape codes where none are taken.

    Args:
        stderr: Whether on standard error.
        elsewhere: Columns where there is no terminal.
        highlight: Whether numbers and paths get colours.
    """
    stream = sys.stderr if stderr else sys.stdout
    codes, is_terminal = takes_codes(stream), stream.isatty()
    return Output(
        stderr=stderr, highlight=highlight, force_terminal=codes, quiet=is_quiet(),
        width=None if is_terminal else elsewhere, color_system="auto" if codes else None,
    )  # fmt: skip


_COMMAND = re.compile(r"(?<=[:;] )sgdlab [a-z-]+ .*$")


def wrapped(text: str, stream: TextIO) -> str:
    """Return a sentence in lines that a terminal does not break within words; elsewhere one line.

    A command at its end, to be copied, stays one line of its own.
    """
    if not stream.isatty():
        return text
    width = shutil.get_terminal_size().columns
    if len(text) <= width:
        return text
    command = _COMMAND.search(text)
    lines = textwrap.wrap(
        text[: command.start()] if command else text, max(width, 20), subsequent_indent="  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return "\n".join([*lines, *([f"  {command[0]}"] if command else [])])
