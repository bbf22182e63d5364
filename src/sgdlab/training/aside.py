"""A stale run, taken out of the tables of its study."""

from pathlib import Path

from sgdlab.results.pack import give_folder_back

SET_ASIDE = {"summary.csv": "summary.stale.csv", "config.yaml": "config.stale.yaml"}
"""What files of a stale run are called until it is made anew."""


def set_aside(directory: Path) -> None:
    """Take a stale run out of the tables of its study, its files kept until it is made anew."""
    give_folder_back(directory)
    for name, other in SET_ASIDE.items():
        if (directory / name).is_file():
            (directory / name).replace(directory / other)
