"""Lines for a person that are neither results nor errors."""

import sys


def warn(text: str) -> None:
    """Print one line of warning on stderr."""
    print(f"sgdlab: note: {text}", file=sys.stderr)
