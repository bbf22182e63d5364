"""How a report is made: from which folders or archives, and with which options."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sgdlab.terminal.display import shown
from sgdlab.visible import shell_path, shell_word


@dataclass(frozen=True)
class Origin:
    """Where the runs of a report come from.

    Attributes:
        typed: Folders and archives, as they are typed into the command.
        out: The folder of the report, likewise.
        bundles: Those that are archives.
        problems: A line for every file of an archive that is not as it was packed.
    """

    typed: list[str]
    out: str
    bundles: list[str] = field(default_factory=list[str])
    problems: list[str] = field(default_factory=list[str])

    @classmethod
    def of(cls, roots: Sequence[Path], out: Path) -> "Origin":
        """Return that of folders."""
        return cls([shown(root.resolve()) for root in roots], shown(out.resolve()))

    def add_to(self, problems: list[str]) -> None:
        """Put the problems of the archives in the place of what became of them."""
        named = {_file_of(problem) for problem in self.problems}
        problems[:] = [p for p in problems if _file_of(p) not in named] + self.problems


def _file_of(problem: str) -> str:
    return problem.partition(": ")[0].partition(", line ")[0]


@dataclass(frozen=True)
class Making:
    """What the command of a report names.

    Attributes:
        origin: Where its runs come from.
        by: The settings compared; empty: optimizers, which need no word.
        target: The target that was given.
        margin: The margin that was given.
        line: The whole command, where it is another one than ``report``.
    """

    origin: Origin
    by: Sequence[str] = ()
    target: float | str | None = None
    margin: float | str | None = None
    line: str = ""

    def command(self) -> str:
        """Return the line that makes the report, for a POSIX shell."""
        if self.line:
            return self.line
        words = ["sgdlab report", *map(shell_path, self.origin.typed)]
        if self.origin.out != default_out(self.origin.typed, self.origin.bundles):
            words += ["--out", shell_path(self.origin.out)]
        if self.by:
            words.append(f"--by {shell_word(','.join(self.by))}")
        given = {"--target": self.target, "--margin": self.margin}
        words += [f"{flag} {shell_word(str(v))}" for flag, v in given.items() if v is not None]
        return " ".join(words)


def default_out(typed: Sequence[str], bundles: Sequence[str]) -> str:
    """Return the folder of a report whose command does not name one."""
    if len(typed) > 1:
        return "report"
    (only,) = map(Path, typed)
    return str(only.with_name(f"{only.stem}-report") if bundles else only / "report")
