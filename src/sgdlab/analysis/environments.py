"""What runs ran on: ``environment.json`` of each, read when it is asked for."""

import json
import os
from collections.abc import Sequence
from typing import Any, cast

from sgdlab.analysis.load import Runs
from sgdlab.errors import InputError
from sgdlab.results import checked

Environment = dict[str, Any]


def environments(runs: Runs, rows: Sequence[int]) -> list[Environment]:
    """Return ``environment.json`` of some runs; one that cannot be read is empty, and a problem.

    One that is damaged is a line among the problems of the runs.

    Files of the same content are parsed once, and what they say is one object, not to be changed.
    """
    parsed: dict[bytes, Environment | None] = {}
    for row in rows:
        if row in runs.environments:
            continue
        path = os.path.join(str(runs.rows[row]["directory"]), "environment.json")
        try:
            content = checked(path)
        except FileNotFoundError:
            content = b"{}"
        except InputError as error:
            runs.problems.append(str(error))
            content = b"{}"
        if content not in parsed:
            parsed[content] = _parsed(content)
        if (found := parsed[content]) is None:
            runs.problems.append(f"{path}: not JSON of an environment")
        runs.environments[row] = found or {}
    return [runs.environments[row] for row in rows]


def _parsed(content: bytes) -> Environment | None:
    try:
        found: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return cast("Environment", found) if isinstance(found, dict) else None
