"""Lengths and checksums of a run's files: what says that they are as the run has written them."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from sgdlab.errors import InputError
from sgdlab.results.files import contents
from sgdlab.results.packed import is_there

MANIFEST = "manifest.json"

LISTED = (
    "config.yaml", "environment.json", "steps.csv", "evals.csv", "layers.csv", "minimum.csv",
    "landscape.csv",
)  # fmt: skip
"""Files of a run that its manifest lists where they are there, beside ``summary.csv``."""


class FileSum(NamedTuple):
    """The length of a file, or of its beginning, and what its content hashes to."""

    bytes: int
    sha256: str


class RunningSum:
    """The sum of a file as it grows: no row is read again.

    Args:
        content: What stands in the file already.
    """

    def __init__(self, content: bytes = b"") -> None:
        self._bytes = len(content)
        # SHA-256 has instructions of its own in processors: faster than BLAKE2, and known to
        # every tool (sha256sum).
        self._hash = hashlib.sha256(content)

    def add(self, content: bytes) -> None:
        """Take what is appended to the file."""
        self._bytes += len(content)
        self._hash.update(content)

    def value(self) -> FileSum:
        """Return the sum of the file so far."""
        return FileSum(self._bytes, self._hash.hexdigest())


def sum_of(content: bytes) -> FileSum:
    """Return the sum of a whole file."""
    return RunningSum(content).value()


def manifest_text(directory: Path, known: Mapping[str, FileSum], summary: bytes) -> str:
    """Return ``manifest.json`` of a run that ends.

    Args:
        directory: The run directory.
        known: Sums of files that need not be read again.
        summary: The ``summary.csv`` that will be written.
    """
    sums = dict(known)
    for name in LISTED:
        if name not in sums and (directory / name).is_file():
            sums[name] = sum_of((directory / name).read_bytes())
    files = {name: sum_._asdict() for name, sum_ in sums.items()}
    files["summary.csv"] = sum_of(summary)._asdict()
    return json.dumps({"files": files}, indent=1) + "\n"


def read_manifest(directory: Path | str) -> dict[str, FileSum]:
    """Return the sums of a run's files by name; empty for a run that has left none.

    Raises:
        InputError: The manifest itself is damaged.
    """
    path = os.path.join(directory, MANIFEST)
    try:
        content = contents(path)
    except FileNotFoundError:
        return {}
    try:
        return _parsed(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            f"{path}: damaged (lengths and checksums of the run's files expected); make the run "
            "anew with resume=false"
        ) from None


@lru_cache(maxsize=16)  # each file of a run is compared by itself
def _parsed(content: bytes) -> dict[str, FileSum]:
    found: Any = json.loads(content)
    files = cast("dict[str, dict[str, Any]]", found["files"])
    return {str(name): FileSum(**own) for name, own in files.items()}


def check(path: Path | str, content: bytes) -> None:
    """Compare a file of a run with the manifest of the run; without one nothing is known.

    Args:
        path: The file.
        content: What was read from it.

    Raises:
        InputError: The run has ended, and the file is not what it was then.
    """
    directory, name = os.path.split(path)
    known = read_manifest(directory).get(name)
    if known is None or (wrong := _difference(known, content)) is None:
        return
    # Without a summary the run is being made, or was interrupted: its manifest is an older one.
    if name == "summary.csv" or is_there(os.path.join(directory, "summary.csv")):
        raise InputError(f"{path}: damaged ({wrong}); make the run anew with resume=false")


def damage_in(directory: Path) -> dict[str, str]:
    """Return what is wrong with the files of a run that has ended, by name."""
    found: dict[str, str] = {}
    try:
        manifest = read_manifest(directory)
    except InputError as error:
        return {MANIFEST: str(error)}
    for name, known in manifest.items():
        path = directory / name
        try:
            wrong = _difference(known, contents(path, known.bytes + 1))
        except FileNotFoundError:
            wrong = "missing"
        except InputError as error:  # no file, or longer than it was
            wrong = str(error).removeprefix(f"{path}: ")
        except OSError as error:
            wrong = error.strerror or str(error)
        if wrong is not None:
            found[name] = f"{path}: damaged ({wrong})"
    return found


def damage_before(directory: Path, sums: Mapping[str, FileSum]) -> str | None:
    """Return which table lacks the rows that a checkpoint knows; later ones do not matter.

    Args:
        directory: The run directory.
        sums: The sums of the tables when the checkpoint was made.
    """
    for name, known in sums.items():
        path = directory / name
        if not path.is_file():
            return f"{name} is missing"
        with path.open("rb") as file:
            wrong = _difference(known, file.read(known.bytes))
        if wrong is not None:
            return f"{name} is damaged ({wrong})"
    return None


def _difference(known: FileSum, content: bytes) -> str | None:
    if len(content) != known.bytes:
        return f"{len(content):,} bytes, {known.bytes:,} expected"
    if (found := hashlib.sha256(content).hexdigest()) != known.sha256:
        return f"its bytes changed: sha256 {found[:12]}…, {known.sha256[:12]}… expected"
    return None
