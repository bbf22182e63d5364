"""Changes of batches against torchvision's, image by image, and in runs."""

import functools
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from sgdlab.augmentation.augment import Augmentation, augmentation_of
from sgdlab.augmentation.crop import corners, crop
from sgdlab.augmentation.cutout import centres, cutout
from sgdlab.augmentation.flip import flip, flips
from sgdlab.augmentation.mixup import Pairing, mixup, pairing, shares_of
from sgdlab.config.sections import AugmentConfig
from sgdlab.datasets.base import Split
from sgdlab.errors import InputError
from sgdlab.losses.cross_entropy import CrossEntropy
from sgdlab.stacked import refusals
from sgdlab.steps.batches import BatchPlan, stream_seed
from trainer_runs import Rows, built, config_of, fit_from_checkpoint, train

# After sgdlab, beside whose torch it imports torchvision.
transforms: Any = importlib.import_module("torchvision.transforms.v2.functional")
ALL = ("augment.crop=2", "augment.flip=0.5", "augment.cutout=3", "augment.mixup=0.4")
RUN = ("model=linear", "schedule=constant", "epochs=2", "batch_size=256", "max_steps=7")
OFF = {"crop": 0, "flip": 0.0, "cutout": 0, "mixup": 0.0}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@functools.cache
def images(height: int, width: int, channels: int = 3) -> Tensor:
    return torch.randn(40, channels, height, width, generator=generator())


SIZES = pytest.mark.parametrize(("height", "width"), [(8, 8), (7, 12), (32, 32)])


@SIZES
@pytest.mark.parametrize("padding", [1, 4])
def test_crop_is_torchvisions(height: int, width: int, padding: int) -> None:
    x, corner = images(height, width), corners(40, padding, generator())
    found = crop(x, corner, padding)
    for image, (top, left), one in zip(x, corner.tolist(), found, strict=True):
        expected = transforms.crop(image, top - padding, left - padding, height, width)
        assert torch.equal(one, expected)
    middle = torch.full_like(corner, padding)
    assert torch.equal(crop(x, middle, padding), x)
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(crop(last, corner, padding), found)
    integers = (x * 9).to(torch.uint8)
    assert torch.equal(crop(integers, middle, padding), integers)


@SIZES
def test_flip_is_torchvisions(height: int, width: int) -> None:
    x, chosen = images(height, width), flips(40, 0.5, generator())
    assert 0 < int(chosen.sum()) < 40
    for image, is_chosen, one in zip(x, chosen.tolist(), flip(x, chosen), strict=True):
        assert torch.equal(one, transforms.horizontal_flip(image) if is_chosen else image)


@SIZES
@pytest.mark.parametrize("side", [1, 4, 5])
def test_cutout_is_torchvisions_erase(height: int, width: int, side: int) -> None:
    x, centre = images(height, width), centres(40, (height, width), generator())
    found = cutout(x, centre, side)
    for image, (row, column), one in zip(x, centre.tolist(), found, strict=True):
        top, left = max(row - side // 2, 0), max(column - side // 2, 0)
        bottom = min(row - side // 2 + side, height)
        right = min(column - side // 2 + side, width)
        zero = torch.zeros(1)
        expected = transforms.erase(image, top, left, bottom - top, right - left, zero)
        assert torch.equal(one, expected)


def test_choices_are_uniform() -> None:
    """Every place occurs as often as chance allows: within 5 deviations of a binomial."""
    for drawn, places in (
        (corners(81_000, 4, generator()), (9, 9)),
        (centres(81_000, (9, 9), generator()), (9, 9)),
    ):
        counts = torch.bincount(drawn[:, 0] * places[1] + drawn[:, 1], minlength=81)
        assert len(counts) == 81
        assert float((counts - 1000).abs().max()) < 5 * 1000**0.5
    share = float(flips(10_000, 0.3, generator()).double().mean())
    assert abs(share - 0.3) < 5 * (0.3 * 0.7 / 10_000) ** 0.5
    assert not flips(1000, 0.0, generator()).any()
    assert flips(1000, 1.0, generator()).all()
    alpha, shares = 0.4, np.array([pairing(1, 0.4, seed).share for seed in range(4000)])
    variance = 1 / (4 * (2 * alpha + 1))  # of Beta(alpha, alpha)
    assert abs(shares.mean() - 0.5) < 5 * (variance / 4000) ** 0.5
    assert shares.var() == pytest.approx(variance, rel=0.05)


def test_mixed_targets_have_the_mixed_losses() -> None:
    """``L(o, λ·q_i + (1 - λ)·q_j)`` is ``λ·L(o, y_i) + (1 - λ)·L(o, y_j)``, with smoothing, too."""
    output = torch.randn(9, 4, generator=generator(), dtype=torch.float64)
    label = torch.randint(4, (9,), generator=generator())
    pair = pairing(9, 1.0, 3)
    assert sorted(pair.order.tolist()) == list(range(9))
    mixed = mixup(shares_of(label, 4, torch.float64), pair)
    for smoothing in (0.0, 0.1):
        each = functools.partial(F.cross_entropy, output, label_smoothing=smoothing)
        expected = pair.share * each(label) + (1 - pair.share) * each(label[pair.order])
        found = CrossEntropy(smoothing)(output, mixed)
        assert float(found) == pytest.approx(float(expected), rel=1e-12)
    half = mixup(torch.tensor([1.0, 5.0, 9.0]), Pairing(torch.tensor([1, 2, 0]), 0.5))
    assert half.tolist() == [3.0, 7.0, 5.0]


def test_all_changes_are_made_in_their_order_from_streams_of_their_own() -> None:
    data = built("dataset=digits", "model=linear").data
    batch = data.train.take(slice(32))
    asked = OFF | {"crop": 2, "flip": 0.5}
    both = Augmentation(AugmentConfig(**asked), 5, None)(3, batch)
    cropped = Augmentation(AugmentConfig(**OFF | {"crop": 2}), 5, None)(3, batch)
    flipped = Augmentation(AugmentConfig(**OFF | {"flip": 0.5}), 5, None)(3, cropped)
    assert torch.equal(both.x, flipped.x)
    assert torch.equal(both.y, batch.y)
    for other in ((3, 6), (4, 5)):  # another update, another seed
        changed = Augmentation(AugmentConfig(**asked), other[1], None)(other[0], batch)
        assert not torch.equal(changed.x, both.x)
    mixed = Augmentation(AugmentConfig(**asked | {"mixup": 0.4}), 5, 10)(3, batch)
    pair = pairing(32, 0.4, _seed_of("mixup", 5, 3))
    assert torch.equal(mixed.x, mixup(both.x, pair))
    torch.testing.assert_close(mixed.y.sum(1), torch.ones(32))


def _seed_of(kind: str, seed: int, step: int) -> int:
    return stream_seed(seed, f"augment/{kind}", step)


def joined(parts: list[Split]) -> Split:
    return Split(torch.cat([part.x for part in parts]), torch.cat([part.y for part in parts]))


def test_micro_batches_are_parts_of_the_one_changed_batch() -> None:
    run = built("dataset=digits", *RUN, *ALL)
    train_split, found = run.data.train, list[Split]()
    for batch_size, accumulate in ((256, 1), (64, 4)):
        plan = BatchPlan.of(batch_size, accumulate, len(train_split.y))
        updates = list(plan.epoch(train_split, 0, 1, 1, run.augmentation))
        assert (len(updates), len(updates[0])) == (4, accumulate)
        found.append(joined(updates[0]))
    plan = BatchPlan.of(64, 4, len(train_split.y))
    plain = joined(next(iter(plan.epoch(train_split, 0, 1, 1))))
    assert run.augmentation is not None
    found.append(run.augmentation(plan.steps_per_epoch + 1, plain))
    for other in found[1:]:
        assert torch.equal(other.x, found[0].x)
        assert torch.equal(other.y, found[0].y)


def curves(*overrides: str) -> tuple[list[tuple], list[tuple]]:
    """Return the rows of a run, but for its times."""
    _, rows, _ = train("dataset=digits", *RUN, *overrides)
    return rows.step_rows, [(*row[:3], *row[4:]) for row in rows.evaluations]


def test_the_same_seed_gives_the_same_run_and_off_is_as_if_it_were_not_there() -> None:
    assert curves(*ALL) == curves(*ALL)
    assert curves(*ALL) != curves(*ALL, "seed=1")
    off = curves()
    assert off == curves("augment.crop=0", "augment.flip=0.0", "augment.mixup=0")
    assert built("dataset=digits", "model=linear").augmentation is None
    for one in ALL:
        steps, evaluations = curves(one)
        assert steps != off[0]
        assert evaluations[:2] == off[1][:2]  # before the first step: data as they are


def test_a_resumed_run_goes_on_with_the_same_choices(tmp_path: Path) -> None:
    chosen = ("dataset=digits", *RUN, *ALL, "checkpoint.every=3")
    whole, parts = Rows(), Rows()
    fit_from_checkpoint(built(*chosen), whole, tmp_path / "whole", stop=False)
    for stop in (True, True, False):  # stopped after steps 3 and 6
        fit_from_checkpoint(built(*chosen), parts, tmp_path / "parts", stop)
    assert len(whole.step_rows) == 7
    assert [row[:7] for row in parts.step_rows] == [row[:7] for row in whole.step_rows]


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("dataset=wine", "augment.crop=1"), r"augment.crop: needs images .* are \[13\]"),
        (("dataset=digits", "augment.crop=8"), "augment.crop=8: must be below 8"),
        (("dataset=digits", "augment.cutout=9"), "augment.cutout=9: must be below 8"),
        (("dataset=digits", "augment.mixup=1", "loss=mse"), "task=classification take loss=auto"),
        (("dataset=rosenbrock", "augment.mixup=1"), "task=optimization cannot be mixed"),
        (("dataset=digits", "augment.flip=1.5"), "augment.flip=1.5: .*from 0 to 1"),
        (("dataset=digits", "augment.crop=-1"), "augment.crop=-1: "),
        (("dataset=digits", "augment.mixup=-0.1"), "augment.mixup=-0.1: .*from 0"),
    ],
)
def test_what_cannot_be_changed_is_refused(overrides: tuple[str, ...], said: str) -> None:
    with pytest.raises(InputError, match=said):
        built(*overrides)


def test_quantities_are_mixed_as_numbers_and_a_stack_refuses() -> None:
    run = built("dataset=diabetes", "model=linear", "augment.mixup=0.4")
    assert run.augmentation is not None
    batch = run.data.train.take(slice(8))
    found = run.augmentation(0, batch)
    pair = pairing(8, 0.4, _seed_of("mixup", 0, 0))
    assert torch.equal(found.y, mixup(batch.y, pair))
    assert refusals.of_config(run.config) == "augment"
    assert refusals.of_config(config_of("dataset=diabetes")) != "augment"
    weighted = Split(batch.x, batch.y, torch.ones(8))
    with_weights = run.data.__class__(**vars(run.data) | {"train": weighted})
    with pytest.raises(InputError, match="examples with weights cannot be mixed"):
        augmentation_of(run.config.augment, 0, with_weights, None)
