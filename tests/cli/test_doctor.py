"""``sgdlab doctor`` says what is there, and never fails for what is not."""

import importlib.metadata
import json
import re
import shutil
import tomllib
from pathlib import Path

import pytest
from cli_runs import Cli, refused

from sgdlab.checks import pip_install
from sgdlab.commands import doctor

ROOT = Path(__file__).parents[2]


def test_what_is_found_is_what_is_there(sgdlab: Cli):
    import torch

    result = sgdlab("doctor", "--json", "--seconds", "0")
    assert (result.code, result.err) == (0, "")
    found = json.loads(result.out)
    assert found["packages"]["torch"] == importlib.metadata.version("torch")
    assert found["threads"]["torch"] == torch.get_num_threads()
    assert found["device"]["kind"] == ("cuda" if torch.cuda.is_available() else "cpu")
    path = next((p for name in ("g++", "clang++") if (p := shutil.which(name))), None)
    assert (found["compiler"] or {}).get("path") == path
    assert found["benchmark"] is None
    assert found["extras"]["more-optimizers"]["there"]
    assert list(sgdlab.folder.iterdir()) == []


def test_every_extra_is_listed_with_its_packages():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    known = {
        extra: [re.split(r"[\[>=<]", need)[0] for need in needs]
        for extra, needs in project["optional-dependencies"].items()
    }
    assert {extra: packages for extra, (_, packages) in doctor.EXTRAS.items()} == known


def test_without_a_compiler_and_with_missing_extras_it_says_what_to_do(sgdlab: Cli, monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(doctor.shutil, "which", lambda _: None)
    monkeypatch.setattr(doctor, "EXTRAS", {"metrics": ("any metric", ["no-such-package"])})
    result = sgdlab("doctor", "--seconds", "0")
    assert result.code == 0
    assert re.search(r"compiler +none \(g\+\+ or clang\+\+\)", result.out)
    assert f"{pip_install('metrics')}: any metric; missing: no-such-package" in result.out


@pytest.mark.slow
def test_both_engines_are_timed(sgdlab: Cli):
    result = sgdlab("doctor", "--json", "--seconds", "0.1")
    timed = json.loads(result.out)["benchmark"]
    assert timed["steps_per_second"] > 0
    assert timed["stacked_steps_per_second"] > 0
    assert not [key for key in timed if key.endswith("_error")]
    assert list(sgdlab.folder.iterdir()) == []


def test_an_engine_that_fails_is_a_finding(sgdlab: Cli, monkeypatch):
    def fail(*_: object) -> float:
        raise RuntimeError("no room")

    monkeypatch.setattr(doctor, "_stacked", fail)
    result = sgdlab("doctor", "--seconds", "0.01")
    assert result.code == 0
    assert re.search(r"32 stacked +fails: RuntimeError: no room", result.out)


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf"])
def test_a_time_that_is_none_is_refused(sgdlab: Cli, seconds: str):
    assert "--seconds" in refused(sgdlab, "doctor", f"--seconds={seconds}")
