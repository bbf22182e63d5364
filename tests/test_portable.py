"""What POSIX has and Windows lacks is not needed: commands work in a Python without it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LACKING = {
    "os": [
        "fork", "forkpty", "register_at_fork", "sysconf", "sched_getaffinity", "O_NOFOLLOW",
        "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "getuid", "geteuid", "getpgid", "killpg", "uname",
        "getloadavg", "mkfifo", "fchmod", "statvfs", "setsid",
    ],
    "signal": [
        "SIGALRM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGKILL", "SIGPIPE", "SIGCHLD", "setitimer",
        "ITIMER_REAL", "pthread_sigmask", "alarm", "sigwait",
    ],
}  # fmt: skip

# Python's own modules, torch and Hydra are loaded as they are here: they have their own guards.
PRELUDE = f"""
import multiprocessing.context, os, pathlib, platform, shutil, signal, socket, subprocess
import tempfile, uuid
import filelock, hydra, numpy, omegaconf, pandas, polars, torch, torch._dynamo
lacking = {LACKING!r}
for module, names in ((os, lacking["os"]), (signal, lacking["signal"])):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)
import sys
from sgdlab.cli import main
"""


def ends(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PRELUDE + code], cwd=folder, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_commands_need_nothing_that_windows_lacks(tmp_path: Path):
    done = ends(
        """
quick = ["dataset=wine", "model=linear", "schedule=constant", "max_steps=2"]
commands = [
    ["train", *quick, "hydra.run.dir=run", "limits.seconds=60"],
    ["train", "-m", *quick, "seed=0,1", "study=s", "hydra/launcher=stacked", "engine=stacked"],
    ["report", "runs/s"],
    ["bundle", "runs/s"],
    ["diagnose", "run"],
    ["doctor", "--seconds", "0"],
]
for command in commands:
    sys.argv = ["sgdlab", *command]
    code = main()
    assert code == 0, (command, code)
""",
        tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "runs/s/report/report.html").is_file()
    assert (tmp_path / "runs/s.zip").is_file()


def test_a_name_that_windows_lacks_is_looked_up_with_care():
    """No module uses one without asking first; the list says where each is asked for."""
    asked = {
        "os.sysconf": {
            "datasets/memory.py",
            "stacked/compiled/plan.py",
            "trackers/process.py",
        },
        "os.killpg": {"trackers/process.py"},
        "os.getuid": {"sweeps/gpu_slots.py", "trackers/settings.py"},
        "signal.SIGKILL": {"trackers/process.py"},
        "os.register_at_fork": {"results/lock_file.py"},
        "signal.pthread_sigmask": {"comparison/solo.py"},
        "signal.setitimer": {"training/pauses.py"},
        "signal.SIGALRM": {"training/pauses.py"},
        "signal.ITIMER_REAL": {"training/pauses.py"},
    }
    root = Path(__file__).parents[1] / "src/sgdlab"
    found: dict[str, set[str]] = {}
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for module, names in LACKING.items():
            for name in names:
                if f"{module}.{name}" in text:
                    found.setdefault(f"{module}.{name}", set()).add(
                        path.relative_to(root).as_posix()
                    )
    assert {k: v for k, v in found.items() if k in asked} == asked
    assert found.keys() == asked.keys()


SOURCES = sorted((Path(__file__).parents[1] / "src").rglob("*.py"))

TEXT_MODES = {"r", "w", "a", "x", "rt", "wt", "at", "xt", "r+", "w+"}
POSIX_ONLY = {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}


def opened_as_text(tree: ast.AST) -> Iterator[ast.Call]:
    """Yield the calls that open a file as text: ``open``, ``read_text`` and ``write_text``."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr in ("read_text", "write_text"):
            yield node
        modes = [*node.args[:2], *(k.value for k in node.keywords if k.arg == "mode")]
        modes = [m.value for m in modes if isinstance(m, ast.Constant)]
        name = function.attr if isinstance(function, ast.Attribute) else ""
        is_builtin = isinstance(function, ast.Name) and function.id == "open"
        binary = any("b" in str(mode) for mode in modes if mode)
        if is_builtin and not binary:
            yield node
        if name == "open" and "archive" in ast.unparse(function):
            continue  # of a zip file, whose entries are bytes
        if name in ("open", "fdopen") and any(mode in TEXT_MODES for mode in modes):
            yield node


def test_text_is_utf_8_whatever_the_system_takes_it_for():
    """Windows opens text in an encoding of the country where none is named."""
    assert len(SOURCES) > 500
    bare = [
        f"{path.name}:{call.lineno}"
        for path in SOURCES
        for call in opened_as_text(ast.parse(path.read_text(encoding="utf-8")))
        if "encoding" not in {keyword.arg for keyword in call.keywords}
        and not any(isinstance(a, ast.Constant) and a.value == "utf-8" for a in call.args)
    ]
    assert bare == []


def test_modules_that_windows_lacks_are_imported_nowhere():
    found = {
        (path.name, name)
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
        if name.partition(".")[0] in POSIX_ONLY
    }  # fmt: skip
    assert found == set()


def test_files_of_the_system_are_read_where_they_may_be_missing():
    """``/proc`` is Linux's: whoever reads it goes on without; and it is no place for data."""
    named = {
        path.as_posix()
        for path in SOURCES
        if any(word in path.read_text(encoding="utf-8") for word in ('"/proc', "'/proc"))
    }
    assert {name.rpartition("sgdlab/")[2] for name in named} == {
        "config/files_read.py", "datasets/memory.py", "stacked/measure.py",
        "trackers/process.py", "training/environment.py",
    }  # fmt: skip
