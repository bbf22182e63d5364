"""Same config, same bytes: also for users' code that draws from generators that nobody seeded."""

from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, same_run, write

from sgdlab.training import dataset

pytestmark = pytest.mark.slow

PARTS = """
    import random

    import numpy as np
    import torch
    from torch import nn

    SHARED = np.random.default_rng()
    flip = random.Random()


    class Linear(nn.Module):
        def __init__(self, num_outputs, flag=None):
            super().__init__()
            self.head = nn.Linear(13, num_outputs)
            self.steps, self.flag = 0, flag

        def forward(self, x):
            if self.training:
                self.steps += 1
                if self.flag and self.steps == 9:
                    open(self.flag, "x").close()
                x = x + self.noise(x)
            return self.head(x)


    class GlobalNumpy(Linear):
        def __init__(self, num_outputs, flag=None):
            super().__init__(num_outputs, flag)
            nn.init.constant_(self.head.bias, float(np.random.rand()))

        def noise(self, x):
            return float(np.random.beta(1, 1)) + random.random() + random.gauss(0, 1)


    class OwnGenerator(Linear):
        def __init__(self, num_outputs, flag=None):
            super().__init__(num_outputs, flag)
            self.kept = {"rng": [np.random.default_rng()]}
            self.old, self.python = np.random.RandomState(), random.Random()
            self.torch = torch.Generator()

        def noise(self, x):
            drawn = self.kept["rng"][0].normal() + self.old.rand() + self.python.random()
            return drawn + torch.rand((), generator=self.torch)


    class OfTheModule(Linear):
        def noise(self, x):
            return SHARED.normal() + flip.random()


    class MadeEachTime(Linear):
        def noise(self, x):
            return np.random.default_rng().normal() + random.Random().random()


    class OfTheClass(Linear):
        stream = np.random.default_rng()

        def noise(self, x):
            return self.stream.normal()


    class Labels(nn.Module):
        def __init__(self):
            super().__init__()
            self.rng = np.random.default_rng()

        def forward(self, outputs, y):
            keep = torch.as_tensor(self.rng.random(len(y)) > 0.1)
            loss = nn.functional.cross_entropy(outputs, y, reduction="none")
            return (loss * keep).mean() + random.random() * 1e-3


    def blobs():
        x = np.random.randn(60, 13) + torch.randn(60, 13).numpy()
        return x + np.random.default_rng().normal(size=x.shape), np.arange(60) % 3
"""
MODELS = ("GlobalNumpy", "OwnGenerator", "OfTheModule", "MadeEachTime", "OfTheClass")
COMMON = ("epochs=3", "schedule.warmup_epochs=0", "batch_size=16", "checkpoint.every=4")


@pytest.fixture
def drawing(parts: Path) -> Path:
    write(parts / "drawing.py", PARTS)
    for name in MODELS:
        write(parts / "model" / f"{name.lower()}.yaml", f"_target_: drawing.{name}\nflag: null\n")
    write(parts / "loss" / "labels.yaml", "_target_: drawing.Labels\n")
    write(parts / "dataset" / "drawn_blobs.yaml", "_target_: drawing.blobs\n")
    return parts


@pytest.mark.parametrize("name", MODELS)
def test_a_run_draws_the_same_after_others_and_after_a_failure(
    name: str, sgdlab: Cli, drawing: Path
) -> None:
    model = f"model={name.lower()}"
    first = sgdlab.train("first", model, *COMMON, parts=drawing)
    swept = sgdlab(
        "train", "-m", "--config-dir", drawing, *QUICK, model, *COMMON, "seed=1,0", "study=s"
    )
    assert swept.code == 0, swept.err
    second = next(
        run.parent
        for run in (sgdlab.folder / "runs" / "s").glob("*/config.yaml")
        if "\nseed: 0\n" in run.read_text()
    )
    assert same_run(first, second, "study")
    failing = (model, *COMMON, f"model.flag={drawing}/flag", "hydra.run.dir=third")
    write(drawing / "flag", "")
    assert sgdlab("train", "--config-dir", drawing, *QUICK, *failing).code == 1
    (drawing / "flag").unlink()
    third = sgdlab.train("third", *failing, parts=drawing)
    assert (first / "steps.csv").read_bytes() == (third / "steps.csv").read_bytes()


def test_data_and_loss_draw_the_same(sgdlab: Cli, drawing: Path) -> None:
    own = ("dataset=drawn_blobs", "model=linear", "loss=labels", *COMMON)
    runs = []
    for name in ("one", "two"):
        dataset.forget()
        runs.append(sgdlab.train(name, *own, parts=drawing))
    assert same_run(*runs)


def test_diagnostics_draw_nothing_of_it(sgdlab: Cli, drawing: Path) -> None:
    own = ("model=owngenerator", *COMMON)
    plain = sgdlab.train("plain", *own, "diagnostics=off", parts=drawing)
    watched = sgdlab.train("watched", *own, "diagnostics=business", parts=drawing)
    losses = [
        [line.split(",")[4] for line in (run / "steps.csv").read_text().splitlines()]
        for run in (plain, watched)
    ]
    assert losses[0] == losses[1]
