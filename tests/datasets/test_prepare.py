import hashlib
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from sgdlab.datasets.base import Dataset, Examples
from sgdlab.datasets.partition import assign, partition
from sgdlab.datasets.split import prepare
from sgdlab.errors import InputError


def ready(x: Any, y: Any, seed: int = 0, val: float = 0.2, test: float = 0.25) -> Dataset:
    return prepare((x, y), name="own", seed=seed, val=val, test=test)


def table(n: int = 200, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 4)) * [1, 100, 0.01, 0] + [0, 5000, 3, 0.1]
    # The row number travels along, so that a test can tell which row went where.
    return np.column_stack([x, np.arange(n)]), np.arange(n) % classes


def rows(data: Dataset, split: str, n: int = 200) -> np.ndarray:
    """Recover the row numbers of a split from the standardised last column."""
    column = torch.cat([part.x[:, -1] for part in (data.train, data.val, data.test)])
    rank = column.argsort().argsort().numpy()
    sizes = [len(data.train.y), len(data.val.y), len(data.test.y)]
    parts = np.split(rank, np.cumsum(sizes)[:-1])
    assert sum(sizes) == n
    return parts[["train", "val", "test"].index(split)]


def test_splits_are_disjoint_complete_and_keep_rows_together() -> None:
    x, y = table()
    data = ready(x, y)
    everything = [rows(data, split) for split in ("train", "val", "test")]
    assert [len(part) for part in everything] == [110, 40, 50]
    assert sorted(np.concatenate(everything).tolist()) == list(range(200))
    for split, part in zip((data.train, data.val, data.test), everything, strict=True):
        assert np.array_equal(split.y.numpy(), y[part])


@given(
    counts=st.lists(st.integers(4, 60), min_size=2, max_size=6),
    val=st.floats(0.1, 0.3),
    test=st.floats(0.1, 0.3),
    seed=st.integers(0, 5),
)
def test_every_part_has_its_size_and_its_share_of_each_class(
    counts: list[int], val: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    n = len(labels)
    sizes = [round(val * n), round(test * n)]
    train, *parts = assign(labels, sizes, seed)
    assert sorted(np.concatenate([train, *parts]).tolist()) == list(range(n))
    for part, size in zip(parts, sizes, strict=True):
        assert len(part) == size
        found = np.bincount(labels[part], minlength=len(counts))
        assert np.all(np.abs(found - size * np.array(counts) / n) < 1)
    assert np.all(np.bincount(labels[train], minlength=len(counts)) >= 1)


def test_a_class_of_one_example_is_trained_on() -> None:
    # Largest remainders alone would give the third row of a part to a class of one.
    labels = np.array([0, 0, 0, 1, 1, 1, 2, 3, 4, 5])
    for seed in range(20):
        train, val = assign(labels, [3], seed)
        assert len(val) == 3
        assert set(labels[train]) == set(range(6))
    train, val, test = assign(np.array([0] * 5 + [1] * 5), [4, 4], 0)
    assert (len(val), len(test), sorted(train // 5)) == (4, 4, [0, 1])


def test_rows_of_a_split_are_in_random_order() -> None:
    train, val = assign(np.repeat([0, 1], 500), [300], 0)
    for part in (train, val):
        first = part[: len(part) // 2]
        assert 0.4 < np.mean(first < 500) < 0.6
        assert not np.array_equal(part, np.sort(part))


def test_the_split_depends_on_its_seed_alone() -> None:
    x, y = table()
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002 - the legacy global state must not matter
    one = ready(x, y)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002
    before = torch.get_rng_state()
    two = ready(x, y)
    assert torch.equal(torch.get_rng_state(), before)
    assert one.fingerprint == two.fingerprint
    assert torch.equal(one.train.x, two.train.x)
    other = ready(x, y, seed=1)
    assert other.fingerprint != one.fingerprint
    assert set(rows(other, "test").tolist()) != set(rows(one, "test").tolist())


def test_the_stream_of_the_split_never_changes() -> None:
    # Worked out by hand from PCG64's raw stream: sorting it gives the order of the rows.
    seed = int.from_bytes(hashlib.sha256(b"split/7").digest()[:8], "little")
    raw = np.random.PCG64(seed).random_raw(6)
    order = sorted(range(6), key=lambda row: raw[row])
    (train, val) = assign(np.zeros(6, int), [2], 7)
    assert (val.tolist(), train.tolist()) == (order[:2], order[2:]) == ([4, 5], [2, 3, 1, 0])


@pytest.mark.parametrize("by", ["random", "stratified", "group", "time"])
@pytest.mark.parametrize("seed", [0, 1, 42])
def test_data_drawn_by_the_seed_of_the_split_do_not_decide_it(seed: int, by: Any) -> None:
    # A user's numbers from the same seed: in what is held out they must be as large as elsewhere.
    n = 3000
    made = {
        "random": np.random.default_rng(seed).random(n),
        "integers": np.random.default_rng(seed).integers(0, 2**62, n) / 2**62,
        "raw": np.random.PCG64(seed).random_raw(n) / 2**64,
        "uniform": np.random.RandomState(seed).random_sample(n),
    }
    for name, x in made.items():
        group, time = (np.arange(n) if by == key else None for key in ("group", "time"))
        if by == "time":  # rows of the same time are in random order
            time = np.repeat([0, 1, 2], n // 3)
        _, val, test = partition(
            np.zeros(n, int), group, time, sizes=[n // 3] * 2, seed=seed, by=by
        )
        assert abs(np.corrcoef(np.arange(len(val)), x[val])[0, 1]) < 0.15, name
        if by != "time":
            assert abs(x[val].mean() - 0.5) < 0.05, name
            assert abs(x[test].mean() - 0.5) < 0.05, name


def test_tables_are_standardised_as_scikit_learn_does_by_training_rows() -> None:
    x, y = table()
    data = ready(x, y)
    scaler = StandardScaler().fit(x[rows(data, "train")])
    for split in ("train", "val", "test"):
        expected = scaler.transform(x[rows(data, split)])
        assert np.allclose(getattr(data, split).x.numpy(), expected, atol=1e-12)


def test_images_are_standardised_per_channel() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 3, 5, 6)) * np.array([1, 10, 0])[:, None, None] + 2
    data = ready(x.astype(np.float32), np.arange(40) % 2)
    train = data.train.x.double()
    assert data.input_shape == (3, 5, 6)
    assert torch.allclose(train.mean(dim=(0, 2, 3)), torch.zeros(3).double(), atol=1e-6)
    spread = train.std(dim=(0, 2, 3), correction=0)
    assert torch.allclose(spread, torch.tensor([1.0, 1, 0]).double(), atol=1e-6)
    # One scale for the channel: pixels keep their differences.
    assert float(train.mean(dim=0)[0].std()) > 0.01
    assert torch.equal(data.test.x[:, 2], torch.zeros_like(data.test.x[:, 2]))


def test_what_is_constant_in_training_is_divided_by_one() -> None:
    x, y = table()
    data = ready(x, y)
    train_rows = rows(data, "train")
    x[:, 0] = 7.7
    outsider = rows(data, "val")[0]
    assert outsider not in train_rows
    x[outsider, 0] = 9.7
    again = ready(x, y)
    assert torch.equal(again.train.x[:, 0], torch.zeros(110, dtype=torch.float64))
    assert float(again.val.x[0, 0]) == pytest.approx(2, abs=1e-5)


def test_tokens_are_left_alone() -> None:
    tokens = np.random.default_rng(0).integers(0, 99, (30, 12))
    data = ready(tokens, np.arange(30) % 2)
    assert data.train.x.dtype == torch.int64
    together = torch.cat([data.train.x, data.val.x, data.test.x])
    assert sorted(together.tolist()) == sorted(tokens.tolist())
    assert data.to("cpu", torch.float64).train.x.dtype == torch.int64


@pytest.mark.parametrize("columns", [None, 1, 2])
def test_targets_are_standardised_and_their_scale_is_kept(columns: int | None) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = 150 + 40 * rng.normal(size=(80, columns or 1)) * np.array([1, 5])[: columns or 1]
    data = ready(x, y[:, 0] if columns is None else y)
    outputs = columns or 1
    assert (data.task, data.num_outputs) == ("regression", outputs)
    assert data.train.y.shape == (len(data.train.y), outputs)
    assert torch.allclose(data.train.y.mean(dim=0), torch.zeros(outputs).double(), atol=1e-12)
    everything: Tensor = torch.cat([data.train.y, data.val.y, data.test.y])
    span = (everything.amax(dim=0) - everything.amin(dim=0)) * data.target_scale
    assert np.allclose(span.numpy(), y.max(axis=0) - y.min(axis=0), rtol=1e-12)


def test_float64_keeps_what_float32_would_lose() -> None:
    """Quarters of a second of Unix time: neighbours are 64 s apart in float32."""
    t = 1_700_000_000 + np.arange(400) * 0.25
    data = ready(t[:, None], 3.0 * (t - t[0]))
    x = torch.cat([data.train.x, data.val.x, data.test.x])[:, 0].sort().values
    steps = x.diff() * float(t[rows_of(data)].std())
    assert torch.allclose(steps, torch.full_like(steps, 0.25), atol=1e-6)


def rows_of(data: Dataset) -> np.ndarray:
    """Recover the rows of training from targets that rise with them."""
    y = torch.cat([data.train.y, data.val.y, data.test.y])[:, 0]
    return y.argsort().argsort()[: len(data.train.y)].numpy()


@pytest.mark.parametrize("wanted", [True, False])
def test_targets_are_standardised_where_that_is_wanted(wanted: bool) -> None:
    x, _ = table()
    y = x[:, 1]
    data = prepare((x, y), name="own", seed=0, val=0.2, test=0.25, standardize_targets=wanted)
    together = torch.cat([data.train.y, data.val.y, data.test.y])[:, 0]
    restored = together * data.target_scale + data.target_mean
    assert np.allclose(np.sort(restored.numpy()), np.sort(y), rtol=1e-12)
    assert bool(data.target_scale != 1.0) is wanted


@pytest.mark.parametrize("task", ["multilabel", "counts"])
def test_labels_and_counts_are_never_standardised(task: Any) -> None:
    x, _ = table()
    y = (np.arange(400) % 2).reshape(200, 2).astype(float)
    data = prepare((x, y), name="own", seed=0, val=0.2, test=0.25, task=task)
    assert set(torch.cat([data.train.y, data.val.y]).unique().tolist()) == {0.0, 1.0}


def test_ones_own_validation_split_stays_it() -> None:
    x, y = table()
    own = Examples(x[:120], y[:120], val=(x[120:160], y[120:160]), test=(x[160:], y[160:]))
    data = prepare(own, name="own", seed=0, val=0.9, test=0.9)
    assert [len(part.y) for part in (data.train, data.val, data.test)] == [120, 40, 40]
    assert data.val.y.tolist() == y[120:160].tolist()


def test_an_official_test_split_stays_the_test_split() -> None:
    x, y = (torch.from_numpy(part) for part in table())
    official = (x[:3].float(), y[:3])
    examples = Examples(x[3:].float(), y[3:], test=official)
    data = prepare(examples, name="own", seed=0, val=0.2, test=0.9)
    assert (len(data.train.y), len(data.val.y), len(data.test.y)) == (158, 39, 3)
    assert torch.equal(data.test.y, official[1])
    train = torch.cat([data.train.x, data.val.x])
    # Scaled by the training rows: the row numbers 0, 1, 2 stay in front of all others.
    assert data.test.x[:, -1].tolist() == sorted(data.test.x[:, -1].tolist())
    assert float(data.test.x[:, -1].max()) < float(train[:, -1].min())


def test_to_casts_floats_alone_and_keeps_the_fingerprint() -> None:
    x, y = table()
    classes = ready(x, y)
    moved = classes.to("cpu", torch.float64)
    assert (moved.train.x.dtype, moved.train.y.dtype) == (torch.float64, torch.int64)
    assert moved.fingerprint == classes.fingerprint
    assert classes.to("cpu", torch.float32).train.x.dtype == torch.float32
    values = ready(x, x[:, :2]).to("cpu", torch.float64)
    assert values.val.y.dtype == torch.float64
    assert isinstance(values.target_scale, Tensor)
    assert values.target_scale.dtype == torch.float64


def test_fingerprint_sees_one_bit_and_the_shape() -> None:
    x, y = table()
    base = ready(x, y).fingerprint
    assert len(base) == 64
    nudged = x.copy()
    nudged[0, 0] += 1
    swapped = y.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert len({base, ready(nudged, y).fingerprint, ready(x, swapped).fingerprint}) == 3
    flat = ready(np.ones((20, 6)), np.arange(20) % 2).fingerprint
    assert flat != ready(np.ones((20, 2, 3)), np.arange(20) % 2).fingerprint


@pytest.mark.parametrize(
    ("val", "test", "says"),
    [
        (0.0, 0.2, "split.val=0.0: must be a fraction between 0 and 1"),
        (0.2, 1.5, "split.test=1.5"),
        (0.2, float("nan"), "split.test=nan"),
        (0.001, 0.2, "split.val=0.001 of 200 examples is none"),
        (
            0.5,
            0.5,
            "split.val=0.5 and split.test=0.5 of 200 examples do not leave one of every class",
        ),
        (0.49, 0.5, "do not leave one of every class for training; lower them"),
    ],
)
def test_impossible_fractions_are_refused(val: float, test: float, says: str) -> None:
    with pytest.raises(InputError, match=says):
        ready(*table(), val=val, test=test)
