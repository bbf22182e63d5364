"""What was done to images, and which of them are the same: a line each."""

from collections.abc import Callable, Sequence

from sgdlab.datasets.image_decoding import Decoded, Header, PixelFormat
from sgdlab.datasets.image_folders import ImageFile, some


def note_of_changes(
    headers: Sequence[Header], images: Sequence[Decoded], form: PixelFormat
) -> list[str]:
    """Return how many images were resized, turned and so on, as one line; none if none was."""

    def of(is_so: Callable[[Header], bool]) -> int:
        return sum(map(is_so, headers))

    size = (form.height, form.width)
    counts = {
        f"resized to cover {size[0]}x{size[1]} and cut to it": of(lambda h: h.size != size),
        "turned or mirrored as EXIF says": of(lambda h: h.rotated),
        "in colour made grey": of(lambda h: form.channels == 1 and not h.grey),
        "with transparent pixels laid on white": sum(image.transparent for image in images),
        "of several frames, the first used": of(lambda h: h.frames),
        "of 16 bits made fractions on the scale of 8": of(lambda h: h.depth == "16"),
        "of 16 bits, of which Pillow keeps 8": of(lambda h: h.cut),
    }
    found = [f"{count} {what}" for what, count in counts.items() if count]
    return [f"images: of {len(headers)}, {', '.join(found)}"] if found else []


def notes_of_copies(files: Sequence[ImageFile], images: Sequence[Decoded]) -> list[str]:
    """Return which images have the same pixels, those that spoil a score first."""
    alike: dict[str, list[ImageFile]] = {}
    for file, image in zip(files, images, strict=True):
        alike.setdefault(image.digest, []).append(file)
    copies = [same for same in alike.values() if len(same) > 1]
    kinds: dict[str, list[str]] = {}
    for part, other in (("test", "train"), ("val", "train"), ("test", "val")):
        kinds[f"in {part} with the pixels of one in {other}"] = [
            f"{file.name} = {first.name}"
            for same in copies
            for first in [file for file in same if file.part == other][:1]
            for file in same
            if file.part == part
        ]
    kinds["with the pixels of one in another class"] = [
        f"{file.name} = {same[0].name}"
        for same in copies
        for file in same
        if file.label != same[0].label
    ]
    kinds["in train with the pixels of one before, which dataset.group=copies keeps beside"] = [
        f"{file.name} = {first.name}"
        for same in copies
        for first, *others in [[file for file in same if file.part == "train"] or same[:1]]
        for file in others
    ]
    return [f"images: {some(names, kind, most=2)}" for kind, names in kinds.items() if names]
