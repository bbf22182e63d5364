"""The wheel: what is inside, and that it works where the repository is not."""

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from cli_runs import QUICK, Cli, rows, summary

ROOT = Path(__file__).parents[2]


def run(*command: object, cwd: Path, **environment: str) -> str:
    env = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | environment
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    (path,) = out.glob("sgdlab-*.whl")
    return path


def test_the_wheel_holds_every_config_and_the_plugin(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    for plugin in ("sweeper", "stacked", "range_test"):
        assert f"hydra_plugins/sgdlab_{plugin}/__init__.py" in names
    assert "hydra_plugins/__init__.py" not in names, "would hide the plugins of others"
    confs = {f"sgdlab/{p.relative_to(ROOT)}" for p in (ROOT / "conf").rglob("*.yaml")}
    assert confs <= names
    assert {n for n in names if n.startswith("sgdlab/conf/") and n.endswith(".yaml")} == confs
    data = {p for p in (ROOT / "src").rglob("*") if p.is_file() and p.suffix != ".pyc"}
    assert {p.relative_to(ROOT / "src").as_posix() for p in data} <= names


@pytest.mark.slow
def test_the_installed_wheel_trains_sweeps_and_lists_without_the_repository(
    wheel: Path, tmp_path: Path, sgdlab: Cli
):
    place = tmp_path / "venv"
    venv.create(place, symlinks=True)
    python = place / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet")
    run(*pip, "--no-index", "--no-deps", "--disable-pip-version-check", wheel, cwd=tmp_path)
    # Our dependencies become importable by path; an editable install of ours is not followed.
    (site,) = place.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")

    away = tmp_path / "away"
    away.mkdir()
    where = run(python, "-c", "import sgdlab; print(sgdlab.__file__)", cwd=away)
    assert Path(where.strip()).is_relative_to(site)
    command = place / "bin" / "sgdlab"
    assert "nesterov" in run(command, "list", "optimizer", cwd=away)
    run(command, "train", "-m", *QUICK, "max_steps=2", "study=s", "seed=0,1", cwd=away)
    assert len(rows(away / "runs/s/runs.csv")) == 2
    assert "compiler" in run(command, "doctor", "--seconds", "0", cwd=away)
    call = (
        "import sgdlab; run = sgdlab.train(dataset='wine', model='linear', schedule='constant', "
        "max_steps=2, directory='called'); print(run.status, sgdlab.load('runs/s'))"
    )
    assert run(python, "-c", call, cwd=away) == "completed <Study runs/s: 2 runs>\n"
    here = sgdlab.train("run", "max_steps=2")
    there = away / "runs/s" / summary(here)["run_id"]
    for folder in (there, away / "called"):
        assert (folder / "steps.csv").read_bytes() == (here / "steps.csv").read_bytes()
