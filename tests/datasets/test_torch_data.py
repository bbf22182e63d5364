"""What a dataset or a loader of torch gives is what is trained on: no row more, none twice."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import (
    BatchSampler,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
)

from sgdlab.datasets import torch_data
from sgdlab.datasets.base import Examples
from sgdlab.datasets.convert import to_examples
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError

X = torch.arange(90.0).reshape(30, 3)
Y = torch.arange(30) % 3
WHOLE = TensorDataset(X, Y)


class Pairs(Dataset[Any]):
    def __len__(self) -> int:
        return 30

    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        return X[index].numpy(), int(Y[index])


class Halved(TensorDataset):
    """Tensors, and an item that is not what they hold."""

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        x, y = super().__getitem__(index)
        return x, y.clamp(max=1)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from zip(X, Y, strict=True)


class Changing(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        yield from ((torch.rand(3), y) for y in Y)


class Broken(Pairs):
    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        raise OSError("no such drive")


class Holed(Pairs):
    def __getitem__(self, index: int) -> tuple[np.ndarray, int]:
        x, y = super().__getitem__(index)
        return x * np.nan if index == 1 else x, y


def few_columns(batch: list[Any]) -> Any:
    return torch.stack([x[:2] for x, _ in batch]), torch.tensor([y for _, y in batch])


def sampled(sampler: Any) -> DataLoader[Any]:
    return DataLoader(WHOLE, batch_size=4, sampler=sampler)


SAME = {
    "tensors": WHOLE,
    "pairs": Pairs(),
    "stream": Stream(),
    "loader": DataLoader(WHOLE, batch_size=7, shuffle=True, drop_last=True),
    "workers": DataLoader(Pairs(), batch_size=7, num_workers=2),
    "stream with workers": DataLoader(Stream(), batch_size=7, num_workers=2),
    "two in a row": ConcatDataset([Subset(WHOLE, range(10)), Subset(WHOLE, range(10, 30))]),
}


@pytest.mark.parametrize("name", SAME)
def test_every_row_is_read_once_in_its_order(name: str) -> None:
    made = to_examples(SAME[name], "own")
    assert torch.equal(made.x, X)
    assert torch.equal(made.y, Y)


def test_a_sampler_of_a_subset_chooses_rows() -> None:
    loaders = (sampled(SubsetRandomSampler(range(20))), sampled(SubsetRandomSampler(range(20, 30))))
    made = to_examples(loaders, "own")
    assert torch.equal(made.x, X[:20])
    assert made.test is not None
    assert torch.equal(made.test[0], X[20:])


@pytest.mark.parametrize(
    ("loader", "says"),
    [
        (sampled(WeightedRandomSampler([1.0] * 30, 30)), "WeightedRandomSampler decides which"),
        (sampled(RandomSampler(WHOLE, replacement=True)), "RandomSampler decides which"),
        (sampled(RandomSampler(WHOLE, num_samples=10)), "RandomSampler decides which"),
        (
            DataLoader(WHOLE, batch_sampler=BatchSampler(SequentialSampler(range(9)), 3, False)),
            "own: |SequentialSampler|decides",
        ),
        (DataLoader(Stream(), batch_size=None), "batch_size=None"),
        (Changing(), "gives other examples each time"),
        (Broken(), "Broken cannot be read: OSError: no such drive"),
        (Holed(), "missing or infinite values, the first in row 1"),
    ],
)
def test_what_would_see_other_rows_is_refused(loader: Any, says: str) -> None:
    with pytest.raises(InputError, match=says):
        to_examples(loader, "own")


def test_an_item_is_what_the_dataset_gives_not_what_it_holds() -> None:
    assert to_examples(Halved(X, Y), "own").y.unique().tolist() == [0, 1]
    columns = to_examples(DataLoader(WHOLE, collate_fn=few_columns), "own")
    assert torch.equal(columns.x, X[:, :2])


def test_ones_own_splits_may_be_datasets_and_have_the_same_keys() -> None:
    own = Examples(X[:20], Y[:20], val=Subset(WHOLE, range(20, 25)), test=(X[25:], Y[25:]))
    data = prepare(own, name="own", seed=0, val=0.2, test=0.2)
    assert [len(part.y) for part in (data.train, data.val, data.test)] == [20, 5, 5]
    odd = Examples({"a": X, "b": X}, Y, test=({"a": X}, Y))
    with pytest.raises(InputError, match=r"test inputs have the keys \['a'\]"):
        to_examples(odd, "own")


def test_a_split_in_which_nothing_counts_is_refused() -> None:
    weight = np.zeros(30)
    weight[0] = 1.0
    with pytest.raises(InputError, match=r"all weights of the .* split are 0"):
        prepare(Examples(X, Y, weight=weight), name="own", seed=0, val=0.2, test=0.2)


class Endless(IterableDataset[Any]):
    """Examples without an end, which are drawn."""

    def __iter__(self) -> Iterator[Any]:
        while True:
            x = torch.rand(3)
            yield x, int(x.sum() > 1.5)


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr(torch_data, "_LONGEST", 2000)
    monkeypatch.setattr(torch_data, "_ENOUGH", 1000)


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("needed", "read"),
    [(10, 1024), (1024, 1024), (1025, 1280), (5000, 5120)],  # whole batches of 256
)
def test_a_stream_without_end_is_read_as_far_as_a_run_goes(needed, read):
    found = to_examples(Endless(), "mine", needed=needed)
    assert len(found.x) == len(found.y) == read
    assert found.notes == [f"the first {read:,} examples of a stream; a longer run reads more"]
    assert torch.equal(found.x.sum(1) > 1.5, found.y == 1)


@pytest.mark.usefixtures("short")
def test_what_a_run_needs_is_in_its_training_split():
    data = prepare(Endless(), name="mine", seed=0, val=0.2, test=0.3, needed=3000)
    assert len(data.train.y) >= 3000
    assert len(data.val.y) + len(data.test.y) >= 3000


@pytest.mark.usefixtures("short")
def test_a_stream_that_ends_is_read_to_its_end_and_says_nothing():
    found = to_examples(Stream(), "mine", needed=10)
    assert torch.equal(found.x, X)
    assert found.notes == []


@pytest.mark.usefixtures("short")
def test_a_stream_of_large_examples_is_read_no_further_than_needed(monkeypatch):
    monkeypatch.setattr(torch_data, "_LARGEST", 2 * 600 * 20)
    assert len(to_examples(Endless(), "mine", needed=300).x) == 768
    with pytest.raises(InputError, match="the run needs 3,000 examples of it, more than fits"):
        to_examples(Endless(), "mine", needed=3000)


@pytest.mark.usefixtures("short")
def test_a_stream_without_end_needs_to_know_how_far():
    with pytest.raises(InputError, match=r"Endless has no length and more than 1,792 .*max_steps"):
        to_examples(Endless(), "mine")
    with pytest.raises(InputError, match=r"mine: Endless has no length and more than 1,792"):
        to_examples((Stream(), Endless()), "mine", needed=10)
