"""Text as Hydra's command line reads it back. Imports neither Hydra nor torch."""

import re

_PLAIN = re.compile(r"[A-Za-z_/*][\w./*-]*", re.ASCII)
_WORDS = ("true", "false", "null", "nan", "inf")


def as_typed(text: str) -> str:
    """Return text as the value of an override, in quotes where it would be read as another."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else quoted(text)


def quoted(text: str) -> str:
    """Return text in quotes of Hydra's, where a backslash counts before a quote and at the end."""
    inside = re.sub(r"(\\*)'", r"\1\1\\'", text)
    return "'" + re.sub(r"(\\+)$", r"\1\1", inside) + "'"
