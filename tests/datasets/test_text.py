"""Text in windows against slices made by hand, and the refusals."""

import math
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import torch

from sgdlab.datasets.base import Examples
from sgdlab.datasets.split import prepare
from sgdlab.datasets.text import text
from sgdlab.errors import InputError

SENTENCE = "The quick brown fox jumps over the lazy dog. " * 20


def read(path: Any, tokens: str = "bytes", context: int = 7, **others: Any) -> Examples:
    return text(path=str(path), tokens=tokens, context=context, **others)


def written(folder: Path, content: str | bytes = SENTENCE, name: str = "a.txt") -> Path:
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def parts_of(found: Examples) -> list[Any]:
    return [(found.x, found.y), found.val, found.test]


@pytest.mark.parametrize("context", [1, 7, 50])
def test_windows_are_slices_of_three_parts_in_their_order(tmp_path: Path, context: int) -> None:
    raw = SENTENCE.encode()
    found = read(written(tmp_path), context=context, held_out=(0.15, 0.3))
    val, test = round(0.15 * 900), round(0.3 * 900)
    parts = [raw[: 900 - val - test], raw[900 - val - test : 900 - test], raw[900 - test :]]
    assert b"".join(parts) == raw
    for part, (x, y) in zip(parts, parts_of(found), strict=True):
        starts = range(0, len(part) - context, context)
        assert x.tolist() == [list(part[i : i + context]) for i in starts]
        assert y.tolist() == [list(part[i + 1 : i + 1 + context]) for i in starts]
    assert (found.outputs, found.task, found.token) == (256, "language", "byte")


def test_characters_are_numbered_by_the_training_part_alone(tmp_path: Path) -> None:
    found = read(written(tmp_path, "bäab€" * 12 + "xä" * 10 + "b€" * 10), "characters", 4)
    alphabet = "abä€"
    assert (found.outputs, found.token) == (5, "character")
    train = "".join(alphabet[i] for i in found.x.flatten())
    assert ("bäab€" * 12).startswith(train)
    assert found.val is not None
    assert set(found.val[0].flatten().tolist()) == {2, 4}
    assert "10 unknown" in found.notes[0]


def test_the_embedded_text_is_pythons_own_help() -> None:
    found = text(path=None, tokens="bytes", context=64)
    whole = "\n".join(topics[key] for key in sorted(topics)).encode()
    assert bytes(found.x.flatten()[:5000].tolist()) == whole[:5000]
    assert found.test is not None
    end = len(whole) - round(0.2 * len(whole))
    assert bytes(found.test[0][0].tolist()) == whole[end : end + 64]
    assert 300_000 < len(whole) < 1_000_000


def test_a_run_sees_windows_of_every_part_once(tmp_path: Path) -> None:
    loaded = read(written(tmp_path))
    data = prepare(loaded, name="text", seed=3, val=0.2, test=0.2)
    assert (data.task, data.input_shape, data.num_outputs, data.token) == (
        "language", (7,), 256, "byte",
    )  # fmt: skip
    assert data.train.x.dtype == data.train.y.dtype == torch.int64
    assert sorted(data.train.x.tolist()) == sorted(loaded.x.tolist())
    assert loaded.val is not None
    assert torch.equal(data.val.y, loaded.val[1])
    other = read(written(tmp_path, SENTENCE.replace("fox", "fix"), "b.txt"))
    again = prepare(other, name="text", seed=3, val=0.2, test=0.2)
    assert again.fingerprint != data.fingerprint


def test_folders_and_patterns_are_read_in_the_order_of_paths(tmp_path: Path) -> None:
    for name in ("b.txt", "a/z.txt", "a/y.md", ".git/config", "a/.hidden"):
        written(tmp_path, f"{name} " * 30, name)
    visible = b"\n".join(f"{name} ".encode() * 30 for name in ("a/y.md", "a/z.txt", "b.txt"))
    folder = read(tmp_path, context=1)
    assert bytes(folder.x.flatten().tolist()) == visible[: len(folder.x)]
    texts = b"\n".join(f"{name} ".encode() * 30 for name in ("a/z.txt", "b.txt"))
    pattern = read(tmp_path / "**" / "*.txt", context=1)
    assert bytes(pattern.x.flatten().tolist()) == texts[: len(pattern.x)]


@pytest.mark.parametrize(
    ("content", "settings", "says"),
    [
        (b"", {}, r"a\.txt: is empty"),
        (b"abcdefghij" * 3, {}, "30 bytes leave 6 for validation, and a window needs 8"),
        (b"abcdefghij" * 9, {"held_out": (0.6, 0.6)}, "leave 0 for training"),
        (b"abc\n\xff" * 9, {"tokens": "characters"}, "byte 0xff in line 2 is not UTF-8.*=bytes"),
        (b"abc" * 9, {"tokens": "bites"}, "dataset.tokens=bites: valid: bpe, bytes, characters"),
        (b"abc" * 9, {"context": 0}, "dataset.context=0"),
        (b"abc" * 9, {"held_out": (0.0, 0.2)}, "split.val=0.0: must be a fraction"),
    ],
)  # fmt: skip
def test_what_is_no_text_is_refused(
    tmp_path: Path, content: bytes, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read(written(tmp_path, content), **settings)


def test_paths_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    written(tmp_path)
    with pytest.raises(InputError, match=r"b\.txt: no such file or folder in .*a\.txt"):
        read(tmp_path / "b.txt")
    with pytest.raises(InputError, match="no file matches this pattern"):
        read(tmp_path / "*.md")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no files in this folder"):
        read(tmp_path / "empty")


@pytest.mark.parametrize(
    ("y", "says"),
    [
        (torch.zeros(6, dtype=torch.int64), r"expected the next tokens, \[n, context\]"),
        (torch.zeros(6, 4), "must be tokens, integers from 0"),
        (torch.full((6, 4), -100), "must be tokens, integers from 0"),
    ],
)
def test_targets_of_a_language_are_tokens(y: torch.Tensor, says: str) -> None:
    x = torch.arange(24).reshape(6, 4)
    with pytest.raises(InputError, match=says):
        prepare(Examples(x, y, "language"), name="mine", seed=0, val=0.2, test=0.2)


def test_the_vocabulary_of_own_tokens_has_all_of_them() -> None:
    x = torch.arange(24).reshape(6, 4)
    found = prepare(Examples(x, x + 1, "language"), name="mine", seed=0, val=0.2, test=0.2)
    assert found.num_outputs == 25
    test = (x + 40, x)
    found = prepare(Examples(x, x + 1, "language", test), name="mine", seed=0, val=0.2, test=0.2)
    assert found.num_outputs == 64
    assert math.isclose(len(found.val.y), 1)
