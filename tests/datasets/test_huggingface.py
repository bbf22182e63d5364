"""Folders of Hugging Face against the arrays that they were written from."""

import sys

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from sgdlab.datasets import huggingface as module
from sgdlab.datasets import huggingface_images
from sgdlab.datasets.base import Examples
from sgdlab.datasets.convert import to_examples
from sgdlab.datasets.lazy import LazyRows
from sgdlab.errors import InputError

# By a part of it: without the package this folder's neighbour of that name is a namespace.
part = pytest.importorskip("datasets.arrow_dataset", reason="pip install 'sgdlab[huggingface]'")
hf = sys.modules[part.__package__]

COUNT = 40
DRAWN = np.random.default_rng(0)
NUMBERS = DRAWN.normal(size=(COUNT, 3))
LABELS = DRAWN.integers(0, 2, COUNT)
TOKENS = DRAWN.integers(0, 50, (COUNT, 8))
PIXELS = DRAWN.integers(0, 256, (COUNT, 8, 6, 3), dtype=np.uint8)
KINDS = hf.ClassLabel(names=["cat", "dog"])


@pytest.fixture(autouse=True)
def quiet():
    hf.disable_progress_bars()


def table(rows: slice = slice(None), **more):
    names = dict(zip("abc", NUMBERS[rows].T, strict=True))
    kinds = {name: hf.Value("float64") for name in "abc"} | {"kind": KINDS}
    return hf.Dataset.from_dict(
        {**names, "kind": LABELS[rows], **more}, features=hf.Features(kinds) if not more else None
    )


def pictures(size=None):
    images = [Pillow.fromarray(pixels) for pixels in PIXELS]
    images[0] = images[0].resize(size) if size else images[0]
    kinds = hf.Features({"image": hf.Image(), "label": KINDS})
    return hf.Dataset.from_dict({"image": images, "label": LABELS}, features=kinds)


def load(folder, **settings) -> Examples:
    unset = dict.fromkeys(("target", "inputs", "size", "channels"))
    return to_examples(module.huggingface(path=str(folder), **{**unset, **settings}), "huggingface")


def test_columns_of_numbers_are_one_input_and_the_class_label_is_the_target(tmp_path):
    table().save_to_disk(tmp_path / "data")
    read = load(tmp_path / "data")
    assert np.array_equal(read.x, NUMBERS)
    assert np.array_equal(read.y, LABELS)
    assert (read.task, read.classes, read.outputs) == ("classification", ["cat", "dog"], 2)
    assert np.array_equal(load(tmp_path / "data", inputs=["c", "a"]).x, NUMBERS[:, [2, 0]])
    other = load(tmp_path / "data", target="c", inputs="a")
    assert np.array_equal(other.x, NUMBERS[:, :1])
    assert np.array_equal(other.y[:, 0], NUMBERS[:, 2])
    assert other.task == "regression"


def test_rows_that_were_filtered_and_selected_are_those(tmp_path):
    kept = table().filter(lambda row: row["a"] > 0).select([4, 1, 7])
    wanted = NUMBERS[NUMBERS[:, 0] > 0][[4, 1, 7]]
    assert np.array_equal(to_examples(kept, "mine").x, wanted)


def test_parquet_files_are_a_folder_too(tmp_path, monkeypatch):
    monkeypatch.setattr(hf.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    (tmp_path / "data").mkdir()
    table(slice(30)).to_parquet(tmp_path / "data" / "train.parquet")
    table(slice(30, None)).to_parquet(tmp_path / "data" / "test.parquet")
    read = load(tmp_path / "data")
    assert np.array_equal(read.x, NUMBERS[:30])
    assert np.array_equal(read.test[0], NUMBERS[30:])


def test_splits_are_kept_and_one_without_labels_is_left_out():
    unlabelled = table(slice(30, None)).map(lambda row: {"kind": -1})
    parts = hf.DatasetDict(
        {"train": table(slice(20)), "validation": table(slice(20, 30)), "test": unlabelled,
         "unsupervised": unlabelled}
    )  # fmt: skip
    read = to_examples(parts, "mine")
    assert np.array_equal(read.val[0], NUMBERS[20:30])
    assert read.test is None
    assert read.notes == [
        "the split unsupervised is left out",
        "the split test is left out: it has no labels",
    ]


def test_several_columns_of_arrays_go_to_the_model_by_name():
    tokens = hf.Dataset.from_dict(
        {"input_ids": TOKENS, "attention_mask": np.ones_like(TOKENS), "labels": LABELS}
    )
    read = to_examples(tokens, "mine")
    assert sorted(read.x) == ["attention_mask", "input_ids"]
    assert np.array_equal(read.x["input_ids"], TOKENS)
    assert read.x["input_ids"].dtype == torch.int64
    assert read.target_name == "labels"


def test_names_of_classes_become_their_numbers():
    words = np.array(["yes", "no"])[LABELS]
    data = hf.Dataset.from_dict({"a": NUMBERS[:, 0], "label": words})
    read = to_examples(data, "mine")
    assert read.classes == ["no", "yes"]
    assert np.array_equal(read.y, words == "yes")


@pytest.mark.parametrize("in_memory", [True, False])
def test_images_are_decoded_once_or_for_each_batch(in_memory, monkeypatch):
    if not in_memory:
        monkeypatch.setattr(huggingface_images, "half_of_free", lambda: 0)
    read = to_examples(pictures(), "mine")
    assert isinstance(read.x, LazyRows) is not in_memory
    loaded = read.x if in_memory else read.x.load()
    assert np.array_equal(loaded, PIXELS.transpose(0, 3, 1, 2))
    assert np.array_equal(read.y, LABELS)
    assert read.classes == ["cat", "dog"]


def test_images_of_several_sizes_become_one(tmp_path):
    pictures((9, 9)).save_to_disk(tmp_path / "data")
    with pytest.raises(InputError, match=r"column image: images of different sizes.* set dataset"):
        load(tmp_path / "data")
    assert load(tmp_path / "data", size=[4, 5], channels=1).x.shape == (COUNT, 1, 4, 5)


def test_what_a_transform_draws_is_drawn_for_each_batch():
    data = pictures()
    data.set_transform(
        lambda rows: {"image": [torch.rand(3, 4, 4) for _ in rows["label"]], "label": rows["label"]}
    )
    read = to_examples(data, "mine", layout="nchw")
    assert isinstance(read.x, LazyRows)
    assert not torch.equal(read.x.load(), read.x.load())
    assert np.array_equal(read.y, LABELS)


WRONG = {
    "text": ({"text": ["a"] * COUNT, "label": LABELS}, "column text holds text: encode it by .map"),
    "ragged": (
        {"x": [[1.0]] * (COUNT - 1) + [[1.0, 2.0]], "label": LABELS},
        "column x has rows of different lengths: pad all",
    ),
    "missing": (
        {"a": [*NUMBERS[1:, 0], None], "label": LABELS},
        "column a has 1 missing or infinite values, the first in row 39",
    ),
    "untold": ({"a": NUMBERS[:, 0], "b": LABELS}, "none of its columns is the target: name it"),
    "twice": ({"a": LABELS, "label": LABELS, "y": LABELS}, "label and y may all be the target"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_cannot_be_used_is_named_by_its_column(kind):
    columns, said = WRONG[kind]
    with pytest.raises(InputError, match=said):
        to_examples(hf.Dataset.from_dict(columns), "mine")


def test_a_folder_of_the_user_s_called_datasets_is_no_package(monkeypatch):
    class Dataset:
        pass

    monkeypatch.setitem(module.sys.modules, "datasets", type("own", (), {"Dataset": Dataset}))
    assert not module.is_huggingface(Dataset())
