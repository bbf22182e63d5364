"""channels_last=true: the same run with another order of numbers in memory."""

import pytest
import torch

from sgdlab.datasets.rows import take
from sgdlab.errors import InputError
from trainer_runs import built, train

OPTIMIZERS = ("adafactor", "adamw", "lamb", "lars", "muon", "rprop", "schedule_free_sgd")
"""Those of one tensor, of its length, of its matrix; others are refused by their first step."""
IMAGES = (
    "dataset=images_synthetic", "dataset.n_samples=60", "dataset.size=8", "model=resnet18",
    "model.width=2", "batch_size=10", "dtype=float64",
)  # fmt: skip
LAST = torch.channels_last


def test_rows_are_taken_in_the_order_that_they_lie_in() -> None:
    x = torch.randn(6, 3, 4, 5)
    rows = torch.tensor([4, 0, 0])
    taken = take(x.contiguous(memory_format=LAST), rows)
    assert taken.is_contiguous(memory_format=LAST)
    assert torch.equal(taken, x[rows])
    assert take(x, rows).is_contiguous()


@pytest.mark.parametrize("own", [(), ("augment.crop=1", "augment.flip=0.5", "accumulate=2")])
def test_it_is_the_same_run_within_rounding(own: tuple[str, ...]) -> None:
    _, plain, before = train(*IMAGES, *own, "max_steps=6")
    _, last, run = train(*IMAGES, *own, "max_steps=6", "channels_last=true")
    batch = next(run.updates(0))[0].x
    assert run.model.get_parameter("layer1.0.conv1.weight").is_contiguous(memory_format=LAST)
    assert own or batch.is_contiguous(memory_format=LAST)
    for a, b in zip(plain.step_rows, last.step_rows, strict=True):
        assert a[4:7] == pytest.approx(b[4:7], rel=1e-9)
    for (name, p), q in zip(before.model.named_parameters(), run.model.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_take_weights_in_that_order(name: str) -> None:
    own = (
        "dataset=images_synthetic", "dataset.n_samples=30", "dataset.size=8", "model=cnn",
        "model.channels=[2,2]", "batch_size=6", "dtype=float64", f"optimizer={name}",
        "max_steps=2", "diagnostics=off",
    )  # fmt: skip
    _, plain, _ = train(*own)
    _, last, _ = train(*own, "channels_last=true")
    for a, b in zip(plain.step_rows, last.step_rows, strict=True):
        assert a[4] == pytest.approx(b[4], rel=1e-7)


def test_every_quantity_is_measured() -> None:
    own = (*IMAGES, "max_steps=2", "diagnostics=business", "diagnostics.every=1")
    _, plain, _ = train(*own)
    _, last, _ = train(*own, "channels_last=true")
    for a, b in zip(plain.step_rows, last.step_rows, strict=True):
        assert [v is None for v in a] == [v is None for v in b]


@pytest.mark.parametrize(
    ("own", "says"),
    [
        (("dataset=wine", "model=mlp"), r"needs images, \[channels, height, width\].*\[13\]"),
        (("dataset=text", "model=gpt"), r"needs images"),
        (("dataset=digits", "model=mlp"), r"model=mlp has no convolution|needs images"),
    ],
)
def test_what_has_no_channels_is_refused(own: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=f"channels_last=true: .*{says}"):
        built(*own, "channels_last=true")
