"""What a single run does before its first step, and what it does not."""

import gc
import os
import subprocess
import sys
from collections import Counter

import pytest
from cli_runs import QUICK
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from sgdlab import startup
from sgdlab.commands import train
from sgdlab.config import app as hydra_app
from sgdlab.config import resolve
from sgdlab.config.compose import application
from sgdlab.config.compose.application import OnceLoader
from sgdlab.errors import InputError
from sgdlab.sweeps import preflight
from sgdlab.training import damage
from sgdlab.training import run as training_run

SWITCH = "HYDRA_FULL_ERROR"

TRAIN = """
import sys
from sgdlab.cli import main
sys.argv = ["sgdlab", "train", *{arguments!r}]
assert main() == 0
slow = {{"pandas", "polars", "matplotlib", "scipy.stats", "sklearn", "torchvision"}}
sys.exit(", ".join(slow & set(sys.modules)) or 0)
"""


def test_a_run_imports_no_reader_of_tables_and_no_plots(tmp_path):
    code = TRAIN.format(arguments=[*QUICK, "max_steps=1"])
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("runs/train/*/*/summary.csv"))) == 1


def composed(loader: type[ConfigLoaderImpl], arguments: list[str], monkeypatch) -> DictConfig:
    """Return the config with which Hydra starts a single run of ``sgdlab train``."""
    started = []
    monkeypatch.setattr(application, "OnceLoader", loader)
    monkeypatch.setattr("hydra._internal.hydra.run_job", lambda **given: started.append(given))
    monkeypatch.setattr(train, "preflight", lambda _: None)  # nothing is trained
    monkeypatch.setattr(sys, "argv", ["sgdlab"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    GlobalHydra.instance().clear()
    with pytest.raises(AttributeError):  # it wants the return value of the job
        hydra_app.run_app(train.app, "train", arguments)
    return started[0]["config"]


@pytest.mark.parametrize("before", ["1", None])
def test_a_command_leaves_the_switch_of_hydra_s_errors_as_it_was(before, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["sgdlab"])
    monkeypatch.setenv(SWITCH, "1")  # put back after the test, whatever it was
    if before is None:
        del os.environ[SWITCH]
    with pytest.raises(InputError, match="lr=-1"):
        hydra_app.run_app(train.app, "train", ["lr=-1"])
    assert os.environ.get(SWITCH) == before


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["optimizer=adamw", "lr=0.5", "optimizer.eps=1e-6", "+model.note=x"],
        ["hydra.run.dir=somewhere", "~schedule.warmup_epochs"],
        ["hydra.mode=RUN"],
    ],
)
def test_composing_once_gives_the_config_of_composing_twice(arguments, monkeypatch):
    once = composed(OnceLoader, arguments, monkeypatch)
    twice = composed(ConfigLoaderImpl, arguments, monkeypatch)
    assert OmegaConf.to_yaml(once) == OmegaConf.to_yaml(twice)
    assert once.hydra.mode == RunMode.RUN
    assert once._metadata.flags == twice._metadata.flags


def counted(monkeypatch) -> list[RunMode]:
    modes: list[RunMode] = []
    original = ConfigLoaderImpl._load_configuration_impl

    def counting(self, config_name, overrides, run_mode, *rest, **further):
        modes.append(run_mode)
        return original(self, config_name, overrides, run_mode, *rest, **further)

    monkeypatch.setattr(ConfigLoaderImpl, "_load_configuration_impl", counting)
    return modes


def test_a_run_is_composed_once(sgdlab, monkeypatch):
    modes = counted(monkeypatch)
    assert sgdlab("train", *QUICK, "max_steps=1").code == 0
    assert modes == [RunMode.RUN]


def test_a_mode_that_is_typed_counts(sgdlab):
    result = sgdlab("train", *QUICK, "max_steps=1", "hydra.mode=MULTIRUN", "seed=0,1", "study=two")
    assert result.code == 0, result.err
    assert len(list(sgdlab.folder.glob("runs/two/*/summary.csv"))) == 2


def test_hydras_own_loader_is_back_after_a_run(sgdlab):
    import hydra._internal.hydra as hydra_itself

    sgdlab("train", *QUICK, "max_steps=1")
    assert hydra_itself.ConfigLoaderImpl is ConfigLoaderImpl


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_looked_for_again_after_the_block(before):
    was_on = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        with startup.kept():
            assert not gc.isenabled()
        assert gc.isenabled() is before
    finally:
        (gc.enable if was_on else gc.disable)()


def test_only_what_imports_made_is_left_out_of_later_searches(monkeypatch):
    frozen = gc.get_freeze_count()
    with startup.kept():
        pass
    assert gc.get_freeze_count() == frozen
    try:
        with startup.kept():
            monkeypatch.setitem(sys.modules, "imported_in_the_block", sys)
        assert gc.get_freeze_count() > frozen
    finally:
        gc.unfreeze()


def counting_calls(monkeypatch, calls: Counter[str], module, name: str) -> None:
    """Count the calls of a function through one of the modules that use it."""
    original = getattr(module, name)

    def counted_call(*arguments, **further):
        calls[name] += 1
        return original(*arguments, **further)

    monkeypatch.setattr(module, name, counted_call)


def test_a_run_is_resolved_looked_up_and_built_once(sgdlab, monkeypatch):
    calls: Counter[str] = Counter()
    counting_calls(monkeypatch, calls, resolve, "unchecked")
    counting_calls(monkeypatch, calls, damage, "read_summary")
    for module in (training_run, preflight):
        counting_calls(monkeypatch, calls, module, "build_run")
    assert sgdlab("train", *QUICK, "max_steps=1").code == 0
    # Built once to be trained, and once with a copy of its model for a first step that is thrown
    # away; looked up again once its folder is held, since another process may have ended it.
    assert calls == {"unchecked": 1, "read_summary": 2, "build_run": 2}


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("hydra.run.dir=runs/${run_name:}", "runs/sgd-r*"),
        ("hydra.run.dir=runs/a/${run_id:}/b", "runs/a/r*/b"),
        ("hydra.run.dir=runs/${run_folder:}-${seed}", "runs/r*-3"),
    ],
)
def test_names_of_a_run_are_put_into_any_folder(typed: str, found: str, sgdlab):
    assert sgdlab("train", *QUICK, "optimizer=sgd", "max_steps=1", "seed=3", typed).code == 0
    assert len(list(sgdlab.folder.glob(f"{found}/summary.csv"))) == 1


@pytest.mark.parametrize("command", ["train", "compare"])
def test_without_its_check_no_run_starts(sgdlab, command):
    result = sgdlab(command, "~hydra.callbacks.gate")
    assert result.code == 2
    assert "hydra.callbacks.gate checks a run before it starts: leave it in" in result.err
    assert result.err.count("\n") == 1
    assert not list(sgdlab.folder.iterdir())
