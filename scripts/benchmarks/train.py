"""Microseconds per step against the loop that one writes by hand, and Lightning."""

import argparse
import csv
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import torch
from torch.nn import functional

from benchmarks.common import REPEATS, compare, machine
from sgdlab.config.compose.one import compose_run
from sgdlab.results import RunWriter
from sgdlab.terminal.progress import NoDisplay
from sgdlab.training.build import Run, build_run
from sgdlab.training.loop import fit

STEPS = 2000
BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="of torch, for every peer")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--repeats", type=int, default=REPEATS)


def digits_run(steps: int) -> Run:
    """Return the run that is timed."""
    overrides = [
        "optimizer=momentum", "lr=0.05", "schedule=constant", "clip_norm=1.0",
        f"max_steps={steps}", "eval.every=1000000", "model.hidden=[64]",
    ]  # fmt: skip
    return build_run(compose_run(*overrides))


def time_sgdlab(steps: int) -> float:
    """Time a run with every column of the contract logged, clipping on, rows written to disk."""
    with tempfile.TemporaryDirectory() as folder:
        run = digits_run(steps)
        writer = RunWriter(Path(folder), run.metric.name)
        start = time.perf_counter()
        outcome = fit(run, writer, NoDisplay())
        seconds = time.perf_counter() - start
        writer.close()
        assert outcome.progress.step == steps
        return seconds / steps


def time_bare(steps: int, logged: bool) -> float:
    """Time the loop that one writes by hand; ``logged``: with clipping, ``.item()`` and a CSV."""
    with tempfile.TemporaryDirectory() as folder:
        run = digits_run(steps)
        model, (x, y) = run.model, run.data.train
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        with (Path(folder) / "log.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            start = time.perf_counter()
            step = 0
            while step < steps:
                for part in torch.randperm(len(y)).split(BATCH):
                    loss = functional.cross_entropy(model(x[part]), y[part])
                    optimizer.zero_grad()
                    loss.backward()
                    if logged:
                        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                    optimizer.step()
                    if logged:
                        writer.writerow([step, loss.item(), norm.item()])
                    step += 1
                    if step == steps:
                        break
            return (time.perf_counter() - start) / steps


def time_lightning(steps: int) -> float:
    """Time Lightning's Trainer with CSVLogger and clipping on the same model and data."""
    import lightning  # pyright: ignore[reportMissingImports]
    from lightning.pytorch.loggers import CSVLogger  # pyright: ignore[reportMissingImports]

    class Module(lightning.LightningModule):
        def __init__(self, model) -> None:
            super().__init__()
            self.model = model

        def training_step(self, batch, _):
            x, y = batch
            loss = functional.cross_entropy(self.model(x), y)
            self.log("loss", loss)
            return loss

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)

    warnings.simplefilter("ignore")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        run = digits_run(steps)
        data = torch.utils.data.TensorDataset(*run.data.train)
        loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        trainer = lightning.Trainer(
            max_steps=steps, logger=CSVLogger(folder), gradient_clip_val=1.0, accelerator="cpu",
            log_every_n_steps=1, enable_progress_bar=False, enable_model_summary=False,
            enable_checkpointing=False,
        )  # fmt: skip
        start = time.perf_counter()
        trainer.fit(Module(run.model), loader)
        return (time.perf_counter() - start) / steps


def run(options: argparse.Namespace) -> None:
    # All peers alike; sgdlab itself takes one thread for a model of this size.
    torch.set_num_threads(options.threads)
    steps = options.steps
    print(f"one run, MLP 64-64-10 on digits, batch {BATCH}, momentum, {steps} steps; {machine()}")
    peers: dict[str, Callable[[], float]] = {
        "sgdlab": lambda: time_sgdlab(steps),
        "bare loop": lambda: time_bare(steps, False),
        "bare loop, clip + log": lambda: time_bare(steps, True),
    }
    if find_spec("lightning"):
        peers["Lightning, CSVLogger"] = lambda: time_lightning(steps)
    else:
        print("Lightning is not installed: pip install '.[bench]' adds it")
    compare(peers, 1e6, "us/step", options.repeats)
    print("targets: bare loop, clip + log <= 0.95; Lightning <= 0.35")
