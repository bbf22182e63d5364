"""Real files of every mode, read as Pillow and NumPy read them by hand."""

import itertools
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from photos import load, noise, photos, save
from PIL import Image, ImageOps
from torch.utils.data import DataLoader

from sgdlab.datasets.image_files import ImageFiles
from sgdlab.datasets.lazy import LazyRows
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError


def one(folder: Path, **settings: Any) -> np.ndarray:
    """Return the pixels ``[height, width, channels]`` of ``a/it.*``, beside a filler."""
    with Image.open(next((folder / "a").glob("it.*"))) as image:
        width, height = ImageOps.exif_transpose(image).size
    if not (folder / "b").exists():
        save(folder / "b" / "filler.png", Image.new("L", (width, height)))
    x = load(folder, **settings).x
    return x[0].permute(1, 2, 0).numpy()


def test_pixels_and_classes_are_those_of_the_files_in_the_order_of_their_paths(
    tmp_path: Path,
) -> None:
    photos(tmp_path, dog=3, cat=2)
    save(tmp_path / "cat" / "holiday" / "B.PNG", noise(6, 5, 7))
    loaded = load(tmp_path)
    assert loaded.classes == ["cat", "dog"]
    assert loaded.task == "classification"
    assert loaded.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert (loaded.x.dtype, loaded.x.shape) == (torch.uint8, (6, 3, 6, 5))
    paths = [
        "cat/000.png",
        "cat/001.png",
        "cat/holiday/B.PNG",
        *(f"dog/00{i}.png" for i in range(3)),
    ]
    for x, path in zip(loaded.x, paths, strict=True):
        assert np.array_equal(x.permute(1, 2, 0).numpy(), np.asarray(Image.open(tmp_path / path)))
    assert loaded.notes == []
    assert (loaded.val, loaded.test, loaded.group) == (None, None, None)


def test_two_readings_give_the_same_bytes(tmp_path: Path) -> None:
    photos(tmp_path, a=40, b=40)
    first, second = load(tmp_path, size=[3, 4]), load(tmp_path, size=[3, 4])
    assert torch.equal(first.x, second.x)
    assert torch.equal(first.y, second.y)


RGB = noise(6, 5, 0)
GREY = noise(6, 5, 0, colour=False)
LUMA = np.asarray(Image.fromarray(RGB).convert("L"))


@pytest.mark.parametrize("suffix", ["png", "bmp", "tiff", "webp", "gif", "ppm", "jpg"])
def test_every_format_is_read(suffix: str, tmp_path: Path) -> None:
    options = {"lossless": True} if suffix == "webp" else {}
    path = save(tmp_path / "a" / f"it.{suffix}", RGB, **options)
    with Image.open(path) as image:
        assert np.array_equal(one(tmp_path), np.asarray(image.convert("RGB")))
    if suffix not in ("jpg", "gif"):
        assert np.array_equal(one(tmp_path), RGB)


def palette() -> Image.Image:
    image = Image.fromarray(GREY % 4, "P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    return image


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (Image.fromarray(GREY), GREY[..., None]),
        (Image.fromarray(GREY > 127), 255 * (GREY > 127)[..., None]),
        (palette(), np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]])[GREY % 4]),
        (Image.fromarray(np.dstack([RGB, np.full_like(GREY, 255)])), RGB),
        (Image.fromarray(RGB).convert("CMYK"), RGB),
    ],
    ids=["L", "1", "P", "opaque RGBA", "CMYK"],
)
def test_every_mode_is_read(image: Image.Image, expected: np.ndarray, tmp_path: Path) -> None:
    suffix = "tiff" if image.mode == "CMYK" else "png"
    save(tmp_path / "a" / f"it.{suffix}", image)
    assert np.array_equal(one(tmp_path), expected)


def test_a_grey_palette_is_grey(tmp_path: Path) -> None:
    image = Image.fromarray(GREY % 4, "P")
    image.putpalette([0, 0, 0, 80, 80, 80, 160, 160, 160, 240, 240, 240])
    save(tmp_path / "a" / "it.png", image)
    assert np.array_equal(one(tmp_path), 80 * (GREY % 4)[..., None])


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparent_pixels_are_laid_on_white(mode: str, tmp_path: Path) -> None:
    alpha = np.array([0, 64, 128, 255, 255], np.uint8) * np.ones((6, 1), np.uint8)
    if mode == "P":
        image = palette()
        save(tmp_path / "a" / "it.png", image, transparency=1)
        expected = np.array([[255, 0, 0], [255] * 3, [0, 0, 255], [9, 9, 9]])[GREY % 4]
    else:
        colours = RGB if mode == "RGBA" else GREY[..., None]
        save(tmp_path / "a" / "it.png", Image.fromarray(np.dstack([colours, alpha]), mode))
        share = alpha[..., None] / 255
        expected = colours * share + 255 * (1 - share)
    assert np.abs(one(tmp_path) - expected).max() <= 1
    assert load(tmp_path).notes == ["images: of 2, 1 with transparent pixels laid on white"]


def test_16_bits_keep_their_fractions_beside_8_bits(tmp_path: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (6, 5)).astype(np.uint16)
    save(tmp_path / "a" / "it.png", deep)
    save(tmp_path / "b" / "flat.png", GREY)
    loaded = load(tmp_path)
    assert loaded.x.dtype == torch.float32
    assert np.allclose(loaded.x[0, 0].numpy(), deep / 257, rtol=1e-6)
    assert np.array_equal(loaded.x[1, 0].numpy(), GREY)
    assert loaded.notes == ["images: of 2, 1 of 16 bits made fractions on the scale of 8"]


def test_numbers_without_a_range_stay_as_they_are_and_are_not_mixed(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    save(tmp_path / "a" / "it.tiff", values)
    save(tmp_path / "b" / "it.tiff", values + 1)
    assert np.array_equal(load(tmp_path).x[:, 0].numpy(), [values, values + 1])
    save(tmp_path / "b" / "flat.png", GREY)
    with pytest.raises(InputError, match=r"it\.tiff holds numbers without a fixed range, b/flat"):
        load(tmp_path)


def test_colours_of_16_bits_are_said_to_be_cut_to_8(tmp_path: Path) -> None:
    # Pillow cannot write such a file: a PNG by hand, of one row of two pixels.
    def chunk(kind: bytes, content: bytes) -> bytes:
        body = kind + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    pixels = np.array([[0x1234, 0x5678, 0x9ABC], [0, 0xFFFF, 0x00FF]], ">u2")
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0))
    content += chunk(b"IDAT", zlib.compress(b"\0" + pixels.tobytes())) + chunk(b"IEND", b"")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "it.png").write_bytes(content)
    save(tmp_path / "b" / "it.png", RGB[:1, :2])
    loaded = load(tmp_path)
    assert loaded.x[0, :, 0].T.tolist() == [[0x12, 0x56, 0x9A], [0, 0xFF, 0]]
    assert loaded.notes == ["images: of 2, 1 of 16 bits, of which Pillow keeps 8"]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    save(tmp_path / "a" / "it.png", RGB, exif=exif)
    turned = {
        1: RGB, 2: RGB[:, ::-1], 3: RGB[::-1, ::-1], 4: RGB[::-1], 5: RGB.transpose(1, 0, 2),
        6: np.rot90(RGB, -1), 7: np.rot90(RGB[::-1], -1)[::-1, ::-1], 8: np.rot90(RGB),
    }[orientation]  # fmt: skip
    if orientation == 7:
        turned = RGB[::-1, ::-1].transpose(1, 0, 2)
    assert np.array_equal(one(tmp_path), turned)
    said = ["images: of 2, 1 turned or mirrored as EXIF says"] if orientation > 1 else []
    assert load(tmp_path).notes == said


def test_the_first_frame_of_several_is_used(tmp_path: Path) -> None:
    frames = [Image.fromarray(noise(6, 5, seed, colour=False)) for seed in range(3)]
    save(tmp_path / "a" / "it.gif", frames[0], save_all=True, append_images=frames[1:])
    assert np.array_equal(one(tmp_path)[..., 0], np.asarray(frames[0]))
    assert load(tmp_path).notes == ["images: of 2, 1 of several frames, the first used"]


def test_channels_are_one_where_no_file_has_colours_and_can_be_set(tmp_path: Path) -> None:
    save(tmp_path / "a" / "it.png", GREY)
    save(tmp_path / "b" / "it.png", 255 - GREY)
    assert load(tmp_path).x.shape == (2, 1, 6, 5)
    three = load(tmp_path, channels=3).x
    assert np.array_equal(three.numpy(), np.stack([[GREY] * 3, [255 - GREY] * 3]))
    save(tmp_path / "b" / "it.png", RGB)
    assert load(tmp_path).x.shape == (2, 3, 6, 5)
    grey = load(tmp_path, channels=1)
    assert np.array_equal(grey.x[1, 0].numpy(), LUMA)
    assert np.abs(LUMA - RGB @ [0.299, 0.587, 0.114]).max() <= 0.51
    assert grey.notes == ["images: of 2, 1 in colour made grey"]


def halved(size: int) -> np.ndarray:
    """Return weights ``[size / 2, size]`` of a triangle of four pixels, cut at the ends."""
    weights = np.zeros((size // 2, size))
    for row, (offset, weight) in itertools.product(
        range(size // 2), list(zip(range(-1, 3), (1, 3, 3, 1), strict=True))
    ):
        if 0 <= 2 * row + offset < size:
            weights[row, 2 * row + offset] = weight
    return weights / weights.sum(1, keepdims=True)


def test_images_are_resized_to_cover_the_size_and_their_centre_is_kept(tmp_path: Path) -> None:
    # Halved exactly: bilinear with antialias weighs four pixels of each axis 1, 3, 3, 1, those
    # beyond the cut, too.
    wide, tall = noise(16, 40, 0, colour=False), noise(24, 16, 1, colour=False)
    save(tmp_path / "a" / "it.png", wide)
    save(tmp_path / "b" / "it.png", tall)
    found = load(tmp_path, size=[8, 8]).x[:, 0].numpy()
    # Pillow rounds to whole numbers after each axis.
    assert np.abs((halved(16) @ wide @ halved(40).T)[:, 6:14] - found[0]).max() <= 1.01
    assert np.abs((halved(24) @ tall @ halved(16).T)[2:10] - found[1]).max() <= 1.01
    same = load(tmp_path, size=8)
    assert np.array_equal(same.x[:, 0].numpy(), found)
    assert same.notes == ["images: of 2, 2 resized to cover 8x8 and cut to it"]


def test_fine_stripes_become_grey_when_they_are_shrunk(tmp_path: Path) -> None:
    stripes = np.tile([0, 255], 64).astype(np.uint8) * np.ones((128, 1), np.uint8)
    save(tmp_path / "a" / "it.png", stripes)
    assert np.abs(one(tmp_path, size=[8, 8]).astype(int) - 127.5).max() <= 3


def test_splits_in_folders_of_their_own_stay_the_splits(tmp_path: Path) -> None:
    photos(tmp_path / "train", cat=4, dog=5)
    photos(tmp_path / "valid", cat=2, dog=1)
    save(tmp_path / "test" / "dog" / "it.png", noise(6, 5, 99))
    loaded = load(tmp_path)
    assert loaded.y.tolist() == [0] * 4 + [1] * 5
    assert loaded.val[1].tolist() == [0, 0, 1]
    assert loaded.test[1].tolist() == [1]
    assert np.array_equal(loaded.test[0][0].permute(1, 2, 0).numpy(), noise(6, 5, 99))
    assert loaded.val[0].shape == (3, 3, 6, 5)


def test_the_same_pixels_in_two_splits_or_two_classes_are_said(tmp_path: Path) -> None:
    for index, name in enumerate(("cat", "dog")):
        for number in range(3):
            save(tmp_path / "train" / name / f"{number}.png", noise(6, 5, 10 * index + number))
    save(tmp_path / "test" / "cat" / "copy.bmp", noise(6, 5, 0))
    save(tmp_path / "test" / "cat" / "new.png", noise(6, 5, 98))
    save(tmp_path / "test" / "dog" / "again.png", noise(6, 5, 11))
    save(tmp_path / "val" / "dog" / "odd.png", noise(6, 5, 1))
    save(tmp_path / "train" / "dog" / "twin.png", noise(6, 5, 10))
    assert load(tmp_path).notes == [
        "images: 2 in test with the pixels of one in train (test/cat/copy.bmp = train/cat/0.png, "
        "test/dog/again.png = train/dog/1.png)",
        "images: 1 in val with the pixels of one in train (val/dog/odd.png = train/cat/1.png)",
        "images: 1 with the pixels of one in another class (val/dog/odd.png = train/cat/1.png)",
        "images: 1 in train with the pixels of one before, which dataset.group=copies keeps beside "
        "(train/dog/twin.png = train/dog/0.png)",
    ]


def test_copies_and_folders_become_groups(tmp_path: Path) -> None:
    photos(tmp_path, cat=3, dog=3)
    for number in range(3):
        save(tmp_path / "dog" / "rex" / f"{number}.png", noise(6, 5, 1000 + number))
    copies = load(tmp_path, group="copies").group
    assert copies[3:6] == copies[6:]
    assert len(set(copies)) == 6
    folders = load(tmp_path, group="folder").group
    assert len(set(folders)) == 7
    assert set(folders[6:]) == {"dog/rex"}


def test_what_does_not_fit_is_decoded_when_it_is_asked_for(tmp_path: Path) -> None:
    photos(tmp_path / "train", cat=4, dog=5)
    photos(tmp_path / "test", cat=2, dog=1)
    memory = load(tmp_path, max_memory="1G")
    train, test = load(tmp_path, max_memory="1K")
    assert isinstance(train, ImageFiles)
    assert train.classes == ["cat", "dog"]
    assert any("in test with the pixels" in note for note in train.notes)
    for made, (x, y) in ((train, (memory.x, memory.y)), (test, memory.test)):
        batches = list(DataLoader(made, batch_size=4))
        assert torch.equal(torch.cat([batch[0] for batch in batches]), x)
        assert torch.equal(torch.cat([batch[1] for batch in batches]), y)
    alone = load(tmp_path / "train", max_memory="1K")
    assert isinstance(alone, ImageFiles)
    assert len(alone) == 9
    (tmp_path / "train" / "cat" / "000.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"^cat/000\.png: damaged: empty file$"):
        alone[0]


def test_images_are_split_and_standardised_per_channel(tmp_path: Path) -> None:
    photos(tmp_path, cat=10, dog=10)
    data = prepare(load(tmp_path), name="images", seed=0, val=0.2, test=0.2)
    assert (data.input_shape, data.num_outputs) == ((3, 6, 5), 2)
    assert [len(part.y) for part in (data.train, data.val, data.test)] == [12, 4, 4]
    assert torch.allclose(data.train.x.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    again = prepare(load(tmp_path, max_memory="1K"), name="images", seed=0, val=0.2, test=0.2)
    for one, other in zip(again.train.batches(5), data.train.batches(5), strict=True):
        assert torch.allclose(one.x, other.x, atol=1e-5)
        assert torch.equal(one.y, other.y)
    assert isinstance(again.train.x, LazyRows)


def test_a_group_is_in_one_split_and_notes_reach_the_dataset(tmp_path: Path) -> None:
    for index in range(20):
        for shade in range(3):
            path = tmp_path / "ab"[index % 2] / str(index) / f"{shade}.png"
            save(path, Image.new("L", (5 + shade, 6), 10 * index + shade))
    loaded = load(tmp_path, size=[6, 5], group="folder")
    data = prepare(loaded, name="images", seed=0, val=0.2, test=0.2, standardize_inputs=False)
    found = [{int(x[0, 0, 0]) // 10 for x in part.x} for part in (data.train, data.val, data.test)]
    assert [len(part) for part in found] == [12, 4, 4]
    assert found[0] | found[1] | found[2] == set(range(20))
    assert data.notes == ("images: of 60, 40 resized to cover 6x5 and cut to it",)
    lazy = load(tmp_path, size=[6, 5], max_memory="1K")
    assert prepare(lazy, name="images", seed=0, val=0.2, test=0.2).notes == data.notes
