"""Finds the images of a folder of classes, and says what else lies there."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from sgdlab.datasets.image_splits import PARTS, are_splits, part_of
from sgdlab.errors import InputError, listed

# Pillow knows them, but hands them to other programs or to nobody.
_UNREAD = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


@dataclass(frozen=True)
class ImageFile:
    """An image on disk.

    Attributes:
        path: Where it lies.
        name: Its path in the folder, as messages show it.
        label: The number of its class.
        part: ``train``, ``val`` or ``test``, as its folder says; ``train`` where none does.
        folder: The folder in its class that holds it; its own name if it lies in none.
    """

    path: Path
    name: str
    label: int
    part: str
    folder: str


@dataclass(frozen=True)
class ImageFolder:
    """The images of a folder.

    Attributes:
        classes: Names of the classes, sorted.
        files: The images, sorted by split, class and path.
        notes: What else was found, a line each.
    """

    classes: list[str]
    files: list[ImageFile]
    notes: list[str]


@dataclass
class _Aside:
    """What lies in a folder and is not used, by kind."""

    other: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)

    def notes(self) -> list[str]:
        kinds = {
            "not images by their names": self.other,
            "hidden": self.hidden,
            "links, broken, to a folder or out of it": self.links,
        }
        found = [some(names, kind) for kind, names in kinds.items() if names]
        return [f"left out: {', '.join(found)}"] if found else []


def some(names: Sequence[str], kind: str = "", most: int = 3) -> str:
    """Return the number of names, of which kind, and the first: ``5 hidden (a, b, c, …)``."""
    # A file's name may hold a line break, or bytes that are no text.
    shown = [name if name.isprintable() else ascii(name) for name in names[: most + 1]]
    return f"{len(names)} {kind}{' ' if kind else ''}({listed(shown, most)})"


def find_images(folder: Path, where: str) -> ImageFolder:
    """Return the images in ``folder/CLASS/…``, or in ``folder/train/CLASS/…`` and so on.

    Files of a class may lie in folders of their own. Beside ``train`` (or ``training``, in any
    capitals) may lie ``val`` (``valid``, ``validation``) and ``test`` (``testing``), with the
    classes of ``train``. Hidden files, files without the
    extension of an image and links that lead elsewhere are left out, and said.

    Args:
        folder: The folder.
        where: What messages call it.

    Raises:
        InputError: No folder, fewer than two classes, a class without images, or classes of a
            split that training lacks; one line says which.
    """
    if not folder.is_dir():
        raise InputError(f"{where}: {'a file, no folder' if folder.exists() else 'no such folder'}")
    aside = _Aside()
    root = folder.resolve()
    top = _folders(root, root, aside)
    inner = {name: [*_folders(path, root, _Aside())] for name, path in top.items()}
    split = are_splits(inner, where)
    sources = {part_of(name): path for name, path in top.items()} if split else {"train": root}
    train = _folders(sources["train"], root, aside) if split else top
    classes = sorted(train)
    _require_classes(classes, root, sources["train"], where)
    files: list[ImageFile] = []
    for part in (part for part in PARTS if part in sources):
        source = sources[part]
        found = train if part == "train" else _folders(source, root, aside)
        if odd := sorted(set(found) - set(classes)):
            raise InputError(
                f"{where}: {source.name} has classes that train lacks: {some(odd)}; what is not "
                "trained on cannot be told"
            )
        for label, name in enumerate(classes):
            if name in found:
                files += _files(found[name], root, label, part, aside)
        require_images(files, classes, part, where, aside.other + aside.links)
    return ImageFolder(classes, files, [*_alike(classes), *aside.notes()])


def _entries(folder: Path, root: Path, aside: _Aside) -> Iterator[os.DirEntry[str]]:
    """Yield what lies in a folder, sorted; what is hidden or a link elsewhere is put aside."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{folder}: cannot be read ({error.strerror})") from error
    for entry in entries:
        name = Path(entry.path).relative_to(root).as_posix()
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            aside.hidden.append(name)
        elif entry.is_symlink() and not _leads_to_a_file_inside(entry.path, root):
            aside.links.append(name)
        else:
            yield entry


def _leads_to_a_file_inside(link: str, root: Path) -> bool:
    target = Path(os.path.realpath(link))
    return target.is_file() and target.is_relative_to(root)


def _folders(folder: Path, root: Path, aside: _Aside) -> dict[str, Path]:
    """Return the folders in a folder; files beside them are put aside."""
    folders: dict[str, Path] = {}
    for entry in _entries(folder, root, aside):
        if entry.is_dir():
            folders[entry.name] = Path(entry.path)
        else:
            aside.other.append(Path(entry.path).relative_to(root).as_posix())
    return folders


def _files(folder: Path, root: Path, label: int, part: str, aside: _Aside) -> list[ImageFile]:
    """Return the images in a folder and in all folders in it, sorted by their paths."""
    known, files = _extensions(), list[ImageFile]()
    waiting = [folder]
    while waiting:
        for entry in _entries(waiting.pop(), root, aside):
            path = Path(entry.path)
            if entry.is_dir():
                waiting.append(path)
            elif entry.is_file() and path.suffix.lower() in known:
                name = path.relative_to(root).as_posix()
                home = name if path.parent == folder else os.path.dirname(name)
                files.append(ImageFile(path, name, label, part, home))
            else:
                aside.other.append(path.relative_to(root).as_posix())
    return sorted(files, key=lambda file: file.name)


def _extensions() -> set[str]:
    Image.init()
    readable = set(Image.OPEN) - _UNREAD
    return {suffix for suffix, kind in Image.registered_extensions().items() if kind in readable}


def _require_classes(classes: list[str], root: Path, source: Path, where: str) -> None:
    if len(classes) > 1:
        return
    if not classes:
        raise InputError(f"{where}: no folders in it; expected one of each class, with its images")
    deeper = f"{where.rstrip('/')}/{classes[0]}"
    several = len(_folders(source / classes[0], root, _Aside())) > 1
    hint = f"; did you mean {deeper}?" if several else ""
    raise InputError(f"{where}: one class only, {classes[0]}: expected a folder of each{hint}")


def require_images(
    files: Sequence[ImageFile], classes: Sequence[str], part: str, where: str, aside: Sequence[str]
) -> None:
    """Refuse a split without images, and training that lacks those of a class.

    Args:
        files: The images.
        classes: Names of the classes.
        part: The split.
        where: What messages call the folder.
        aside: Names of files that were left out, which may be those that somebody misses.

    Raises:
        InputError: One line that names what is empty.
    """
    filled = {file.label for file in files if file.part == part}
    if not filled and part != "train":
        raise InputError(f"{where}: no images in {part}; fill it, or remove it")
    empty = [name for label, name in enumerate(classes) if label not in filled]
    if part == "train" and empty:
        missed = [name for name in aside if f"{empty[0]}/" in name]
        instead = f", but {some(missed)}" if missed else ""
        raise InputError(
            f"{where}: no images of {some(empty)} to train on{instead}; fill these folders, or "
            "remove them"
        )


def _alike(classes: list[str]) -> list[str]:
    lower = [name.lower() for name in classes]
    alike = [name for name in classes if lower.count(name.lower()) > 1]
    return [f"classes that differ only in capitals: {some(alike)}"] if alike else []
