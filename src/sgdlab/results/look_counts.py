"""What ``study.yaml`` says of looks at the verdict of a comparison."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, cast

MADE_LOOKS = "looks"
"""The key with the replicates that there were at each look."""

PLANNED_LOOKS = "planned_looks"
"""The key with those of all looks, where they were planned before the first one."""


def look_counts(study: Mapping[str, Any], key: str) -> tuple[int, ...]:
    """Return the numbers of replicates under a key; empty where they are no rising numbers."""
    value = study.get(key)
    if not isinstance(value, list):
        return ()
    found = [n for n in cast("list[object]", value) if isinstance(n, int) and n > 0]
    whole = len(found) == len(cast("list[object]", value))
    rising = all(a < b for a, b in pairwise(found))
    return tuple(found) if whole and rising else ()
