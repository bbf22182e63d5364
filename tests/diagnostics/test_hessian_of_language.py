"""Second derivatives through attention and through time, against whole Hessians in float64."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from harness import Steps
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from sgdlab.diagnostics.base import Subject, flat
from sgdlab.diagnostics.curvature import Curvature
from sgdlab.diagnostics.hessian_trace import HessianTrace
from sgdlab.diagnostics.sharpness import Sharpness
from trainer_runs import train

GPT = ("model=gpt", "model.width=4", "model.depth=1")
MODELS = {
    "gpt": GPT,
    "modern": (
        *GPT, "model.positions=rotary", "model.norm=rms", "model.activation=swiglu",
        "model.tied=false", "model.qk_norm=true",
    ),
    "mup": (*GPT, "parametrization=mup", "model.mup_base_width=2"),
    "lstm": ("model=lstm", "model.width=3"),
}  # fmt: skip


def tiny(folder: Path, model: str, *more: str) -> tuple[str, ...]:
    (folder / "a.txt").write_text("abcabdaebacd" * 9)
    return (
        "dataset=text", f"dataset.path={folder / 'a.txt'}", "dataset.tokens=characters",
        "dataset.context=4", "dtype=float64", "batch_size=6", "schedule=constant",
        "schedule.warmup_epochs=0", "lr=0.1", *MODELS[model], *more,
    )  # fmt: skip


def loss_of(subject: Subject) -> Callable[[Tensor], Tensor]:
    """Return the mean over all tokens of training as a function of all parameters."""
    x, y = subject.data.train
    sizes = [p.numel() for p in subject.parameters]

    def loss(vector: Tensor) -> Tensor:
        parts = zip(subject.names, vector.split(sizes), subject.parameters, strict=True)
        named = {name: v.view_as(p) for name, v, p in parts}
        logits = torch.func.functional_call(subject.model, named, (x,))
        chosen = logits.log_softmax(-1).gather(-1, y[..., None])
        return -chosen.sum() / y.numel()

    return loss


def moved_away(steps: Steps) -> Tensor:
    """Give the parameters values at which no derivative is small; return them."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in steps.subject.parameters:
            p += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return flat(steps.subject.parameters).clone()


@pytest.mark.parametrize("model", MODELS)
def test_the_hessian_of_a_language_model_is_the_whole_one(tmp_path: Path, model: str) -> None:
    steps = Steps(*tiny(tmp_path, model, "optimizer=sgd"))
    at = moved_away(steps)
    with sdpa_kernel(SDPBackend.MATH):
        whole = torch.autograd.functional.hessian(loss_of(steps.subject), at)
    here = Curvature(steps.subject, steps.subject.parameters, 10**6)
    directions = torch.randn(5, len(at), dtype=at.dtype)
    assert float(whole.abs().max()) > 0.05
    for v in directions:
        torch.testing.assert_close(here.product(v), whole @ v, rtol=1e-9, atol=1e-11)
    values = np.linalg.eigvalsh(whole.numpy())
    sharpness = Sharpness(examples=10**6, iterations=60, tolerance=0.0)
    trace = HessianTrace(examples=10**6, probes=40)
    for quantity in (sharpness, trace):
        quantity.begin(steps.subject)
    moment = steps.take()
    assert torch.equal(moment.start, at)
    assert float(steps.measure(sharpness, moment)) == pytest.approx(values[-1], rel=1e-7)
    off = whole - whole.diag().diag()
    noise = (2 * float(off.square().sum()) / 40) ** 0.5  # of signs, Hutchinson (1989)
    assert abs(float(steps.measure(trace, moment)) - values.sum()) < 5 * noise


@pytest.mark.parametrize("model", ["gpt", "lstm"])
def test_everything_is_measured_and_changes_nothing(tmp_path: Path, model: str) -> None:
    own = tiny(tmp_path, model, "optimizer=adamw", "max_steps=3", "dataset.windows=random")
    quick = (
        "diagnostics.every=3", "~diagnostics.at_end.landscape",
        "diagnostics.at_end.layers.probes=1", "diagnostics.at_end.layers.iterations=2",
        "diagnostics.at_end.minimum.iterations=2",
    )  # fmt: skip
    _, plain, _ = train(*own, "diagnostics=off")
    outcome, rows, run = train(*own, "diagnostics=full", *quick)
    assert outcome.status == "completed"
    assert [row[:7] for row in rows.step_rows] == [row[:7] for row in plain.step_rows]
    assert run.diagnostics.recorder is not None
    assert all(value is not None for value in rows.step_rows[-1][7:10])
