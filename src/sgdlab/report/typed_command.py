"""The command that made a study, from what its runs recorded."""

import re
import shlex
from pathlib import Path


def typed_command(recorded: object) -> list[str] | None:
    """Return the words of a recorded command line as they were typed, ``sgdlab`` first.

    Args:
        recorded: The entry ``command`` of ``environment.json``, which may be anything.

    Returns:
        None for what made a single run, and for what is no command of ours.
    """
    try:
        words = shlex.split(recorded) if isinstance(recorded, str) else []
    except ValueError:
        return None
    if len(words) < 2 or Path(words[0]).name not in ("sgdlab", "__main__.py"):
        return None
    name, *rest = words[1:]
    is_sweep = name == "train" and not {"-m", "--multirun"}.isdisjoint(rest)
    if not is_sweep and name != "compare":
        return None
    # sgdlab itself puts the signs in front: bounds are merged over those that are shipped.
    return ["sgdlab", name, *(re.sub(r"^\+\+(?=search\.)", "", word) for word in rest)]
