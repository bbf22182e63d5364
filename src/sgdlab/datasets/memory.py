"""How much memory this machine can spare."""

import os
from pathlib import Path

_UNKNOWN = 2**31
"""Bytes that are taken for spare where nothing says."""


def half_of_free() -> int:
    """Return half of the bytes of main memory that are free, or a quarter of all if none says."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024 // 2
    except OSError:
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (AttributeError, ValueError, OSError):  # Windows has no such call
        return _UNKNOWN
