"""The set-up scripts: what they say when something is missing, and what they use again."""

import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def shim(folder: Path, script: str) -> Path:
    path = folder / "python-shim"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def run(script: str, cwd: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(ROOT / "scripts" / script), *arguments],
        cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("script", ["demo.sh", "test.sh"])
def test_a_missing_venv_module_gets_a_line_that_says_what_to_install(
    script: str, tmp_path: Path
) -> None:
    no_venv = shim(tmp_path, f'case "$*" in *venv*) exit 1;; esac; exec {sys.executable} "$@"')
    done = run(script, tmp_path, PYTHON=str(no_venv), SGDLAB_VENV=str(tmp_path / "venv"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "has no venv module" in line
    assert "apt install python3-venv" in line
    assert not (tmp_path / "venv").exists()


def test_a_python_that_is_too_old_gets_a_line_that_names_the_version(tmp_path: Path) -> None:
    old = tmp_path / "bin"
    old.mkdir()
    for name in ("python3.13", "python3.12", "python3.11", "python3", "python"):
        shim(old, 'case "$1" in --version) echo Python 3.9.1;; *) exit 1;; esac').rename(old / name)
    path = f"{old}:/usr/bin:/bin"
    done = run("demo.sh", tmp_path, PATH=path, PYTHON="", SGDLAB_VENV=str(tmp_path / "venv"))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert "needs Python 3.11 or newer; found Python 3.9.1" in line


def test_a_picture_without_a_browser_gets_a_line_that_says_what_to_install(tmp_path: Path) -> None:
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    done = run("picture.sh", tmp_path, PATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == "sgdlab: needs a browser: on Debian or Ubuntu, apt install chromium\n"


@pytest.mark.slow
def test_demo_uses_the_environment_again(tmp_path: Path) -> None:
    """As typed twice by a user, with a smaller budget; the second call finds all runs finished."""
    small = ["trials=1", "seeds=2", "epochs=1", "schedule.warmup_epochs=0"]
    venv = {"SGDLAB_VENV": sys.prefix}
    first = run("demo.sh", tmp_path, *small, **venv)
    assert first.returncode == 0, first.stderr
    second = run("demo.sh", tmp_path, *small, **venv)
    assert second.returncode == 0
    assert "runs are finished" in second.stderr
    assert len(list(tmp_path.glob("runs/*/report/report.html"))) == 1
