"""What lies in a folder of photos: classes, splits, and what is left out or refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from photos import load, noise, photos, save

from sgdlab.errors import InputError


def refused(folder: Path, **settings: Any) -> str:
    with pytest.raises(InputError) as caught:
        load(folder, **settings)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(str(folder), "photos")


def test_what_is_hidden_or_no_image_is_left_out_and_said(tmp_path: Path) -> None:
    photos(tmp_path, cat=2, dog=2)
    for name in (".DS_Store", "readme.txt", "cat/._000.png", "cat/Thumbs.db", "dog/labels.csv"):
        (tmp_path / name).write_bytes(b"anything")
    os.mkfifo(tmp_path / "dog" / "pipe.png")  # whoever opened it would wait for ever
    (tmp_path / ".ipynb_checkpoints").mkdir()
    (tmp_path / "__MACOSX" / "cat").mkdir(parents=True)
    loaded = load(tmp_path)
    assert loaded.classes == ["cat", "dog"]
    assert len(loaded.y) == 4
    assert loaded.notes == [
        "left out: 4 not images by their names (readme.txt, cat/Thumbs.db, dog/labels.csv, …), "
        "4 hidden (.DS_Store, .ipynb_checkpoints, __MACOSX, …)"
    ]


def test_links_that_lead_elsewhere_are_not_followed_and_said(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", cat=2, dog=2)
    elsewhere = photos(tmp_path / "elsewhere", bird=2)
    (folder / "cat" / "out.png").symlink_to(elsewhere / "bird" / "000.png")
    (folder / "cat" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "bird").symlink_to(elsewhere / "bird")
    (folder / "dog" / "loop").symlink_to(folder)
    loaded = load(folder)
    assert loaded.classes == ["cat", "dog"]
    assert len(loaded.y) == 4
    assert loaded.notes == [
        "left out: 4 links, broken, to a folder or out of it (bird, cat/lost.png, cat/out.png, …)"
    ]


def test_a_link_to_a_file_inside_is_an_image_like_others(tmp_path: Path) -> None:
    folder = photos(tmp_path / "real", cat=2, dog=2)
    (folder / "dog" / "other.png").symlink_to(folder / "cat" / "000.png")
    entry = tmp_path / "entry"
    entry.symlink_to(folder)
    loaded = load(entry)
    assert loaded.y.tolist() == [0, 0, 1, 1, 1]
    assert loaded.notes[0] == (
        "images: 1 with the pixels of one in another class (dog/other.png = cat/000.png)"
    )


def test_classes_that_differ_in_capitals_are_said(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", Cat=2)
    if (folder / "cat").exists():
        pytest.skip("this file system does not tell capitals apart")
    for number in range(2):
        save(folder / "cat" / f"{number}.png", noise(6, 5, 50 + number))
    assert load(folder).notes == ["classes that differ only in capitals: 2 (Cat, cat)"]


def test_damaged_files_are_refused_by_name_or_skipped(tmp_path: Path) -> None:
    photos(tmp_path, cat=3, dog=3)
    whole = save(tmp_path / "cat" / "whole.jpg", noise(60, 50, 0)).read_bytes()
    (tmp_path / "cat" / "whole.jpg").unlink()
    (tmp_path / "cat" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "cat" / "empty.PNG").write_bytes(b"")
    (tmp_path / "dog" / "text.png").write_text("<html>404</html>")
    said = refused(tmp_path, size=5)
    assert said == (
        "dataset.path=photos: 2 damaged (cat/empty.PNG: empty file, dog/text.png: no image that "
        "Pillow knows); mend or remove them, or set dataset.damaged=skip"
    )
    loaded = load(tmp_path, size=5, damaged="skip")
    assert loaded.y.tolist() == [0, 0, 0, 1, 1, 1]
    assert loaded.x.shape == (6, 3, 5, 5)
    assert loaded.notes[0].startswith(
        "left out: 3 damaged (cat/empty.PNG: empty file, dog/text.png: no image that Pillow "
        "knows, cat/cut.jpg: image file is truncated"
    )
    assert [row.tolist() for row in loaded.x] == [
        row.tolist() for row in load(photos(tmp_path / "sound", cat=3, dog=3), size=5).x
    ]


def test_names_that_cannot_be_printed_are_told_in_one_line(tmp_path: Path) -> None:
    photos(tmp_path, cat=2, dog=2)
    odd = os.fsencode(tmp_path / "cat") + b"/two\nlines\xff.png"
    try:
        Path(os.fsdecode(odd)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes no such name")
    assert r"'cat/two\nlines\udcff.png: empty file'" in refused(tmp_path)


def test_a_file_that_must_not_be_read_is_named(tmp_path: Path) -> None:
    photos(tmp_path, cat=2, dog=2)
    locked = tmp_path / "cat" / "000.png"
    locked.chmod(0)
    if os.access(locked, os.R_OK):
        pytest.skip("this user may read everything")
    assert "cat/000.png: Permission denied" in refused(tmp_path)


def test_images_of_different_sizes_need_a_size(tmp_path: Path) -> None:
    photos(tmp_path, cat=2, dog=2)
    save(tmp_path / "dog" / "large.png", noise(30, 40, 0))
    assert refused(tmp_path) == (
        "dataset.path=photos: images of different sizes, height x width: 2 (6x5 of 4, 30x40 of 1); "
        "set dataset.size, such as dataset.size=[32,32]"
    )
    assert load(tmp_path, size=[7, 9]).x.shape == (5, 3, 7, 9)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"size": [32]}, None),
        ({"size": 4}, None),
        ({"size": 0}, r"dataset.size=0: must be [height, width] in pixels, such as [32,32]"),
        ({"size": [3, 4, 5]}, "dataset.size=[3, 4, 5]: must be"),
        ({"size": [3.5, 4]}, "dataset.size=[3.5, 4]: must be"),
        ({"size": "32x32"}, "dataset.size=32x32: must be"),
        ({"size": True}, "dataset.size=True: must be"),
        ({"channels": 4}, "dataset.channels=4: must be 1 (grey), 3, or null"),
        ({"channels": True}, "dataset.channels=True: must be"),
        ({"damaged": "skipp"}, "dataset.damaged=skipp: valid: refuse, skip"),
        ({"group": "copy"}, "dataset.group=copy: valid: copies, folder"),
        ({"group": "folder"}, "dataset.group=folder: no folders inside the classes"),
        ({"max_memory": "much"}, "dataset.max_memory=much: must be bytes, such as 4G"),
        ({"max_memory": "1K", "group": "copies"}, "dataset.group=copies needs images in memory"),
    ],
)
def test_impossible_settings_are_refused(
    settings: dict[str, Any], says: str | None, tmp_path: Path
) -> None:
    photos(tmp_path, cat=2, dog=2)
    if says is None:
        assert load(tmp_path, **settings).x.shape[2] == load(tmp_path, **settings).x.shape[3]
    else:
        assert says in refused(tmp_path, **settings)


def test_a_folder_without_two_classes_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path / "typo") == "dataset.path=photos: no such folder"
    with pytest.raises(InputError, match=r"dataset\.path=: must be a folder"):
        load(Path(), path="")
    file = save(tmp_path / "it.png", noise(6, 5, 0))
    assert refused(file) == "dataset.path=photos: a file, no folder"
    assert "no folders in it; expected one of each class" in refused(tmp_path)
    photos(tmp_path / "one", cat=2)
    assert refused(tmp_path / "one") == (
        "dataset.path=photos: one class only, cat: expected a folder of each"
    )
    photos(tmp_path / "outer" / "inner", cat=2, dog=2)
    assert refused(tmp_path / "outer").endswith(
        "expected a folder of each; did you mean dataset.path=photos/inner?"
    )


def test_a_class_without_images_is_named(tmp_path: Path) -> None:
    photos(tmp_path, cat=2, dog=2)
    (tmp_path / "bird").mkdir()
    (tmp_path / "bird" / "001.heic").write_bytes(b"?")
    assert refused(tmp_path) == (
        "dataset.path=photos: no images of 1 (bird) to train on, but 1 (bird/001.heic); fill these "
        "folders, or remove them"
    )
    (tmp_path / "bird" / "001.png").write_bytes(b"?")
    assert "no images of 1 (bird) to train on, but 1 (bird/001.png)" in refused(
        tmp_path, damaged="skip"
    )


def splits(folder: Path, **parts: dict[str, int]) -> Path:
    for part, classes in parts.items():
        photos(folder / part, **classes)
    return folder


BOTH = {"cat": 2, "dog": 2}


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"train": BOTH, "test": {"cat": 1, "bird": 1}}, "test has classes that train lacks"),
        ({"train": {"cat": 2}, "test": BOTH}, "one class only, cat"),
        ({"val": BOTH, "test": BOTH}, "test and val, but no train"),
        ({"train": BOTH, "valid": BOTH, "val": BOTH}, "train, val, valid are two for one split"),
        ({"train": BOTH, "test": BOTH, "extra": BOTH}, "train, extra, test have folders of"),
        ({"seg_train": BOTH, "seg_test": BOTH}, "if they are splits, call them train"),
        ({"train": BOTH, "test": {"": 3}}, "test has no folders of classes, so nobody knows"),
    ],
)  # fmt: skip
def test_splits_that_do_not_fit_together_are_refused(
    parts: dict[str, dict[str, int]], says: str, tmp_path: Path
) -> None:
    assert says in refused(splits(tmp_path, **parts))


def test_vehicles_may_be_called_train(tmp_path: Path) -> None:
    photos(tmp_path, train=2, car=2, test=2)
    assert load(tmp_path).classes == ["car", "test", "train"]
    splits(tmp_path, train={"steam": 2, "diesel": 1}, car={"diesel": 1})
    assert load(tmp_path).y.tolist() == [0] * 3 + [1] * 2 + [2] * 5


@pytest.mark.parametrize(("train", "test"), [("Train", "TEST"), ("training", "testing")])
def test_splits_are_known_by_their_usual_names(train: str, test: str, tmp_path: Path) -> None:
    splits(tmp_path, **{train: BOTH, test: {"dog": 1}})
    loaded = load(tmp_path)
    assert loaded.classes == ["cat", "dog"]
    assert (loaded.y.tolist(), loaded.test[1].tolist()) == ([0, 0, 1, 1], [1])


def test_a_split_without_a_class_or_without_images_is_told_apart(tmp_path: Path) -> None:
    splits(tmp_path, train=BOTH, test={"dog": 1})
    assert load(tmp_path).test[1].tolist() == [1]
    (tmp_path / "val" / "cat").mkdir(parents=True)
    assert refused(tmp_path) == "dataset.path=photos: no images in val; fill it, or remove it"


def test_validation_alone_needs_images_in_memory(tmp_path: Path) -> None:
    splits(tmp_path, train=BOTH, val=BOTH)
    assert load(tmp_path).test is None
    assert "val/ without test/ needs images in memory; raise dataset.max_memory" in refused(
        tmp_path, max_memory="1K"
    )
