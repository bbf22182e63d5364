import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from sklearn import datasets as sk

from sgdlab.datasets import bundled
from sgdlab.datasets.base import Examples
from sgdlab.datasets.breast_cancer import breast_cancer
from sgdlab.datasets.classification import classification
from sgdlab.datasets.diabetes import diabetes
from sgdlab.datasets.digits import digits
from sgdlab.datasets.moons import moons
from sgdlab.datasets.split import prepare
from sgdlab.datasets.wine import wine
from sgdlab.errors import InputError


def same(examples: Examples, x: Any, y: Any) -> None:
    assert examples.x.dtype == torch.float32
    assert np.array_equal(examples.x.flatten(1).numpy(), np.asarray(x, np.float32))
    assert np.array_equal(examples.y.numpy(), y)


def test_bundled_data_are_scikit_learns() -> None:
    x, y = sk.load_digits(return_X_y=True)
    same(digits(), x / 16, y)
    same(breast_cancer(), *sk.load_breast_cancer(return_X_y=True))
    same(wine(), *sk.load_wine(return_X_y=True))
    x, y = sk.load_diabetes(return_X_y=True, scaled=False)
    same(diabetes(), x, y[:, None])


def test_digits_are_upright_images() -> None:
    images = sk.load_digits().images
    assert digits().x.shape == (1797, 1, 8, 8)
    assert np.array_equal(digits().x[:, 0].numpy() * 16, images)


def test_loading_bundled_data_does_not_import_scikit_learn() -> None:
    code = """
import sys
from sgdlab.datasets.split import prepare
for name in ("digits", "breast_cancer", "wine", "diabetes"):
    module = __import__(f"sgdlab.datasets.{name}", fromlist=[name])
    prepare(getattr(module, name)(), name=name, seed=0, val=0.2, test=0.2)
print([name for name in sys.modules if name.split(".")[0] in ("sklearn", "pandas", "torchvision")])
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_missing_file_is_one_clear_line() -> None:
    with pytest.raises(InputError, match=r"iris_of_old\.csv: cannot be read .*scikit-learn"):
        bundled.read_table("iris_of_old.csv")


def test_generated_data_are_scikit_learns() -> None:
    same(
        moons(n_samples=60, noise=0.1, random_state=3),
        *sk.make_moons(60, noise=0.1, random_state=3),
    )
    settings: dict[str, Any] = {
        "n_samples": 90, "n_features": 9, "n_informative": 4, "n_redundant": 2, "n_classes": 3,
        "n_clusters_per_class": 1, "class_sep": 1.5, "flip_y": 0.0, "random_state": 5,
    }  # fmt: skip
    same(classification(**settings), *sk.make_classification(**settings))


@pytest.mark.parametrize(
    ("function", "task", "shape", "outputs"),
    [
        (digits, "classification", (1, 8, 8), 10),
        (breast_cancer, "classification", (30,), 2),
        (wine, "classification", (13,), 3),
        (diabetes, "regression", (10,), 1),
    ],
)
def test_members_are_ready_for_training(
    function: Any, task: str, shape: tuple[int, ...], outputs: int
) -> None:
    data = prepare(function(), name="it", seed=0, val=0.2, test=0.2)
    assert (data.task, data.input_shape, data.num_outputs) == (task, shape, outputs)
    n = len(function().y)
    assert len(data.val.y) == len(data.test.y) == round(0.2 * n)
    assert len(data.train.y) == n - 2 * round(0.2 * n)


def test_fingerprint_of_the_default_dataset() -> None:
    # A change of splits, scaling or files changes every published number: it must be meant.
    data = prepare(digits(), name="digits", seed=0, val=0.2, test=0.2)
    assert data.fingerprint.startswith("0e89afb4f57bc2b2")
