"""Snippets of runs of the larger shipped models end where the runs did."""

from pathlib import Path
from typing import Any

import pytest
import torch
from small_problem import example_of

from sgdlab.snippet import snippet
from trainer_runs import built, train

WORDS = "the quick brown fox jumps over the lazy dog, and then some more words. " * 20
MODELS = {
    "gpt": ("dataset=text", "dataset.context=8", "model.width=8", "model.depth=1"),
    "lstm": ("dataset=text", "dataset.context=8", "model.width=8"),
    "resnet18": ("model.width=4", "freeze=[conv1.*,bn1.*]"),
    "vit": ("model.width=8", "model.depth=1", "model.heads=2"),
}


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
@pytest.mark.parametrize("name", MODELS)
def test_the_snippet_makes_the_steps_of_the_run(name: str, optimizer: str, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text(WORDS)
    text = "dataset=text" in MODELS[name]
    options = (
        *MODELS[name], *([f"dataset.path={tmp_path / 'words.txt'}"] if text else ()),
        f"model={name}", f"optimizer={optimizer}", "max_steps=3", "batch_size=8", "accumulate=2",
        "dtype=float64", "clip_norm=1.0", "threads=1",
    )  # fmt: skip
    run = built(*options)
    batches = [(b.x, b.y) for _, u in zip(range(3), run.updates(0), strict=False) for b in u]
    source = snippet(run.config.plain())
    known: dict[str, Any] = {
        "model": run.model, "batches": batches, "loss_fn": run.objective.loss.loss,
    }  # fmt: skip
    exec(source, known)
    whole = "steps_per_epoch = math.ceil(len(batches) / ACCUMULATE)"
    example = example_of(source)
    assert whole in example
    exec(example.replace(whole, f"steps_per_epoch = {run.plan.steps_per_epoch}"), known)
    _, _, trained = train(*options)
    for key, tensor in trained.model.state_dict().items():
        torch.testing.assert_close(run.model.state_dict()[key], tensor, rtol=1e-9, atol=1e-12)
