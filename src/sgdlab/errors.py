"""What a user did wrong, or the machine refused, said in one line."""

import contextlib
import difflib
import errno
import functools
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from sgdlab.visible import visible


class InputError(ValueError):
    """Input that cannot be used: the text says what is wrong, where, and what would be right.

    The command line prints the text as one line on stderr and exits with 2.
    """


class UnwritableError(OSError):
    """The machine does not take what is written: a full disk, a limit, a closed output.

    The command line prints the path and the reason as one line on stderr and exits with 1.
    """


@contextlib.contextmanager
def writing(path: Path | str, *parts: Path) -> Iterator[None]:
    """Name what could not be written, and remove its parts.

    Errors of writes to an open file name none, nor do those of ``torch.save``, which wraps them.

    Args:
        path: What is written in the block.
        parts: Files that are of no use unless the block ends well.

    Raises:
        UnwritableError: The machine refused.
    """
    try:
        yield
    except BaseException as error:
        for part in parts:
            with contextlib.suppress(OSError):
                part.unlink()
        refusal = error if isinstance(error, OSError) else error.__context__
        if isinstance(error, OSError | RuntimeError) and isinstance(refusal, OSError):
            raise UnwritableError(refusal.errno, refusal.strerror, str(path)) from error
        raise


_TYPED_WRONG = (
    errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.EINVAL,
    errno.ELOOP, errno.ENOTEMPTY, errno.ENXIO,
)  # fmt: skip
"""What the machine says of a path that cannot be what it should be, whatever the state of disks."""


def said_of(error: OSError) -> tuple[str, int]:
    """Return the line of an error that names a file, and the exit code: 2 for a path typed wrong.

    Args:
        error: The error.
    """
    path = error.filename2 if error.filename2 is not None else error.filename
    return f"{path}: {error.strerror}", 2 if error.errno in _TYPED_WRONG else 1


def refuse_typed(error: OSError, option: str) -> None:
    """Refuse the path of an option where the error is that of the path.

    Args:
        error: The error.
        option: The option and the path, as they are typed.

    Raises:
        InputError: It is.
    """
    if said_of(error)[1] == 2:
        raise InputError(f"{option}: {error.strerror}") from error


LONGEST_LINE = 2000
"""Characters of a line on stderr: a terminal's screen."""


def in_one_line(text: str) -> str:
    """Return a text as one line that a terminal shows as it is: what would act on it is escaped."""
    shown = visible(text)
    half = LONGEST_LINE // 2
    return shown if len(shown) <= LONGEST_LINE else f"{shown[:half]} … {shown[-half:]}"


def nearest(name: str, valid: Iterable[str], count: int = 3) -> list[str]:
    """Return up to ``count`` of ``valid`` that resemble ``name``, best first.

    Case counts for nothing: ``MLP`` is ``mlp``, and nothing else then.
    """
    folded = {each.casefold(): each for each in valid}
    if (same := folded.get(name.casefold())) is not None:
        return [same]
    close = difflib.get_close_matches(name.casefold(), list(folded), n=count, cutoff=0.6)
    return [folded[each] for each in close]


def suggest(name: str, valid: Iterable[str]) -> str:
    """Say what ``name`` may have meant: the nearest valid names, or all of few.

    ``suggest("nestrov", ["sgd", "nesterov"])`` is ``"did you mean nesterov?"``.
    """
    valid = sorted(valid)
    close = nearest(name, valid)
    if close and len(valid) > 3:
        return f"did you mean {' or '.join(close)}?"
    return f"valid: {listed(valid, 24)}"


def listed(names: Sequence[str], most: int) -> str:
    """Return names as text, of more than ``most`` the first: ``a, b, …``."""
    return ", ".join([*names[:most], *["…"] * (len(names) > most)])


LONGEST_REASON = 500
"""Characters of a ``reason``; the whole text is in ``error.txt``."""


def one_line(error: BaseException) -> str:
    """Return the text of an error in one line, whatever it holds."""
    try:
        text = str(error)
    except Exception as own:  # it is the user's, as is what makes its text
        return f"its text cannot be made ({type(own).__name__})"
    return visible(" ".join(text.split()))


def reason_of(error: BaseException) -> str:
    """Return the ``reason`` of a failed run: the kind of an error, its text, its place.

    All in one line. The place is that in the user's own code: ``KeyError: 'zip' at parts.py:24``.
    """
    text, kind, place = one_line(error), visible(type(error).__name__), place_of(error)
    at = f" at {place}" if place else ""
    return shortened(f"{kind}: {text}" if text else kind, LONGEST_REASON - len(at)) + at


def text_of(error: BaseException) -> str:
    """Return the text of an error, as `reason_of` does where it would alone say too little."""
    is_plain = isinstance(error, Exception) and not isinstance(error, LookupError)
    alone = shortened(one_line(error)) if is_plain and not place_of(error) else ""
    return alone or reason_of(error)


def place_of(error: BaseException) -> str:
    """Return file and line of the last call of an error's traceback in code that is the user's own.

    Empty where it has none: all of it is in sgdlab, in the standard library, in installed packages.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    for frame, line in reversed(frames):
        if _is_users(file := frame.f_code.co_filename):
            path, here = Path(file), Path.cwd()
            shown = path.relative_to(here) if path.is_relative_to(here) else path
            return f"{visible(str(shown))}:{line}"
    return ""


@functools.lru_cache(maxsize=4096)
def lies_installed(place: str) -> bool:
    """Say whether a file or folder belongs to an installed package or to the standard library."""
    path, paths = Path(place).resolve(), sysconfig.get_paths()
    if {"site-packages", "dist-packages"} & set(path.parts):
        return True
    return any(path.is_relative_to(Path(paths[key]).resolve()) for key in ("stdlib", "platstdlib"))


def _is_users(file: str) -> bool:
    path, ours = Path(file), Path(__file__).parent
    is_ours = any(map(path.is_relative_to, [ours, ours.parent / "hydra_plugins"]))
    return path.is_absolute() and not is_ours and not lies_installed(file)


def has_own_place(error: BaseException) -> bool:
    """Say whether the text of an error names a place in the user's own code, of what led to it."""
    cause, text, seen = error.__cause__, str(error), list[BaseException]()
    while cause is not None and cause not in seen:  # one that was carried past Hydra is its own
        if (place := place_of(cause)) and f" at {place}" in text:
            return True
        seen.append(cause)
        cause = cause.__cause__
    return False


def shortened(text: str, most: int = LONGEST_REASON) -> str:
    """Return a text of at most so many characters, marked where it is cut."""
    mark = f" … [cut: {len(text):,} characters]"
    return text if len(text) <= most else text[: most - len(mark)] + mark
