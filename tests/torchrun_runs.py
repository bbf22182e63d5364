"""Runs in several real processes, by torchrun on this machine."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parent
# A free port of this machine, which torchrun finds.
TORCHRUN = (
    sys.executable, "-m", "torch.distributed.run", "--rdzv-backend=c10d",
    "--rdzv-endpoint=127.0.0.1:0", "--nproc-per-node",
)  # fmt: skip


def environment() -> dict[str, str]:
    path = [str(TESTS.parent / "src"), str(TESTS), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path), "OMP_NUM_THREADS": "1"}


def together(folder: Path, processes: int, *cases: tuple[str, ...]) -> list[dict]:
    """Train each case in so many processes; return what rank 0 has kept of each."""
    return by_script(folder, "together.py", processes, *map(";".join, cases))


def by_script(folder: Path, name: str, processes: int, *arguments: str) -> list[dict]:
    """Run a script of ours in so many processes; return what it has written."""
    out = folder / "out.json"
    script = (str(TESTS / "training" / name), str(out))
    command = (*TORCHRUN, str(processes), *script, *arguments)
    done = subprocess.run(
        command, env=environment(), capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(out.read_text())


def start(folder: Path, processes: int, *arguments: str, options: tuple[str, ...] = ()):
    command = (*TORCHRUN, str(processes), *options, "-m", "sgdlab", "train", *arguments)
    return subprocess.Popen(
        command, cwd=folder, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def process_of(rank: int, parent: int) -> int:
    """Return the process of a rank, of those that torchrun has started."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    for child in children:
        if f"RANK={rank}".encode() in Path(f"/proc/{child}/environ").read_bytes().split(b"\0"):
            return int(child)
    raise AssertionError(children)


def kill_after_a_checkpoint(torchrun: subprocess.Popen, run: Path, rank: int) -> None:
    end = time.monotonic() + 60
    while not (run / "checkpoint.pt").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
    os.kill(process_of(rank, torchrun.pid), signal.SIGKILL)
