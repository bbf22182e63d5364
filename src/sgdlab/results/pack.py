"""Packs the runs of a study into Parquet files, and unpacks them, byte for byte."""

import os
import shutil
import stat
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from sgdlab.errors import InputError, writing
from sgdlab.results.contract import ENDED
from sgdlab.results.files import LARGE, own_contents
from sgdlab.results.find import folders
from sgdlab.results.lock import WAIT, held
from sgdlab.results.manifest import damage_in
from sgdlab.results.packed import LEVELS, PackedStudy, found, packed_in
from sgdlab.results.packed_parts import PACKED, groups_of, parquet, parts_in
from sgdlab.results.read import read_summary
from sgdlab.results.write_parts import Files, names_of, sync, write_part

_RUNS, _BYTES = 1000, 2**26
"""Runs and bytes of a part at most."""

_GONE, _NEW = ".gone", ".new"
"""Folders in which runs end and begin, so that none is seen half there."""


class Moved(NamedTuple):
    """What was packed or unpacked.

    Attributes:
        runs: How many runs.
        before: The bytes of their files before.
        after: The bytes after.
        left: A line for each run that stays as it is.
    """

    runs: int
    before: int
    after: int
    left: list[str]


def pack(
    study: Path,
    tell: Callable[[int], None] = lambda _: None,
    runs: Sequence[str] | None = None,
) -> Moved:
    """Pack the runs of a study that have ended; those that have not stay as they are.

    A part is read again and compared with the files before these are deleted. Whenever the process
    ends, each run is in its folder or in a part, or in both; calling it again goes on.

    Args:
        study: The folder, which the caller holds.
        tell: Told how many runs are packed so far.
        runs: The folders of those that may be packed, sorted; None: all of the study.

    Raises:
        InputError: There is no run in it, or it has something in the place of the packed runs.
    """
    parquet()
    folder = _own_folder(study)
    there = [own for own in (folders([study])[0] if runs is None else runs) if os.path.isdir(own)]
    if not there and packed_in(str(study)) is None:
        raise InputError(f"{study}: no run in it, so no study; name the folder of one")
    if str(study) in there:
        raise InputError(f"{study}: a run; name the folder of a study, which holds runs")
    left: list[str] = []
    number = next(iter(parts_in(str(folder))[::-1]), -1) + 1
    count = before = after = size = 0
    waiting: dict[str, Files] = {}
    for place, directory in enumerate(there):
        files = None
        if len(Path(directory).relative_to(study).parts) <= LEVELS:
            files = _files_to_pack(Path(directory), left)
        else:  # whoever reads it would not look so far up for its study
            left.append(f"{directory}: more than {LEVELS} folders below; pack its own study")
        if files is not None:
            waiting[Path(directory).relative_to(study).as_posix()] = files
            size += sum(map(len, files.values()))
        last = place == len(there) - 1
        if waiting and (last or len(waiting) >= _RUNS or size >= _BYTES):
            after += write_part(folder, number, waiting)
            _remove(study, folder, waiting)
            count, before, number = count + len(waiting), before + size, number + 1
            waiting, size = {}, 0
            tell(count)
    return Moved(count, before, after, left)


def _own_folder(study: Path) -> Path:
    """Return the folder of the parts, without what a killed process has left in it."""
    folder = study / PACKED
    if study.is_symlink():
        raise InputError(f"{study}: a link; name the folder itself")
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"{folder}: a link or no folder, where packed runs lie; move it")
    ours = {name for part in parts_in(str(folder)) for name in names_of(part)}
    for entry in list(os.scandir(folder)) if folder.is_dir() else ():
        if entry.name in (_GONE, _NEW) and entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name not in ours and not _is_leftover(entry):
            raise InputError(f"{entry.path}: not of sgdlab pack; move it")
    return folder


def _is_leftover(entry: os.DirEntry[str]) -> bool:
    """Say whether a file is what a killed process has left of a part."""
    name = entry.name.removeprefix(".")
    return name.startswith("part-") and entry.is_file(follow_symlinks=False)


def _files_to_pack(directory: Path, left: list[str]) -> Files | None:
    """Return the files of a run that has ended and is whole; None for another, with a line."""
    try:
        summary = read_summary(directory)
    except InputError as error:
        left.append(str(error))
        return None
    if summary is None or summary["status"] not in ENDED:
        left.append(f"{directory}: {'not ended' if summary is None else summary['status']}")
        return None
    if damages := damage_in(directory):
        left.append(next(iter(damages.values())))
        return None
    files: Files = {}
    for entry in sorted(os.scandir(directory), key=lambda entry: entry.name):
        if entry.is_symlink() or not entry.is_file(follow_symlinks=False):
            left.append(f"{entry.path}: {'a link' if entry.is_symlink() else 'no file'} in a run")
            return None
        if stat.S_IMODE(entry.stat().st_mode) & 0o111 or entry.stat().st_size > LARGE:
            left.append(f"{entry.path}: executable, or too large")
            return None
        files[entry.name] = own_contents(entry.path, LARGE)
    return files


def _remove(study: Path, folder: Path, runs: Iterable[str]) -> None:
    """Delete the folders of runs that are in a part; each is gone at once, or there."""
    gone = folder / _GONE
    gone.mkdir(exist_ok=True)
    for number, run in enumerate(runs):
        with writing(study / run):
            os.rename(study / run, gone / str(number))
    shutil.rmtree(gone)


def unpack(study: Path, tell: Callable[[int], None] = lambda _: None) -> Moved:
    """Give every packed run of a study its folder back, and delete the parts.

    Each file is compared with its hash before the folder appears. Whenever the process ends, each
    run is in its folder or in a part, or in both; calling it again goes on.

    Args:
        study: The folder, which the caller holds.
        tell: Told how many runs are unpacked so far.

    Raises:
        InputError: Nothing is packed, or a part is damaged, which then stays.
    """
    parquet()
    folder = _own_folder(study)
    packed = packed_in(str(study))
    if packed is None:
        raise InputError(f"{study}: nothing is packed in it")
    count = after = 0
    size = sum(file.stat().st_size for file in folder.iterdir())
    for part in parts_in(str(folder)):
        for group in groups_of(str(folder), part):
            for run in group["runs"]:
                if packed.runs[run].part == part and not os.path.lexists(study / run):
                    after += restore(packed, study, run)
                    count += 1
            tell(count)
        sync(study)
        for name in names_of(part):  # the listing first: without it, there is no part
            (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder / _NEW, ignore_errors=True)
    for file in folder.iterdir():  # what a killed process has left of a part
        file.unlink()
    folder.rmdir()
    return Moved(count, size, after, [])


def restore(packed: PackedStudy, study: Path, run: str) -> int:
    """Give one packed run its folder back, which from then on is the run; return its bytes.

    Raises:
        InputError: What is packed is not what was; no folder appears.
    """
    new = Path(packed.folder) / _NEW / "run"
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    size = 0
    for name in packed.names(run):
        content = packed.content(run, name, whole=True) or b""
        with writing(new / name), (new / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        size += len(content)
    (study / run).parent.mkdir(parents=True, exist_ok=True)
    with writing(study / run):
        os.rename(new, study / run)
    return size


def give_folder_back(directory: Path) -> None:
    """Let a run that lies packed have its folder, in which something is about to change."""
    place = found(str(directory))
    if place is not None:
        packed, run = place
        with held(packed.folder, WAIT):  # another sweep of the study may pack
            restore(packed, Path(packed.folder).parent, run)
