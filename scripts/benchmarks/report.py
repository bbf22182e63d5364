"""Seconds and memory of sgdlab report on thousands of runs, and whether they grow in proportion."""

import argparse
import csv
import io
import math
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.common import machine
from sgdlab.results.manifest import manifest_text

COUNTS = (1000, 3000, 10000)
STEPS = 200
OPTIMIZERS = ("adam", "momentum", "nesterov", "sgd")
BEST_LR = {"adam": 0.003, "momentum": 0.03, "nesterov": 0.03, "sgd": 0.3}
TUNED = 0.4
SECONDS_LIMIT, MEMORY_LIMIT = 10.0, 2**30

REPORT = (
    "import resource, sys; from sgdlab.commands.report import main; code = main(sys.argv[1:]); "
    "use = resource.getrusage(resource.RUSAGE_SELF); "
    "print(use.ru_utime + use.ru_stime, use.ru_maxrss, file=sys.stderr); sys.exit(code)"
)
PEER = (
    "import pathlib, sys, pandas\n"
    "for name in ('steps', 'evals', 'summary'):\n"
    "    for path in pathlib.Path(sys.argv[1]).rglob(f'{name}.csv'):\n"
    "        pandas.read_csv(path)\n"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, nargs="+", default=COUNTS, help="sizes of the studies")
    parser.add_argument("--repeats", type=int, default=3, help="reports of each study")
    parser.add_argument("--keep", type=Path, help="folder for runs and reports, not removed")


def run(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = options.keep or Path(place)
        patterns = real_runs(folder / "patterns")
        print(f"{STEPS} rows in steps.csv of each run; {machine()}")
        print(f"{'runs':>8}{'seconds':>9}{'CPU s':>8}{'MiB':>6}{'linear':>8}{'pandas s':>10}")
        first: tuple[int, float] | None = None
        for count in sorted(options.runs):
            study = folder / str(count)
            if not study.exists():
                make_runs(study, count, patterns)
            out = folder / f"report-{count}"
            measured = [report(study, out) for _ in range(options.repeats)]
            seconds, cpu = min(m[0] for m in measured), min(m[1] for m in measured)
            memory = max(m[2] for m in measured)
            peer = timed([sys.executable, "-c", PEER, str(study)])
            first = first or (count, cpu)
            linear = first[1] * count / first[0]
            print(
                f"{count:>8}{seconds:>9.2f}{cpu:>8.2f}{memory / 2**20:>6.0f}{cpu / linear:>8.2f}"
                f"{peer:>10.2f}"
            )
    print(
        f"least of {options.repeats}; linear: CPU seconds over those of the smallest study in "
        "proportion; pandas: read_csv of the same files, and nothing else\n"
        f"targets for 10,000 runs: {SECONDS_LIMIT:.0f} s, {MEMORY_LIMIT >> 20} MiB"
    )


def report(study: Path, out: Path) -> tuple[float, float, int]:
    """Return wall seconds, CPU seconds and peak bytes of ``sgdlab report`` as a process."""
    start = time.perf_counter()
    command = [sys.executable, "-c", REPORT, str(study), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - start
    cpu, memory = done.stderr.split()[-2:]
    return seconds, float(cpu), int(memory) * (1 if sys.platform == "darwin" else 1024)


def timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - start


def real_runs(folder: Path) -> dict[str, dict[str, str]]:
    """Train each optimizer for two epochs, and return the files of each run by name."""
    executable = Path(sys.executable).with_name("sgdlab")
    found: dict[str, dict[str, str]] = {}
    if not folder.exists():
        command = [
            str(executable), "train", "-m", f"optimizer={','.join(OPTIMIZERS)}", "epochs=2",
            "evaluate_test=true", "study=synthetic", "phase=final", f"hydra.sweep.dir={folder}",
        ]  # fmt: skip
        subprocess.run(command, capture_output=True, check=True)
    for path in folder.rglob("summary.csv"):
        (row,) = csv.DictReader(path.read_text().splitlines())
        files = [file for file in path.parent.iterdir() if file.is_file()]
        found[row["optimizer"]] = {file.name: file.read_text() for file in files}
    return found


def make_runs(study: Path, count: int, patterns: dict[str, dict[str, str]]) -> None:
    """Write ``count`` runs as a comparison leaves them: trials over lr, then the best over seeds.

    Files are those of real runs, with their own lr, seed, phase and numbers.
    """
    rng = np.random.default_rng(0)
    for number in range(count):
        name = OPTIMIZERS[number % len(OPTIMIZERS)]
        place = number // len(OPTIMIZERS)
        tuned = place < TUNED * count / len(OPTIMIZERS)
        lr = BEST_LR[name] * (float(10 ** rng.uniform(-1.5, 1.5)) if tuned else 1.0)
        trial, seed = (place, 0) if tuned else (None, place)
        phase = "tune" if tuned else "final"
        write_run(study / phase / f"r{number:09}", patterns[name], rng, lr, seed, phase, trial)


def write_run(
    folder: Path,
    pattern: dict[str, str],
    rng: np.random.Generator,
    lr: float,
    seed: int,
    phase: str,
    trial: int | None,
) -> None:
    folder.mkdir(parents=True)
    head, row = csv.reader(io.StringIO(pattern["summary.csv"]))
    cells = dict(zip(head, row, strict=True))
    off = abs(math.log10(lr / BEST_LR[cells["optimizer"]]))
    diverged = off > 1.45
    accuracy = 0.95 - 0.1 * off**2 + 0.005 * float(rng.normal())
    steps = STEPS // 4 if diverged else STEPS
    cells |= {
        "run_id": folder.name, "phase": phase, "trial": "" if trial is None else str(trial),
        "status": "diverged" if diverged else "completed", "base_lr": repr(lr), "lr": repr(lr),
        "reason": "the loss is 101 times that at the start, and grew" if diverged else "",
        "seed": str(seed), "steps": str(steps), "train_seconds": repr(steps * 0.0012),
        "best_val_metric": repr(accuracy), "best_val_step": str(steps),
    }  # fmt: skip
    ends = ("final_train_loss", "final_val_loss", "final_val_metric", "test_loss", "test_metric")
    for column in ends:
        shift = 0.01 * float(rng.normal())
        value = accuracy + shift if column.endswith("metric") else 1 - accuracy + shift
        untested = phase == "tune" and column.startswith("test")
        cells[column] = "" if diverged or untested else repr(value)
    write_row(folder / "summary.csv", cells)
    config = pattern["config.yaml"]
    for key, value in (
        ("lr", lr), ("  lr", lr), ("seed", seed), ("phase", phase),
        ("trial", "null" if trial is None else trial),
    ):  # fmt: skip
        config = re.sub(f"^{key}: .*$", f"{key}: {value}", config, flags=re.MULTILINE)
    (folder / "config.yaml").write_text(config)
    (folder / "environment.json").write_text(pattern["environment.json"])
    slow = 4.0 + 2 * OPTIMIZERS.index(cells["optimizer"])  # steps to half of the final accuracy
    number = np.arange(1, steps + 1)
    noise = np.exp(0.1 * rng.normal(size=(2, steps)))
    losses = (2.3 / (1 + number / (5 * slow)) * noise[0]).tolist()
    norms = (1.5 / np.sqrt(number) * noise[1]).tolist()
    lines = [pattern["steps.csv"].partition("\n")[0]]
    empty = "," * (lines[0].count(",") - 6)  # what diagnostics add
    lines += [
        f"{k},{1 + k // 17},{64 * k},{lr!r},{losses[k - 1]!r},{norms[k - 1]!r},1.0{empty}"
        for k in range(1, steps + 1)
    ]
    (folder / "steps.csv").write_text("\n".join(lines) + "\n")
    lines = [pattern["evals.csv"].partition("\n")[0]]
    for k in range(0, steps + 1, 20):
        value = accuracy * k / (k + slow) * (STEPS + slow) / STEPS
        for split in ("train", "val"):
            lines.append(
                f"{k},{k // 17},{64 * k},{0.0012 * k!r},raw,{split},{2.3 - value!r},{value!r}"
            )
    (folder / "evals.csv").write_text("\n".join(lines) + "\n")
    summary = (folder / "summary.csv").read_bytes()
    (folder / "manifest.json").write_text(manifest_text(folder, {}, summary))


def write_row(path: Path, cells: dict[str, str]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([cells.keys(), cells.values()])
    path.write_text(out.getvalue())
