"""Reads the archive of a study, which may be anyone's: what is unpacked lies in one new folder."""

import hashlib
import json
import os
import stat
import zipfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple, cast

from sgdlab.errors import InputError
from sgdlab.results.bundle import CONTENT, FORMAT, REPORT, WEIGHTS, is_bundle
from sgdlab.results.files import LARGE
from sgdlab.results.manifest import FileSum

MOST_FILES = 1_000_000
MOST_BYTES = 2**34
"""Bytes that the tables of an archive say they come to, at most."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, ValueError)
"""What Python raises at an entry that is damaged, encrypted, or packed in an unknown way."""


class Unpacked(NamedTuple):
    """A study that was unpacked.

    Attributes:
        name: The name of its folder, in the folder that was given.
        problems: A line for every file that is not as it was packed.
    """

    name: str
    problems: list[str]


def unpack(archive: Path, into: Path) -> Unpacked:
    """Unpack what a report reads of the archive of a study, and compare all with its hashes.

    Weights are left where they are, and the report that is in it.

    Args:
        archive: The archive.
        into: A folder that is empty.

    Raises:
        InputError: It is no archive of a study, or has names that lead elsewhere, links, or more
            than `MOST_BYTES`.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            return _unpack(archive, opened, into)
    except FileNotFoundError:
        raise InputError(f"{archive}: no such file") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, UnicodeDecodeError) as error:
        if is_bundle(archive):
            raise InputError(
                f"{archive}: damaged or cut short ({error}); copy the bundle again"
            ) from error
        raise _no_bundle(archive) from error


def _no_bundle(archive: Path) -> InputError:
    return InputError(f"{archive}: not a folder, and not a bundle; sgdlab bundle STUDY makes one")


def _unpack(archive: Path, opened: zipfile.ZipFile, into: Path) -> Unpacked:
    entries = _checked(archive, opened.infolist())
    tops = {name.partition("/")[0] for name in entries}
    top = next(iter(tops), "")
    if len(tops) != 1 or (listing := entries.pop(f"{top}/{CONTENT}", None)) is None:
        raise _no_bundle(archive)
    sums = _sums(archive, opened, listing)
    problems: list[str] = []
    for name, known in sums.items():
        entry = entries.pop(f"{top}/{name}", None)
        if entry is None:
            problems.append(f"{top}/{name}: damaged (missing in {archive.name})")
        elif not name.endswith(WEIGHTS):
            kept = not name.startswith(f"{REPORT}/")
            if (wrong := _take(opened, entry, into if kept else None, known)) is not None:
                problems.append(f"{top}/{name}: damaged ({wrong})")
    problems += [f"{name}: damaged (not in {CONTENT} of {archive.name})" for name in entries]
    return Unpacked(top, problems)


def _checked(archive: Path, infos: list[zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an archive by name, if all may be unpacked."""
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name, kind = info.filename, stat.S_IFMT(info.external_attr >> 16)
        if _leads_elsewhere(name):
            raise InputError(f"{archive}: {name!r} in it would lie elsewhere; nothing was unpacked")
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            what = "a link" if kind == stat.S_IFLNK else "no regular file"
            raise InputError(f"{archive}: {name!r} in it is {what}; nothing was unpacked")
        if name in found:
            raise InputError(f"{archive}: {name!r} is in it twice; nothing was unpacked")
        if not info.is_dir():
            found[name] = info
    tables = [info for name, info in found.items() if not name.endswith(WEIGHTS)]
    whole, largest = sum(i.file_size for i in tables), max((i.file_size for i in tables), default=0)
    if len(found) > MOST_FILES or whole > MOST_BYTES or largest > LARGE:
        raise InputError(
            f"{archive}: {len(found):,} files of {whole:,} bytes, the largest of {largest:,}; at "
            f"most {MOST_FILES:,} of {MOST_BYTES:,}, each of {LARGE:,}, are unpacked"
        )
    return found


def _leads_elsewhere(name: str) -> bool:
    parts = name.removesuffix("/").split("/")
    return "\\" in name or "\0" in name or ":" in parts[0] or bool({"", ".", ".."} & set(parts))


def _sums(archive: Path, opened: zipfile.ZipFile, listing: zipfile.ZipInfo) -> dict[str, FileSum]:
    try:
        found: Any = json.loads(opened.read(listing))
        version = found["sgdlab_bundle"]
        if isinstance(version, int) and version > FORMAT:
            raise InputError(f"{archive}: a bundle of a later version of sgdlab; upgrade")
        files = cast("dict[str, dict[str, Any]]", found["files"])
        return {
            str(name): FileSum(int(own["bytes"]), str(own["sha256"])) for name, own in files.items()
        }
    except InputError:
        raise
    except (*_BROKEN, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{archive}: damaged ({CONTENT} in it cannot be read); copy the bundle again"
        ) from error


def _take(
    opened: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path | None, known: FileSum
) -> str | None:
    """Unpack one file as far as it can be read; return what is wrong with it."""
    path = Path(os.devnull) if into is None else into / entry.filename
    path.parent.mkdir(parents=True, exist_ok=True)
    hashed, size, wrong = hashlib.sha256(), 0, ""
    with path.open("wb") as to:
        try:
            with opened.open(entry) as source:
                while part := source.read(1 << 20):
                    to.write(part)
                    hashed.update(part)
                    size += len(part)
        except _BROKEN as error:
            wrong = str(error) or type(error).__name__
    if wrong:
        return wrong
    if size != known.bytes:
        return f"{size:,} bytes, {known.bytes:,} expected"
    if (found := hashed.hexdigest()) != known.sha256:
        return f"its bytes changed: sha256 {found[:12]}…, {known.sha256[:12]}… expected"
    return None
