"""Torchvision's own download, checks and readers, on tiny archives in the published formats."""

import gzip
import importlib
import io
import pickle
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from local_server import idx, md5, serving

from sgdlab.datasets.cifar10 import cifar10
from sgdlab.datasets.fashion_mnist import fashion_mnist
from sgdlab.datasets.mnist import mnist
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError

RNG = np.random.default_rng(0)
PIXELS = {"train": RNG.integers(0, 256, (40, 28, 28)), "t10k": RNG.integers(0, 256, (10, 28, 28))}
LABELS = {part: np.arange(len(images)) % 10 for part, images in PIXELS.items()}
PHOTOS = RNG.integers(0, 256, (60, 3, 32, 32)).astype(np.uint8)


def idx_archives() -> dict[str, bytes]:
    archives = {}
    for part in ("train", "t10k"):
        archives[f"{part}-images-idx3-ubyte.gz"] = gzip.compress(idx(PIXELS[part]))
        archives[f"{part}-labels-idx1-ubyte.gz"] = gzip.compress(idx(LABELS[part]))
    return archives


def write(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that torchvision downloads from; the published sums are those of the tiny files.

    Only the addresses and sums are replaced: fetching, checking and reading are torchvision's.
    """
    folder = tmp_path / "server"
    files = idx_archives()
    write(folder, files)
    with serving(folder, monkeypatch) as address:
        resources = [(name, md5(content)) for name, content in files.items()]
        tv: Any = importlib.import_module("torchvision.datasets")
        for kind in (tv.MNIST, tv.FashionMNIST):
            monkeypatch.setattr(kind, "mirrors", [f"{address}/"])
            monkeypatch.setattr(kind, "resources", resources)

        members = {
            name: pickle.dumps({"data": PHOTOS[rows].reshape(-1, 3072), "labels": list(range(10))})
            for name, rows in cifar_batches().items()
        }
        members["batches.meta"] = pickle.dumps({"label_names": [str(k) for k in range(10)]})
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        write(folder, {"cifar-10-python.tar.gz": packed.getvalue()})
        sums = {name: md5(content) for name, content in members.items()}
        kind = tv.CIFAR10
        monkeypatch.setattr(kind, "url", f"{address}/cifar-10-python.tar.gz")
        monkeypatch.setattr(kind, "tgz_md5", md5(packed.getvalue()))
        monkeypatch.setattr(kind, "train_list", [[f"data_batch_{k}", sums[f"data_batch_{k}"]]
                                                 for k in range(1, 6)])  # fmt: skip
        monkeypatch.setattr(kind, "test_list", [["test_batch", sums["test_batch"]]])
        meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
        monkeypatch.setattr(kind, "meta", meta)
        yield folder


def cifar_batches() -> dict[str, slice]:
    names = [f"data_batch_{k}" for k in range(1, 6)] + ["test_batch"]
    return {name: slice(10 * i, 10 * i + 10) for i, name in enumerate(names)}


def is_mnist(examples: Any) -> bool:
    assert examples.test is not None
    (x, y), (test_x, test_y) = (examples.x, examples.y), examples.test
    expected = torch.tensor(PIXELS["train"] / 255).float()[:, None]
    expected_test = torch.tensor(PIXELS["t10k"] / 255).float()[:, None]
    return (
        torch.allclose(x, expected, atol=1e-7)
        and torch.allclose(test_x, expected_test, atol=1e-7)
        and y.tolist() == LABELS["train"].tolist()
        and test_y.tolist() == LABELS["t10k"].tolist()
    )


@pytest.mark.parametrize("function", [mnist, fashion_mnist])
def test_idx_archives_are_downloaded_checked_and_read(
    function: Any, server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "data"
    assert is_mnist(function(root=str(root), download=True))
    # Once there, the files are not asked for again.
    tv: Any = importlib.import_module("torchvision.datasets")
    for kind in (tv.MNIST, tv.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", [])
    assert is_mnist(function(root=str(root), download=True))
    assert is_mnist(function(root=str(root), download=False))


def test_official_test_split_reaches_the_dataset(server: Path, tmp_path: Path) -> None:
    examples = mnist(root=str(tmp_path / "data"), download=True)
    data = prepare(examples, name="mnist", seed=0, val=0.25, test=0.2)
    assert data.input_shape == (1, 28, 28)
    assert [len(split.y) for split in (data.train, data.val, data.test)] == [30, 10, 10]
    assert data.test.y.tolist() == LABELS["t10k"].tolist()


def test_cifar_batches_are_downloaded_checked_and_read(server: Path, tmp_path: Path) -> None:
    examples = cifar10(root=str(tmp_path / "data"), download=True)
    assert examples.test is not None
    expected = torch.tensor(PHOTOS / 255).float()
    assert torch.allclose(examples.x, expected[:50], atol=1e-7)
    assert torch.allclose(examples.test[0], expected[50:], atol=1e-7)
    assert examples.y.tolist() == list(range(10)) * 5
    assert examples.x.is_contiguous()


@pytest.mark.parametrize(
    ("function", "folder", "names"),
    [
        (mnist, "MNIST/raw", list(idx_archives())),
        (fashion_mnist, "FashionMNIST/raw", list(idx_archives())),
        (cifar10, "", ["cifar-10-python.tar.gz"]),
    ],
)
def test_a_failed_download_says_where_to_put_which_files_and_they_are_found_there(
    function: Any,
    folder: str,
    names: list[str],
    server: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = "http://127.0.0.1:9"
    tv: Any = importlib.import_module("torchvision.datasets")
    for kind in (tv.MNIST, tv.FashionMNIST):
        monkeypatch.setattr(kind, "mirrors", [f"{nobody}/", f"{nobody}/"])
    monkeypatch.setattr(tv.CIFAR10, "url", f"{nobody}/cifar-10-python.tar.gz")
    root = tmp_path / "data"
    with pytest.raises(InputError, match="refused") as caught:
        function(root=str(root), download=True)
    line = str(caught.value)
    assert "\n" not in line
    assert str(root / folder) in line
    assert all(name in line for name in names)
    write(root / folder, {name: (server / name).read_bytes() for name in names})
    assert len(function(root=str(root), download=True).y) >= 40


@pytest.mark.parametrize("function", [mnist, cifar10])
def test_a_download_with_the_wrong_sum_is_refused(
    function: Any, server: Path, tmp_path: Path
) -> None:
    for file in server.iterdir():
        file.write_bytes(file.read_bytes() + b"x")
    with pytest.raises(InputError, match=r"cannot load .*[Cc]orrupted"):
        function(root=str(tmp_path / "data"), download=True)


def test_without_download_missing_files_are_named(server: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot load MNIST.*MNIST/raw by hand"):
        mnist(root=str(tmp_path / "data"), download=False)


@pytest.mark.parametrize(
    "damage",
    [b"", b"\0\0\x08", b"\0\0\x08\x03" + b"\xff" * 12, idx(PIXELS["train"])[:-9], b"?" * 99],
)
def test_a_truncated_file_is_one_clear_line(damage: bytes, server: Path, tmp_path: Path) -> None:
    root = tmp_path / "data"
    mnist(root=str(root), download=True)
    (root / "MNIST/raw/train-images-idx3-ubyte").write_bytes(damage)
    with pytest.raises(InputError, match="remove broken files"):
        mnist(root=str(root), download=True)


def test_home_folder_is_understood(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    mnist(root="~/data", download=True)
    assert (tmp_path / "data/MNIST/raw/t10k-labels-idx1-ubyte").exists()
