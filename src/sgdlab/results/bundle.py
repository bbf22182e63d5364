"""A study as one archive: its configs, environments, tables and report, with a hash of each."""

import contextlib
import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Generator, Iterable, Iterator, Mapping
from io import BufferedReader, BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from sgdlab.errors import InputError
from sgdlab.results.find import folders
from sgdlab.results.manifest import LISTED, MANIFEST, FileSum
from sgdlab.results.ownership import RECORD, Written, shows
from sgdlab.results.packed import found as packed_run
from sgdlab.results.packed import is_there
from sgdlab.results.write import CONFIG, RUNS, atomic_write_by

CONTENT = "bundle.json"
"""The file of an archive that lists the others, with lengths and hashes; the first one in it."""

FORMAT = 1
"""Version of what an archive holds; raised when older readers would misread it."""

MARK = f'{{\n "sgdlab_bundle": {FORMAT},'.encode()
"""How `CONTENT` begins."""

STUDY_FILES = (CONFIG, "study.yaml", RUNS)
TABLES = (*LISTED, "summary.csv", MANIFEST, "error.txt")
"""Files of a run that go into every archive."""

WEIGHTS = ("checkpoint.pt", "checkpoint.previous.pt", "final.pt", "final_average.pt")
REPORT = "report"

_EPOCH = (1980, 1, 1, 0, 0, 0)


class Packed(NamedTuple):
    """What went into an archive.

    Attributes:
        runs: How many runs.
        files: How many files.
        bytes: What they come to, before they are compressed.
        problems: A line for each that was left out: a link, or no file.
    """

    runs: int
    files: int
    bytes: int
    problems: list[str]


def refuse_no_bundle(out: Path) -> None:
    """Refuse to write an archive where something else is.

    Raises:
        InputError: It is no archive of `pack`.
    """
    right = "so it is not replaced; move it, or choose another file with --out"
    if out.is_symlink() or (out.exists() and not out.is_file()):
        kind = "a link" if out.is_symlink() else "a folder" if out.is_dir() else "no regular file"
        raise InputError(f"{out}: {kind}, {right}")
    if out.exists() and not is_bundle(out):
        raise InputError(f"{out}: no bundle of sgdlab, {right}")


def is_bundle(path: Path) -> bool:
    """Say whether a file begins as an archive of `pack`, be it whole or not."""
    return shows(path, [b"PK\x03\x04"]) and shows(path, [MARK])


def pack(study: Path, out: Path, version: str, weights: bool = False) -> Packed:
    """Write the archive of a study: the same bytes for the same content.

    All lies below one folder, which is called as the study's; names are sorted, times are those of
    1980, and links are not followed.

    Args:
        study: A folder of runs.
        out: The archive.
        version: The version of sgdlab, which it names.
        weights: Whether checkpoints and saved weights go in, too.

    Raises:
        InputError: There is no run in it, or the archive would replace something else.
        UnwritableError: The machine refused; what was there is as it was.
    """
    refuse_no_bundle(out)
    found, problems = folders([study])
    if not found:
        raise InputError(f"{study}: no run in it, so no study; name the folder of one")
    root = study.resolve().name
    sums: dict[str, FileSum] = {}
    for name in sorted(_names(study, found, weights)):
        if (said := _sum_into(sums, study, name)) is not None:
            problems.append(said)
    counts = {"runs": len(found), "files": len(sums), "bytes": sum(s.bytes for s in sums.values())}
    listed = _content(root, version, counts, sums)

    def write(file: IO[bytes]) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(_entry(f"{root}/{CONTENT}", len(listed), zipfile.ZIP_STORED), listed)
            for name, known in sums.items():
                entry = _entry(f"{root}/{name}", known.bytes, zipfile.ZIP_DEFLATED)
                with archive.open(entry, "w") as to, _opened(study / name) as source:
                    _copy(source, to, known.bytes)

    atomic_write_by(write, out)
    return Packed(**counts, problems=problems)


def _content(
    root: str, version: str, counts: Mapping[str, int], sums: Mapping[str, FileSum]
) -> bytes:
    files = {name: known._asdict() for name, known in sums.items()}
    told = {"sgdlab": version, "study": root, "counts": counts, "files": files}
    return (json.dumps({"sgdlab_bundle": FORMAT, **told}, indent=1) + "\n").encode()


def _names(study: Path, found: Iterable[str], weights: bool) -> Iterator[str]:
    """Yield the files of a study that go into its archive, where they are there."""
    yield from (name for name in STUDY_FILES if os.path.lexists(study / name))
    for folder in found:
        below = PurePosixPath(os.path.relpath(folder, study))
        for name in (*TABLES, *(WEIGHTS if weights else ())):
            relative = str(below / name)
            if relative not in STUDY_FILES and is_there(str(study / relative)):
                yield relative
    if not (study / REPORT).is_symlink() and (study / REPORT / RECORD).is_file():
        report = Written(study / REPORT)
        yield from (f"{REPORT}/{name}" for name in (RECORD, *report.names) if name == RECORD
                    or report.holds(name))  # fmt: skip


def _sum_into(sums: dict[str, FileSum], study: Path, name: str) -> str | None:
    """Add the sum of a file; return why it stays out, if it does."""
    path = study / name
    try:
        with _opened(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            sums[name] = FileSum(size, hashlib.file_digest(file, "sha256").hexdigest())
    except InputError as error:
        return str(error)
    except OSError as error:
        return f"{path}: {error.strerror}; left out"
    return None


@contextlib.contextmanager
def _opened(path: Path) -> Generator[BufferedReader | BytesIO]:
    if (place := packed_run(str(path.parent))) is not None:
        packed, run = place
        yield BytesIO(packed.content(run, path.name, whole=True) or b"")
        return
    if path.is_symlink():
        raise InputError(f"{path}: a link, which is not followed; left out")
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InputError(f"{path}: no regular file; left out")
        yield file


def _copy(source: IO[bytes], to: IO[bytes], size: int) -> None:
    while size > 0 and (part := source.read(min(size, 1 << 20))):
        to.write(part)
        size -= len(part)


def _entry(name: str, size: int, kind: int) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type, entry.create_system = kind, 3  # Unix: the bits of rights below
    entry.external_attr, entry.file_size = (stat.S_IFREG | 0o644) << 16, size
    return entry
