"""``sgdlab doctor``: what this installation has, what it lacks, and how fast it is."""

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sgdlab.checks import pip_install
from sgdlab.config.parser import Parser
from sgdlab.config.schema import RunConfig
from sgdlab.errors import InputError, reason_of
from sgdlab.startup import processors
from sgdlab.visible import visible

EXTRAS = {
    "more-optimizers": ("optimizers of pytorch-optimizer: lion, adan, …", ["pytorch-optimizer"]),
    "metrics": ("any metric of torchmetrics, by its _target_", ["torchmetrics"]),
    "huggingface": ("dataset=huggingface", ["datasets"]),
    "transformers": ("model=huggingface", ["transformers", "safetensors"]),
    "tokenizers": ("dataset.tokens=bpe for text", ["tokenizers"]),
    "parquet": ("sgdlab pack, and tables in Parquet for judge", ["pyarrow"]),
    "tensorboard": ("logger=tensorboard, and event files for judge", ["tensorboard"]),
    "wandb": ("logger=wandb", ["wandb"]),
    "trackio": ("logger=trackio", ["trackio"]),
    "mlflow": ("logger=mlflow, and stores of MLflow for judge", ["mlflow-skinny", "sqlalchemy",
               "alembic", "sqlparse"]),
    "joblib": ("hydra/launcher=joblib", ["hydra-joblib-launcher"]),
    "ray": ("hydra/launcher=ray", ["ray"]),
    "submitit": ("hydra/launcher=submitit_local and submitit_slurm", ["hydra-submitit-launcher"]),
    "notebook": ("running notebooks from a shell", ["nbclient", "ipykernel"]),
    "docs": ("the site of the documentation", ["mkdocs", "mkdocs-material"]),
    "bench": ("peers of scripts/bench.py", ["lightning", "jax"]),
    "test": ("the tests of sgdlab", ["pytest", "hypothesis", "pytest-xdist", "build", "hatchling",
             "hydra-joblib-launcher", "ipykernel", "nbclient", "pytorch-optimizer", "statsmodels",
             "torchmetrics"]),
    "lint": ("its checks", ["ruff", "pyright", "import-linter", "pandas-stubs", "types-PyYAML"]),
}  # fmt: skip
"""What each extra of the package is for, and the packages that it brings."""

_COMPILERS = ("g++", "clang++", "clang", "cl")
_RUNS = 32
"""Runs of the stack that is timed."""
_WARM = 100
"""Steps that are made first, which do not count."""


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        "doctor",
        description="Show versions, device, compiler, threads and extras, and time both engines.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--seconds",
        metavar="SECONDS",
        type=float,
        default=2.0,
        help="time of the benchmark, half for each engine; 0 leaves it out (default: 2)",
    )
    return parser


def main(argv: list[str]) -> int:
    """Print what is found; return 0, whatever that is.

    Raises:
        InputError: The time is no number from 0.
    """
    options = parser().parse_args(argv)
    if not 0 <= options.seconds < float("inf"):
        raise InputError(f"--seconds {options.seconds}: must be a number from 0")
    found = findings(options.seconds)
    if options.json:
        print(json.dumps(found, indent=2, allow_nan=False))
    else:
        print("\n".join(_lines(found)))
    return 0


def findings(seconds: float) -> dict[str, Any]:
    """Return all that is found, as plain values.

    Args:
        seconds: The time of the benchmark; 0 for none.
    """
    return {
        "sgdlab": importlib.metadata.version("sgdlab"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in ("torch", "numpy", "hydra-core", "pandas")},
        "device": _device(),
        "threads": _threads(),
        "compiler": _compiler(),
        "extras": {name: _extra(*about) for name, about in EXTRAS.items()},
        "benchmark": _benchmark(seconds) if seconds else None,
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _device() -> dict[str, Any]:
    import torch

    if not torch.cuda.is_available():
        return {"kind": "cpu", "name": platform.processor() or platform.machine()}
    index = torch.cuda.current_device()
    return {
        "kind": "cuda",
        "name": torch.cuda.get_device_name(index),
        "count": torch.cuda.device_count(),
        "cuda": torch.version.cuda,
        "memory_bytes": torch.cuda.get_device_properties(index).total_memory,
    }


def _threads() -> dict[str, int]:
    import torch

    return {"torch": torch.get_num_threads(), "processors": processors()}


def _compiler() -> dict[str, str] | None:
    """Return the C++ compiler that compiled steps would take; None: there is none."""
    names = (os.environ["CXX"],) if os.environ.get("CXX") else _COMPILERS
    path = next((found for name in names if (found := shutil.which(name))), None)
    if path is None:
        return None
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=10, check=False
        )
        said = next(iter(done.stdout.splitlines()), "")
    except (OSError, subprocess.TimeoutExpired) as error:
        said = reason_of(error)
    return {"path": path, "version": said}


def _extra(purpose: str, packages: list[str]) -> dict[str, Any]:
    missing = [name for name in packages if _version(name) is None]
    return {"for": purpose, "there": not missing, "missing": missing}


def _benchmark(seconds: float) -> dict[str, Any]:
    from sgdlab.terminal.quiet import quiet

    found: dict[str, Any] = {"model": "MLP 64-64-10 on digits, batch 64, Nesterov momentum"}
    timings = {"steps_per_second": _ordinary, "stacked_steps_per_second": _stacked}
    for name, timing in timings.items():
        try:
            with quiet(), tempfile.TemporaryDirectory() as folder:
                found[name] = timing(Path(folder), seconds / len(timings))
        except Exception as error:  # whatever it is, it is a finding
            found[name], found[f"{name}_error"] = None, reason_of(error)
    return found


def _config(steps: int) -> RunConfig:
    from sgdlab.config.compose.one import compose_run

    return compose_run(
        "dataset=digits", "model=mlp", "model.hidden=[64]", "schedule=constant", "lr=0.05",
        f"max_steps={steps}", "eval.every=1000000",
    )  # fmt: skip


def _ordinary(folder: Path, seconds: float) -> float:
    """Return the steps that a run makes in a second, its rows included."""
    from sgdlab.terminal.progress import NoDisplay
    from sgdlab.training.run import train_run

    def rate(steps: int, name: str) -> float:
        summary = train_run(_config(steps), folder / name, NoDisplay())
        return steps / float(str(summary["train_seconds"]))

    return rate(max(1, int(rate(_WARM, "warm") * seconds)), "run")


def _stacked(folder: Path, seconds: float) -> float:
    """Return the steps that the runs of a stack make in a second, all together."""
    from sgdlab.config.job import Job
    from sgdlab.stacked.group import StackPlanner
    from sgdlab.stacked.launch import train_group

    def took(steps: int, name: str) -> float:
        base = _config(steps)
        form = replace(base.stacked, compile=False)
        jobs = [
            Job(replace(base, seed=n, stacked=form), f"r{n}", folder / name / f"r{n}")
            for n in range(_RUNS)
        ]
        planner = StackPlanner()
        groups, others = planner.of(jobs)
        if not groups:
            raise InputError(", ".join(others))
        start = time.perf_counter()
        train_group(planner, groups[0], jobs)
        return time.perf_counter() - start

    took(1, "first")
    least, warm = took(1, "least"), took(_WARM + 1, "warm")
    steps = max(1, int(seconds * _WARM / max(warm - least, 1e-9)))
    return _RUNS * steps / max(took(steps + 1, "run") - least, 1e-9)


def _lines(found: dict[str, Any]) -> list[str]:
    device, threads, compiler = found["device"], found["threads"], found["compiler"]
    packages = ", ".join(f"{name} {own or 'missing'}" for name, own in found["packages"].items())
    several = f" ({device['count']}, CUDA {device['cuda']})" if "cuda" in device else ""
    name = device["name"] + several
    rows = [
        ("sgdlab", f"{found['sgdlab']}, Python {found['python']}, {packages}"),
        ("platform", found["platform"]),
        ("device", f"{device['kind']}: {name}"),
        ("threads", f"torch {threads['torch']} of {threads['processors']} processors"),
        ("compiler", f"{compiler['path']}: {compiler['version']}" if compiler else _NO_COMPILER),
    ]
    for extra, about in found["extras"].items():
        lacking = f"; missing: {', '.join(about['missing'])}" if about["missing"] else ""
        state = "there" if about["there"] else pip_install(extra)
        rows.append((f"[{extra}]", f"{state}: {about['for']}{lacking}"))
    if (timed := found["benchmark"]) is not None:
        rows.append(("benchmark", timed["model"]))
        rows.append(("  one run", _rate(timed, "steps_per_second")))
        rows.append((f"  {_RUNS} stacked", _rate(timed, "stacked_steps_per_second")))
    width = max(len(name) for name, _ in rows)
    return [visible(f"{name:<{width}}  {text}") for name, text in rows]


_NO_COMPILER = "none (g++ or clang++): long sweeps train uncompiled"


def _rate(timed: dict[str, Any], name: str) -> str:
    value = timed[name]
    return f"{value:,.0f} steps/s" if value is not None else f"fails: {timed[f'{name}_error']}"
