"""Microseconds per step against the loop that one writes by hand, and Lightning."""

import argparse
import csv
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from .common import compare, machine

STEPS = 2000
BATCH = 64


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--threads", type=int, default=1, help="of torch, for every peer")


def digits_run(directory: Path):
    """Return a settled config of the run that is timed, and its setup."""
    from hydra import compose, initialize_config_dir

    from sgdlab.config.catalogue import conf_dir
    from sgdlab.config.resolve import settle
    from sgdlab.training.build import build_run

    overrides = [
        "optimizer=momentum", "lr=0.05", "schedule=constant", "clip_norm=1.0",
        f"max_steps={STEPS}", "eval.every=1000000", "model.hidden=[64]",
        f"hydra.run.dir={directory}",
    ]  # fmt: skip
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = settle(compose("train", overrides, return_hydra_config=True))
    return config, build_run(config)


def time_sgdlab() -> float:
    """Time a run with every column of the contract logged, clipping on, rows written to disk."""
    from sgdlab.results import RunWriter
    from sgdlab.terminal.progress import NoDisplay
    from sgdlab.training.loop import fit

    with tempfile.TemporaryDirectory() as folder:
        _, run = digits_run(Path(folder))
        writer = RunWriter(Path(folder), run.data.metric)
        start = time.perf_counter()
        outcome = fit(run, writer, NoDisplay())
        seconds = time.perf_counter() - start
        writer.close()
        assert outcome.progress.step == STEPS
        return seconds / STEPS


def time_bare(logged: bool) -> float:
    """Time the loop that one writes by hand; ``logged``: with clipping, ``.item()`` and a CSV."""
    import torch
    from torch.nn import functional

    with tempfile.TemporaryDirectory() as folder:
        _, run = digits_run(Path(folder))
        model, (x, y) = run.model, run.data.train
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
        with (Path(folder) / "log.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            start = time.perf_counter()
            step = 0
            while step < STEPS:
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
                    if step == STEPS:
                        break
            return (time.perf_counter() - start) / STEPS


def time_lightning() -> float:
    """Time Lightning's Trainer with CSVLogger and clipping on the same model and data."""
    import logging
    import warnings

    import lightning  # pyright: ignore[reportMissingImports]
    import torch
    from lightning.pytorch.loggers import CSVLogger  # pyright: ignore[reportMissingImports]
    from torch.nn import functional

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
        _, run = digits_run(Path(folder))
        data = torch.utils.data.TensorDataset(*run.data.train)
        loader = torch.utils.data.DataLoader(data, batch_size=BATCH, shuffle=True)
        trainer = lightning.Trainer(
            max_steps=STEPS, logger=CSVLogger(folder), gradient_clip_val=1.0, accelerator="cpu",
            log_every_n_steps=1, enable_progress_bar=False, enable_model_summary=False,
            enable_checkpointing=False,
        )  # fmt: skip
        start = time.perf_counter()
        trainer.fit(Module(run.model), loader)
        return (time.perf_counter() - start) / STEPS


def run(options: argparse.Namespace) -> None:
    import torch

    # All peers alike; sgdlab itself takes one thread for a model of this size.
    torch.set_num_threads(options.threads)
    print(f"one run, MLP 64-64-10 on digits, batch {BATCH}, momentum, {STEPS} steps; {machine()}")
    peers: dict[str, Callable[[], float]] = {
        "sgdlab": time_sgdlab,
        "bare loop": lambda: time_bare(False),
        "bare loop, clip + log": lambda: time_bare(True),
    }
    try:
        from sgdlab.datasets.torchvision_compat import import_torchvision

        import_torchvision()  # Lightning imports it by itself, and fails beside a CPU-only torch
        import lightning  # noqa: F401  # pyright: ignore[reportMissingImports]

        peers["Lightning, CSVLogger"] = time_lightning
    except ImportError:
        print("Lightning is not installed: pip install '.[bench]' adds it")
    compare(peers, 1e6, "us/step")
    print("targets: bare loop, clip + log <= 0.95; Lightning <= 0.35")
