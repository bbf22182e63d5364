"""Text from files that may be anyone's, shown as text: no character of it acts on what shows it."""

import re
import shlex

# Control characters (C0, DEL, C1), separators of lines and paragraphs, marks of direction, other
# characters without a picture of their own, tags, and what a file name that is no UTF-8 decodes to.
_HIDDEN = (
    "\x00-\x1f\x7f-\x9f\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f"
    "\ud800-\udfff"
)
HIDDEN = re.compile(f"[{_HIDDEN}]")
"""One character that is not seen as itself: it moves, colours, reorders or hides what is around."""

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def visible(text: str) -> str:
    r"""Return text in one line that shows as itself wherever it is written.

    What controls a terminal, a page or the direction of writing is shown by its number: ``\x1b``,
    ``\u202e``; a byte of a file name that is no UTF-8 as that byte: ``\xe9``.
    """
    return text if text.isascii() and text.isprintable() else HIDDEN.sub(_escaped, text)


def visible_lines(text: str) -> str:
    """Return text as `visible` does, in as many lines as it has."""
    return "\n".join(map(visible, text.split("\n")))


def _escaped(match: re.Match[str]) -> str:
    letter = match[0]
    code = ord(letter) - (0xDC00 if "\udc80" <= letter <= "\udcff" else 0)
    if letter in _NAMED:
        return _NAMED[letter]
    return f"\\x{code:02x}" if code < 0x100 else letter.encode("ascii", "backslashreplace").decode()


def shell_word(text: str) -> str:
    r"""Return text as one word of a shell, which shows as itself.

    A word with hidden characters is quoted as bash, zsh and POSIX of 2024 read it: ``$'caf\xe9'``.
    """
    if not HIDDEN.search(text):
        return shlex.quote(text)
    words = text.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{HIDDEN.sub(_octal, words)}'"


def without_password(text: str) -> str:
    """Return text, the name and password in its URLs hidden: ``http://***@host``."""
    return re.sub(r"(?<=://)[^/@\s]*@", "***@", text)


def shell_path(path: str) -> str:
    """Return a path as one word of a shell that no command takes for an option."""
    return shell_word(f"./{path}" if path.startswith("-") else path)


def _octal(match: re.Match[str]) -> str:
    # Bytes in octal: three digits end by themselves, whatever follows.
    return "".join(f"\\{byte:03o}" for byte in match[0].encode("utf-8", "surrogateescape"))
