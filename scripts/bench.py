"""Speed and memory of sgdlab as ratios against peers measured in the same run.

python scripts/bench.py train      microseconds per step against a bare loop and Lightning
python scripts/bench.py startup    seconds of --help, and of a whole run beside import torch

Timings never gate a test: machines differ, and so does one machine from day to day.
"""

import argparse
import contextlib
import csv
import io
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

STEPS = 2000
REPEATS = 5
BATCH = 64


def machine() -> str:
    import torch

    return (
        f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def digits_run(directory: Path):
    """Return a settled config of the run that is timed, and its setup."""
    from hydra import compose, initialize_config_dir

    from sgdlab.build import setup
    from sgdlab.config import settle
    from sgdlab.groups import conf_dir

    overrides = [
        "optimizer=momentum", "lr=0.05", "schedule=constant", "clip_norm=1.0",
        f"max_steps={STEPS}", "eval.every=1000000", "model.hidden=[64]",
        f"hydra.run.dir={directory}",
    ]  # fmt: skip
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        config = settle(compose("train", overrides, return_hydra_config=True))
    return config, setup(config)


def time_sgdlab() -> float:
    """Time a run with every column of the contract logged, clipping on, rows written to disk."""
    from sgdlab.progress import NoView
    from sgdlab.results import RunWriter
    from sgdlab.trainer import fit

    with tempfile.TemporaryDirectory() as folder:
        _, run = digits_run(Path(folder))
        writer = RunWriter(Path(folder), run.data.metric)
        start = time.perf_counter()
        outcome = fit(run, writer, NoView())
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


def compare(peers: dict[str, Callable[[], float]], unit: float, name: str) -> dict[str, float]:
    """Time every peer in turn, several rounds, and return the medians.

    A round's peers run one after another, so that a machine that slows down slows them all.
    """
    times: dict[str, list[float]] = {peer: [] for peer in peers}
    for round_ in range(REPEATS + 1):
        for peer, measure in peers.items():
            with contextlib.redirect_stdout(io.StringIO()):
                seconds = measure()
            if round_ > 0:  # the first round warms up
                times[peer].append(seconds)
    ours = times["sgdlab"]
    print(f"{'':24}{name:>12}{'min':>10}{'max':>10}{'sgdlab / peer':>16}")
    for peer, values in times.items():
        ratio = statistics.median(a / b for a, b in zip(ours, values, strict=True))
        cells = [statistics.median(values), min(values), max(values)]
        text = "".join(f"{c * unit:>{w}.0f}" for c, w in zip(cells, (12, 10, 10), strict=True))
        print(f"{peer:24}{text}{ratio:>16.2f}")
    return {peer: statistics.median(values) for peer, values in times.items()}


def train(options: argparse.Namespace) -> None:
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
    print("targets: bare loop <= 1.20, Lightning <= 0.35")


def startup(options: argparse.Namespace) -> None:
    executable = Path(sys.executable).with_name("sgdlab")
    with tempfile.TemporaryDirectory() as folder:
        commands = {
            "sgdlab --help": [str(executable), "--help"],
            "import torch, optimizer": [
                sys.executable, "-c",
                "import torch; torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)",
            ],
            "sgdlab train max_steps=1": [str(executable), "train", "max_steps=1", "resume=false"],
        }  # fmt: skip
        print(f"seconds of whole processes, median of {REPEATS}; {machine()}")
        for name, command in commands.items():
            times = []
            for _ in range(REPEATS):
                start = time.perf_counter()
                subprocess.run(command, cwd=folder, capture_output=True, check=True)
                times.append(time.perf_counter() - start)
            print(f"{name:28}{statistics.median(times):8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    for function in (train, startup):
        command = commands.add_parser(function.__name__)
        command.set_defaults(function=function)
        command.add_argument("--threads", type=int, default=1, help="of torch, for every peer")
    options = parser.parse_args()
    options.function(options)


if __name__ == "__main__":
    main()
