"""More of torchvision's datasets, downloaded by its code from files in the published formats."""

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
from scipy.io import savemat

from sgdlab.datasets.cifar100 import cifar100
from sgdlab.datasets.kmnist import kmnist
from sgdlab.datasets.mnist_3v7 import mnist_3v7
from sgdlab.datasets.official import IDX_FILES
from sgdlab.datasets.split import prepare
from sgdlab.datasets.svhn import svhn
from sgdlab.errors import InputError

RNG = np.random.default_rng(0)
GREY = {"train": RNG.integers(0, 256, (40, 28, 28)), "t10k": RNG.integers(0, 256, (10, 28, 28))}
PHOTOS = RNG.integers(0, 256, (110, 3, 32, 32)).astype(np.uint8)
FINE = np.arange(110) % 100

MEMBERS = [
    (kmnist, "KMNIST/raw", IDX_FILES),
    (mnist_3v7, "MNIST/raw", IDX_FILES),
    (cifar100, "", ("cifar-100-python.tar.gz",)),
    (svhn, "", ("train_32x32.mat", "test_32x32.mat")),
]


def matlab(rows: slice) -> bytes:
    """Return a MAT file as Netzer et al. made them: X [32, 32, 3, n], y [n, 1], 10 for digit 0."""
    content, digits = io.BytesIO(), FINE[rows] % 10
    y = np.where(digits == 0, 10, digits).astype(np.uint8)[:, None]
    savemat(content, {"X": PHOTOS[rows].transpose(2, 3, 1, 0), "y": y}, do_compression=True)
    return content.getvalue()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that torchvision downloads from; only its addresses and sums are replaced."""
    folder = tmp_path / "server"
    folder.mkdir()
    tv: Any = importlib.import_module("torchvision.datasets")

    def put(name: str, content: bytes) -> str:
        (folder / name).write_bytes(content)
        return md5(content)

    with serving(folder, monkeypatch) as address:
        resources = []
        for part, images in GREY.items():
            arrays = {"images-idx3": images, "labels-idx1": np.arange(len(images)) % 10}
            for kind, array in arrays.items():
                name = f"{part}-{kind}-ubyte.gz"
                resources.append((name, put(name, gzip.compress(idx(array)))))
        for kind in (tv.MNIST, tv.KMNIST):
            monkeypatch.setattr(kind, "mirrors", [f"{address}/"])
            monkeypatch.setattr(kind, "resources", resources)

        def batch(rows: slice) -> bytes:
            fine = FINE[rows].tolist()
            coarse = [label // 5 for label in fine]
            data = PHOTOS[rows].reshape(-1, 3072)
            return pickle.dumps({"data": data, "fine_labels": fine, "coarse_labels": coarse})

        members = {
            "train": batch(slice(100)),
            "test": batch(slice(100, 110)),
            "meta": pickle.dumps({"fine_label_names": [str(k) for k in range(100)]}),
        }
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for name, content in members.items():
                entry = tarfile.TarInfo(f"cifar-100-python/{name}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
        name = "cifar-100-python.tar.gz"
        monkeypatch.setattr(tv.CIFAR100, "tgz_md5", put(name, packed.getvalue()))
        monkeypatch.setattr(tv.CIFAR100, "url", f"{address}/{name}")
        monkeypatch.setattr(tv.CIFAR100, "train_list", [["train", md5(members["train"])]])
        monkeypatch.setattr(tv.CIFAR100, "test_list", [["test", md5(members["test"])]])
        meta = {"filename": "meta", "key": "fine_label_names", "md5": md5(members["meta"])}
        monkeypatch.setattr(tv.CIFAR100, "meta", meta)

        parts = {"train": slice(100), "test": slice(100, 110)}
        splits = {
            part: [f"{address}/{part}_32x32.mat", f"{part}_32x32.mat",
                   put(f"{part}_32x32.mat", matlab(rows))]
            for part, rows in parts.items()
        }  # fmt: skip
        monkeypatch.setattr(tv.SVHN, "split_list", splits)
        yield folder


def same(found: Any, x: np.ndarray, y: np.ndarray) -> None:
    assert found[0].dtype == torch.float32
    assert found[0].is_contiguous()
    assert found[0].shape == x.shape
    assert np.array_equal((found[0].double() * 255).round().numpy(), x)
    assert (found[1].dtype, found[1].tolist()) == (torch.int64, y.tolist())


def test_kmnist_is_read_from_idx_files(server: Path, tmp_path: Path) -> None:
    examples = kmnist(root=str(tmp_path / "data"), download=True)
    same((examples.x, examples.y), GREY["train"][:, None], np.arange(40) % 10)
    same(examples.test, GREY["t10k"][:, None], np.arange(10))


def test_threes_and_sevens_are_those_of_mnist(server: Path, tmp_path: Path) -> None:
    examples = mnist_3v7(root=str(tmp_path / "data"), download=True)
    rows = [i for i in range(40) if i % 10 in (3, 7)]
    same((examples.x, examples.y), GREY["train"][rows][:, None], np.array([0, 1] * 4))
    same(examples.test, GREY["t10k"][[3, 7]][:, None], np.array([0, 1]))
    data = prepare(examples, name="it", seed=0, val=0.25, test=0.2)
    assert (data.task, data.num_outputs, len(data.test.y)) == ("classification", 2, 2)


def test_cifar100_has_its_fine_labels(server: Path, tmp_path: Path) -> None:
    examples = cifar100(root=str(tmp_path / "data"), download=True)
    same((examples.x, examples.y), PHOTOS[:100], FINE[:100])
    same(examples.test, PHOTOS[100:], FINE[100:])


def test_svhn_is_upright_and_calls_the_digit_nought_0(server: Path, tmp_path: Path) -> None:
    examples = svhn(root=str(tmp_path / "data"), download=True)
    same((examples.x, examples.y), PHOTOS[:100], FINE[:100] % 10)
    same(examples.test, PHOTOS[100:], FINE[100:] % 10)
    data = prepare(examples, name="it", seed=0, val=0.2, test=0.2)
    assert (data.input_shape, data.num_outputs) == ((3, 32, 32), 10)
    assert [len(split.y) for split in (data.train, data.val, data.test)] == [80, 20, 10]


@pytest.mark.parametrize(("function", "folder", "names"), MEMBERS)
def test_missing_files_are_named_with_their_place_and_are_found_there(
    function: Any, folder: str, names: tuple[str, ...], server: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    with pytest.raises(InputError, match="cannot load ") as caught:
        function(root=str(root), download=False)
    line = str(caught.value)
    assert "\n" not in line
    assert str(root / folder) in line
    assert all(name in line for name in names)
    (root / folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        (root / folder / name).write_bytes((server / name).read_bytes())
        (server / name).unlink()
    assert len(function(root=str(root), download=True).y) >= 8


@pytest.mark.parametrize(("function", "folder", "names"), MEMBERS)
def test_a_download_with_the_wrong_sum_is_refused(
    function: Any, folder: str, names: tuple[str, ...], server: Path, tmp_path: Path
) -> None:
    for name in names:
        (server / name).write_bytes((server / name).read_bytes() + b"x")
    with pytest.raises(InputError, match=r"cannot load .*[Cc]orrupted"):
        function(root=str(tmp_path / "data"), download=True)
