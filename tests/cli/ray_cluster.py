"""A Ray cluster on this machine whose nodes can be killed, and commands beside it."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SMALL = {"num_cpus": 1, "object_store_memory": 78_643_200}


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start the command line in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [sys.executable, "-m", "sgdlab", *arguments],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def done(process: subprocess.Popen[str], seconds: float = 1500) -> str:
    """Wait for a command that is to end well; return what it has said."""
    said = process.communicate(timeout=seconds)[0]
    assert process.returncode == 0, said
    return said


@contextlib.contextmanager
def cluster_of(nodes: int) -> Iterator[Any]:
    """Nodes of Ray on this machine, each with one processor; ``others`` are all but the head."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster  # pyright: ignore[reportMissingImports]

    found = Cluster(initialize_head=True, head_node_args={**_SMALL, "include_dashboard": False})
    try:
        found.others = [found.add_node(**_SMALL) for _ in range(nodes - 1)]
        yield found
    finally:
        found.shutdown()


def is_busy(node: Any) -> bool:
    """Say whether a task runs on a node: Ray calls its process after it."""
    (raylet,) = node.all_processes["raylet"]
    return any(b"ray::_run" in own for own in _commands_below(raylet.process.pid))


def _commands_below(pid: int) -> Iterator[bytes]:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(entry.name) and int(fields[1]) == pid:
                yield (entry / "cmdline").read_bytes()
